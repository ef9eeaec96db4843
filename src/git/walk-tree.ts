import { setImmediate as nextTurn } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { Commit } from './commit.ts';
import { TooManyFiles } from './errors.ts';
import type { ObjectId } from './object-id.ts';
import type { TreeEntry } from './parse-tree.ts';
import type { FileMode } from './remote.ts';

/** Of the whole repository, folders included: an upload may have 500,000 of both, and Linux has 95,000. */
const maxFiles = 600_000;

/** So many entries take a few milliseconds. */
const entriesPerTurn = 2_000;

/** A file or submodule in a tree. */
export interface TreeFile {
  readonly path: string;
  readonly mode: FileMode;
  readonly id: ObjectId;
}

/**
 * All files of a commit, in the order of its tree. Some hundred bytes of trees that name each other can have more paths than memory holds: throws
 * TooManyFiles, what `readTree` throws, and the signal's reason.
 */
export async function* walkTree(
  { id, tree }: Commit,
  readTree: (id: ObjectId) => readonly TreeEntry[] | Promise<readonly TreeEntry[]>,
  signal: AbortSignal,
): AsyncGenerator<TreeFile> {
  let entries = 0;
  const recent = new LRUCache<ObjectId, readonly TreeEntry[]>({ max: 1_000 });
  yield* walk(tree, '');

  async function* walk(tree: ObjectId, prefix: string): AsyncGenerator<TreeFile> {
    const known = recent.get(tree) ?? (await readTree(tree));
    recent.set(tree, known);
    for (const entry of known) {
      entries += 1;
      if (entries % entriesPerTurn === 0) await nextTurn();
      signal.throwIfAborted();
      if (entries > maxFiles) throw new TooManyFiles(id, maxFiles);
      const path = `${prefix}${entry.name}`;
      if (entry.mode === '40000') yield* walk(entry.id, `${path}/`);
      else yield { path, mode: entry.mode, id: entry.id };
    }
  }
}
