/** The go.mod files of commits, kept by commit and path: neither ever changes. */
import { UnexpectedKind } from '../git/errors.ts';
import type { ObjectId } from '../git/object-id.ts';
import type { CommitFiles as Files, Remote } from '../git/remote.ts';
import { maxGoModBytes } from '../gomod/zip-rules.ts';
import { NotFound, UnservableVersion } from './errors.ts';
import type { Place } from './place-module.ts';
import { SharedCache } from './shared-cache.ts';

/** A repository that the caller was found to have a right to read. */
export interface ReadableRepository {
  readonly place: Place;
  readonly remote: Remote;
}

/** What an entry costs beside the files: the commit, the key, the maps' own. */
const entryBytes = 2048;

const maxBytes = 32 * 2 ** 20;

export class CommitFiles {
  readonly #files = new SharedCache<Files>({ maxBytes, bytesOf });

  /** The commit and the go.mod files that its tree holds at `paths`. Throws UnservableVersion for one that is too large, NotFound where a tag points to something else than a commit, and as Remote.files. */
  get(
    { place, remote }: ReadableRepository,
    commit: ObjectId,
    paths: readonly string[],
    signal: AbortSignal,
  ): Promise<Files> {
    const key = [place.owner, place.repo, commit, ...paths].join('\n');
    return this.#files.get(key, shared => read(remote, commit, paths, shared), signal);
  }
}

/** All are go.mod files. */
async function read(remote: Remote, commit: ObjectId, paths: readonly string[], signal: AbortSignal): Promise<Files> {
  const found = await remote.files(commit, paths, signal).catch(noCommit);
  for (const [path, content] of found.files) {
    if (content.byteLength > maxGoModBytes) {
      throw new UnservableVersion(`${path} is larger than ${maxGoModBytes} bytes`);
    }
  }
  return found;
}

function noCommit(error: unknown): never {
  if (!(error instanceof UnexpectedKind)) throw error;
  throw new NotFound(`unknown revision: a tag of the repository points to a ${error.kind}, not to a commit`, {
    dependsOnCaller: true,
    cause: error,
  });
}

function bytesOf({ commit, files }: Files): number {
  let bytes = entryBytes + commit.message.length;
  for (const content of files.values()) bytes += content.byteLength;
  return bytes;
}
