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
  readonly #root: Directory = { entries: new Map(), id: undefined };
  /** Each after the one that it is in. */
  readonly #directories = [this.#root];

  /** Throws TypeError for a path that comes twice, is another's directory, or has an empty part. */
  add(file: TreeFile): void {
    this.#directories.push(...place(this.#root, file));
  }

  /** Yields every tree, as often as it occurs; the last is the root. */
  *trees(): Generator<HeldObject, void> {
    for (const directory of this.#directories.toReversed()) {
      const tree = packDirectory(directory);
      directory.id = tree.id;
      yield tree;
    }
  }
}

/** Puts a file into its directory and gives the directories that had to be made for it, outer ones first. */
function place(root: Directory, file: TreeFile): Directory[] {
  const made: Directory[] = [];
  const parts = file.path.split('/');
  const name = parts.pop() ?? '';
  let directory = root;
  for (const part of parts) {
    let next = directory.entries.get(part);
    if (next === undefined) {
      next = { entries: new Map(), id: undefined };
      directory.entries.set(part, next);
      made.push(next);
    }
    if ('path' in next || part === '') throw new TypeError(`cannot place ${file.path} into a tree`);
    directory = next;
  }
  if (directory.entries.has(name) || name === '') throw new TypeError(`cannot place ${file.path} into a tree`);
  directory.entries.set(name, file);
  return made;
}

/** Entries are `{mode} {name}\0{20 bytes}`, in the order of their names' bytes, a directory's as if it ended in `/`. */
function packDirectory({ entries }: Directory): HeldObject {
  const names: ObjectId[] = [];
  const encoded = Array.from(entries, ([name, entry]) => {
    const bytes = toByteString(name);
    const mode = 'path' in entry ? entry.mode : '40000';
    if (entry.id === undefined) throw new TypeError('a directory is packed after those in it');
    if (mode !== '160000') names.push(entry.id);
    return { sortKey: mode === '40000' ? `${bytes}/` : bytes, head: `${mode} ${bytes}\0`, id: entry.id };
  });
  encoded.sort((a, b) => (a.sortKey < b.sortKey ? -1 : 1));
  const size = encoded.reduce((bytes, { head }) => bytes + head.length + idBytes, 0);
  const content = Buffer.allocUnsafe(size);
  let at = 0;
  for (const { head, id } of encoded) {
    at += content.write(head, at, 'latin1');
    at += content.write(id, at, 'hex');
  }
  return packObject('tree', content, names);
}

const idBytes = 20;

/** A string of the UTF-8 bytes, each as one character: JavaScript orders such strings by their bytes. */
function toByteString(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
  return /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text).toString('latin1');
}
