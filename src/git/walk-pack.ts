/** What lies in a pack that a server sent: a commit, and the files below it. */
import { type Commit, parseCommit } from './commit.ts';
import { type DeflatedBlob, emptyBlob } from './deflated-blob.ts';
import { GitUnavailable, UnexpectedKind } from './errors.ts';
import { emptyTree, type ObjectId, type ObjectKind } from './object-id.ts';
import { parseTree, type TreeEntry } from './parse-tree.ts';
import type { ReadObject, ReadPack } from './read-pack.ts';
import type { SnapshotFile } from './remote.ts';
import { walkTree } from './walk-tree.ts';

/** Throws GitUnavailable where the server left it out, CorruptObject where it is of another kind. */
export function contentOf(pack: ReadPack, id: ObjectId, kind: ObjectKind): Buffer {
  return id === emptyTree && !pack.has(id) ? Buffer.alloc(0) : objectOf(pack, id, kind).content();
}

function objectOf(pack: ReadPack, id: ObjectId, kind: ObjectKind): ReadObject {
  const object = pack.get(id);
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

/** All files of a commit, in batches, in the order of its tree, of a pack whose blobs were kept. */
export async function* filesOf(
  pack: ReadPack,
  commit: Commit,
  signal: AbortSignal,
): AsyncGenerator<SnapshotFile[], void> {
  for await (const batch of walkTree(commit, id => treeOf(pack, id), signal)) {
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
