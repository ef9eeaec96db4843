import { encodeCommit } from '../../src/git/commit.ts';
import type { ObjectId } from '../../src/git/object-id.ts';
import { type PackedObject, packObject } from '../../src/git/packed-object.ts';
import type { FileMode } from '../../src/git/remote.ts';
import { buildTree } from './build-tree.ts';

export interface CommitSketch {
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** Of those files that are not plain. */
  readonly modes?: Readonly<Record<string, FileMode>>;
  readonly parents?: readonly ObjectId[];
  readonly message?: string;
}

/** A commit, with all objects that it needs but its parents. */
export function makeCommit({ files = {}, modes = {}, parents = [], message = 'a commit\n' }: CommitSketch): {
  id: ObjectId;
  tree: ObjectId;
  objects: readonly PackedObject[];
} {
  const blobs = Object.entries(files).map(([path, content]) => ({
    path,
    object: packObject('blob', Buffer.from(content)),
  }));
  const entries = blobs.map(({ path, object }) => ({ path, mode: modes[path] ?? '100644', id: object.id }));
  const { id: tree, trees } = buildTree(entries);
  const person = { name: 'Ada', email: 'ada@example.com', time: 1_700_000_000 };
  const commit = packObject('commit', encodeCommit({ tree, parents, author: person, committer: person, message }));
  return { id: commit.id, tree, objects: [...blobs.map(blob => blob.object), ...trees, commit] };
}
