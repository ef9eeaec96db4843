/** What lies in a pack that a server sent: a commit, and the files below it. */
import { type Commit, parseCommit } from './commit.ts';
import { type DeflatedBlob, emptyBlob } from './deflated-blob.ts';
import { GitUnavailable, UnexpectedKind } from './errors.ts';
import { emptyTree, type ObjectId, type ObjectKind } from './object-id.ts';
import { parseTree, type TreeEntry } from './parse-tree.ts';
import type { ReadObject, ReadPack } from './read-pack.ts';
import type { SnapshotFile } from './remote.ts';
import { type TreeFile, walkTree } from './walk-tree.ts';

/** Throws GitUnavailable where the server left it out, CorruptObject where it is of another kind. */
export function contentOf(pack: ReadPack, id: ObjectId, kind: ObjectKind): Buffer {
  return id === emptyTree && !pack.has(id) ? Buffer.alloc(0) : objectOf(pack, id, kind).content();
}

const objectOf = (pack: ReadPack, id: ObjectId, kind: ObjectKind): ReadObject => checkObject(pack.get(id), id, kind);

function checkObject(object: ReadObject | undefined, id: ObjectId, kind: ObjectKind): ReadObject {
  if (object === undefined) throw new GitUnavailable(`the server left out the ${kind} ${id}`);
  if (object.kind !== kind) throw new UnexpectedKind(id, { kind: object.kind, expected: kind });
  return object;
}

export const commitOf = (pack: ReadPack, id: ObjectId): Commit => parseCommit(id, contentOf(pack, id, 'commit'));

const treeOf = (pack: ReadPack, id: ObjectId): TreeEntry[] => parseTree(id, contentOf(pack, id, 'tree'));

/** The blob at a path, its parts apart; undefined where there is none. */
export function findFile(pack: ReadPack, tree: ObjectId, [name, ...rest]: readonly string[]): ObjectId | undefined {
  const entry = treeOf(pack, tree).find(entry => entry.name === name);
  if (entry === undefined || entry.mode === '160000') return undefined;
  if (entry.mode === '40000') return rest.length > 0 ? findFile(pack, entry.id, rest) : undefined;
  return rest.length > 0 ? undefined : entry.id;
}

/** A pack that is being read. */
export interface ArrivingPack {
  /** An object that is there already. */
  get(id: ObjectId): ReadObject | undefined;
  /** Waits for one; undefined where the pack ends without it. Throws what ends the reading. */
  arrival(id: ObjectId): Promise<ReadObject | undefined>;
}

/** A commit and what is below it. */
export interface CommitTree {
  readonly commit: Commit;
  /** In batches, in the order of its tree. */
  readonly files: readonly (readonly TreeFile[])[];
}

/** Walks a commit's trees as they arrive: git sends them before the files. Throws as walkTree. */
export async function walkArriving(pack: ArrivingPack, id: ObjectId, signal: AbortSignal): Promise<CommitTree> {
  const commit = parseCommit(id, checkObject(await pack.arrival(id), id, 'commit').content());
  const read = (tree: ObjectId, object: ReadObject | undefined) =>
    parseTree(tree, checkObject(object, tree, 'tree').content());
  const readTree = (tree: ObjectId) => {
    if (tree === emptyTree) return [];
    const object = pack.get(tree);
    return object === undefined ? pack.arrival(tree).then(object => read(tree, object)) : read(tree, object);
  };
  const files: TreeFile[][] = [];
  for await (const batch of walkTree(commit, readTree, signal)) files.push(batch);
  return { commit, files };
}

/** The files with what is in them, of a pack that is whole and whose blobs were kept. */
export async function* filesOf(pack: ReadPack, { files }: CommitTree): AsyncGenerator<SnapshotFile[], void> {
  for (const batch of files) {
    yield batch.map(({ path, mode, id }) => ({
      path,
      mode,
      id,
      blob: mode === '160000' ? emptyBlob : blobOf(pack, id),
    }));
  }
}

function blobOf(pack: ReadPack, id: ObjectId): DeflatedBlob {
  const { blob } = objectOf(pack, id, 'blob');
  if (blob === undefined) throw new TypeError('the blobs of this pack were not kept');
  return blob;
}
