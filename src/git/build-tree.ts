import type { ObjectId } from './object-id.ts';
import { type HeldObject, packObject } from './packed-object.ts';
import type { FileMode } from './remote.ts';

/** A file of a tree to be built; `path` has its parts separated by `/`. */
export interface TreeFile {
  readonly path: string;
  readonly mode: FileMode;
  readonly id: ObjectId;
}

interface Directory {
  readonly entries: Map<string, TreeFile | Directory>;
  /** Known once the directory is encoded. */
  id: ObjectId | undefined;
}

/** Makes tree objects of files, which are added one by one. */
export class TreeBuilder {
  /** By path, each after the one that it is in; the root's is empty. */
  readonly #directories = new Map<string, Directory>([['', { entries: new Map(), id: undefined }]]);

  /** Throws TypeError for a path that comes twice, is another's directory, or has an empty part. */
  add(file: TreeFile): void {
    this.#place(file.path, file);
  }

  /** Yields every tree, as often as it occurs; the last is the root. */
  *trees(): Generator<HeldObject, void> {
    for (const directory of Array.from(this.#directories.values()).reverse()) {
      const tree = packDirectory(directory);
      directory.id = tree.id;
      yield tree;
    }
  }

  #place(path: string, entry: TreeFile | Directory): void {
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    const { entries } = this.#directory(path.slice(0, Math.max(slash, 0)));
    if (entries.has(name) || name === '' || slash === 0) throw new TypeError(`cannot place ${path} into a tree`);
    entries.set(name, entry);
  }

  #directory(path: string): Directory {
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    const made: Directory = { entries: new Map(), id: undefined };
    this.#place(path, made);
    this.#directories.set(path, made);
    return made;
  }
}

/** Entries are `{mode} {name}\0{20 bytes}`, in the order of their names' bytes, a directory's as if it ended in `/`. */
function packDirectory({ entries }: Directory): HeldObject {
  const names: ObjectId[] = [];
  const encoded: EncodedEntry[] = [];
  let size = 0;
  entries.forEach((entry, name) => {
    if (entry.id === undefined) throw new TypeError('a directory is packed after those in it');
    const mode = 'path' in entry ? entry.mode : '40000';
    if (mode !== '160000') names.push(entry.id);
    const bytes = toByteString(name);
    const head = `${mode} ${bytes}\0`;
    encoded.push({ sortKey: mode === '40000' ? `${bytes}/` : bytes, head, id: entry.id });
    size += head.length + idBytes;
  });
  encoded.sort((a, b) => (a.sortKey < b.sortKey ? -1 : 1));
  const content = Buffer.allocUnsafe(size);
  let at = 0;
  for (const { head, id } of encoded) {
    at += content.write(head, at, 'latin1');
    at += content.write(id, at, 'hex');
  }
  return packObject('tree', content, names);
}

interface EncodedEntry {
  readonly sortKey: string;
  readonly head: string;
  readonly id: ObjectId;
}

const idBytes = 20;

/** A string of the UTF-8 bytes, each as one character: JavaScript orders such strings by their bytes. */
function toByteString(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
  return /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text).toString('latin1');
}
