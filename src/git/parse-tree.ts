import { CorruptObject } from './errors.ts';
import { isObjectId, type ObjectId } from './object-id.ts';
import type { FileMode } from './remote.ts';

/** An entry of a tree; a directory's mode is `40000`. */
export interface TreeEntry {
  readonly name: string;
  readonly mode: FileMode | '40000';
  readonly id: ObjectId;
}

/**
 * Reads a tree's content as git reads it: modes that old versions of git wrote (100664) are taken as the nearest of today's.
 * Throws CorruptObject for a mode that is no file's, and for a name that would lead out of its directory.
 */
export function parseTree(id: ObjectId, content: Buffer): TreeEntry[] {
  const entries: TreeEntry[] = [];
  let at = 0;
  while (at < content.byteLength) {
    const space = content.indexOf(0x20, at);
    const nul = content.indexOf(0, space);
    const end = nul + 21;
    if (space < 0 || nul < 0 || end > content.byteLength) throw new CorruptObject(id, 'the tree is cut off');
    const mode = canonicalMode(content.toString('latin1', at, space));
    const name = content.toString('utf8', space + 1, nul);
    const entryId = content.toString('hex', nul + 1, end);
    if (mode === undefined || badName.test(name) || !isObjectId(entryId)) {
      throw new CorruptObject(id, `the tree has a bad entry ${JSON.stringify(name)}`);
    }
    entries.push({ name, mode, id: entryId });
    at = end;
  }
  return entries;
}

/** One that would lead out of its directory, or is none. */
const badName = /^\.{0,2}$|\//;

/** Git's canon_mode: the kind of file, and for a plain one whether its owner may execute it. */
function canonicalMode(octal: string): TreeEntry['mode'] | undefined {
  if (octal === '100644' || octal === '40000') return octal;
  if (!/^0?[0-7]{5,6}$/.test(octal)) return undefined;
  const mode = Number.parseInt(octal, 8);
  switch (mode & 0o170000) {
    case 0o040000:
      return '40000';
    case 0o100000:
      return mode & 0o100 ? '100755' : '100644';
    case 0o120000:
      return '120000';
    case 0o160000:
      return '160000';
    default:
      return undefined;
  }
}
