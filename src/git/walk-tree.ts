import { LRUCache } from 'lru-cache';
import { giveWay } from '../give-way.ts';
import type { Commit } from './commit.ts';
import { TooManyFiles } from './errors.ts';
import type { ObjectId } from './object-id.ts';
import type { TreeEntry } from './parse-tree.ts';
import type { FileMode } from './remote.ts';

/** Of the whole repository, folders included: an upload may have 500,000 of both, and Linux has 95,000. */
const maxFiles = 600_000;

/** Each file alone would cost every layer above a turn of its own; what they do with as many takes a millisecond. */
const batchSize = 50;

/** A file or submodule in a tree. */
export interface TreeFile {
  readonly path: string;
  readonly mode: FileMode;
  readonly id: ObjectId;
}

/**
 * All files of a commit, in batches, in the order of its tree. Some hundred bytes of trees that name each other can have more paths than memory holds: throws
 * TooManyFiles, what `readTree` throws, and the signal's reason.
 */
export async function* walkTree(
  { id, tree }: Commit,
  readTree: (id: ObjectId) => readonly TreeEntry[] | Promise<readonly TreeEntry[]>,
  signal: AbortSignal,
): AsyncGenerator<TreeFile[], void> {
  const recent = new LRUCache<ObjectId, readonly TreeEntry[]>({ max: 1_000 });
  const open = async (tree: ObjectId, prefix: string): Promise<OpenFolder> => {
    const entries = recent.get(tree) ?? (await readTree(tree));
    recent.set(tree, entries);
    return { prefix, rest: entries.values() };
  };
  const folders = [await open(tree, '')];
  let count = 0;
  let batch: TreeFile[] = [];
  for (let folder = folders.at(-1); folder !== undefined; folder = folders.at(-1)) {
    const { value: entry } = folder.rest.next();
    if (entry === undefined) {
      folders.pop();
      continue;
    }
    count += 1;
    const turn = giveWay();
    if (turn !== undefined) await turn;
    signal.throwIfAborted();
    if (count > maxFiles) throw new TooManyFiles(id, maxFiles);
    const path = `${folder.prefix}${entry.name}`;
    if (entry.mode === '40000') folders.push(await open(entry.id, `${path}/`));
    else batch.push({ path, mode: entry.mode, id: entry.id });
    if (batch.length < batchSize) continue;
    yield batch;
    batch = [];
  }
  yield batch;
}

/** A folder on the way from the root to where the walk is. */
interface OpenFolder {
  readonly prefix: string;
  readonly rest: Iterator<TreeEntry, undefined>;
}
