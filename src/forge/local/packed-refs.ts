/** Git's `packed-refs` file: `{id} {name}` a line, `^{id}` after a tag object's with what it peels to; the header tells how far that can be relied on. */
import { isObjectId, type ObjectId } from '../../git/object-id.ts';

export interface PackedRef {
  readonly id: ObjectId;
  /** The object behind a tag object, null where the file says that it is none, undefined where it does not say. */
  readonly peeled: ObjectId | null | undefined;
}

/** Reads the file; throws Error for a line that git would not have written. */
export function parsePackedRefs(text: string): Map<string, PackedRef> {
  const refs = new Map<string, PackedRef>();
  let traits: string[] = [];
  let last = '';
  for (const line of text.split('\n')) {
    const [id = '', name = ''] = line.split(' ', 2);
    if (line.startsWith('# pack-refs with:')) {
      traits = line.split(' ');
    } else if (isObjectId(id) && name !== '') {
      const isPeelKnown =
        traits.includes('fully-peeled') || (traits.includes('peeled') && name.startsWith('refs/tags/'));
      refs.set(name, { id, peeled: isPeelKnown ? null : undefined });
      last = name;
    } else if (line.startsWith('^')) {
      const ref = refs.get(last);
      const peeled = line.slice(1);
      if (ref === undefined || !isObjectId(peeled))
        throw new Error(`packed-refs has a bad line ${JSON.stringify(line)}`);
      refs.set(last, { id: ref.id, peeled });
    } else if (line !== '' && !line.startsWith('#')) {
      throw new Error(`packed-refs has a bad line ${JSON.stringify(line)}`);
    }
  }
  return refs;
}

/** The file without the refs of these names; every other line stays as it is, byte for byte. */
export function withoutPackedRefs(file: Buffer, names: Iterable<string>): Buffer {
  const dropped = new Set(Array.from(names, name => Buffer.from(name).toString('latin1')));
  let isDropped = false;
  const kept = file
    .toString('latin1')
    .split('\n')
    .filter(line => {
      if (!line.startsWith('^')) isDropped = !line.startsWith('#') && dropped.has(line.slice(41));
      return !isDropped;
    });
  return Buffer.from(kept.join('\n'), 'latin1');
}
