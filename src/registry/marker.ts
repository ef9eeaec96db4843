/** The marker `refs/modforge/module`: a repository that carries it belongs to modforge, and says for which module path. */
import { LRUCache } from 'lru-cache';
import { type Commit, encodeCommit } from '../git/commit.ts';
import { emptyTree } from '../git/object-id.ts';
import { type PackedObject, packObject } from '../git/packed-object.ts';
import { parseRefName } from '../git/ref-name.ts';

export const markerRef = parseRefName('refs/modforge/module');

/** Fixed, so that every instance computes the same commit id for the same path. */
const modforge = { name: 'modforge', email: 'modforge@users.noreply.localhost', time: 1_767_225_600 };

/** Every look at a repository's refs compares its marker, and packing one anew costs more than all the rest of that look. */
const markers = new LRUCache<string, PackedObject>({ max: 10_000, memoMethod: packMarker });

/** The marker commit for the module path that maps to the repository's root. */
export const makeMarker = (rootPath: string): PackedObject => markers.memo(rootPath);

/** The module path that a marker commit names, undefined where it names none. */
export const readMarker = (commit: Commit): string | undefined => /^Module: (\S+)$/m.exec(commit.message)?.[1];

function packMarker(rootPath: string): PackedObject {
  const message = [
    'This repository holds published versions of a Go module; modforge writes it, a tag each.',
    '',
    `Module: ${rootPath}`,
    '',
  ].join('\n');
  return packObject(
    'commit',
    encodeCommit({ tree: emptyTree, parents: [], author: modforge, committer: modforge, message }),
  );
}
