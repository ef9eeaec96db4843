/** Deleting a version: its tag goes, and in the same push a record of its content comes. */
import { type Commit, encodeCommit } from '../git/commit.ts';
import { RefMoved, RepositoryNotFound } from '../git/errors.ts';
import { emptyTree } from '../git/object-id.ts';
import { packObject } from '../git/packed-object.ts';
import { parseRefName, type RefName, tagRef } from '../git/ref-name.ts';
import { type H1, isH1 } from '../gomod/h1.ts';
import type { Version } from '../gomod/version.ts';
import { DeleteConflict, NotAllowed, NotFound } from './errors.ts';
import { commitOfVersion } from './module-versions.ts';
import { type Place, tagOf } from './place-module.ts';
import type { Releases } from './releases.ts';
import type { ModuleRequest, Repositories } from './repositories.ts';
import type { VersionContents } from './version-content.ts';
import { publisher } from './version-record.ts';

/** Where the record of a deleted version stays; the same content may be published again, other content if the operator allows it. */
export const deletedRef = (tag: string): RefName => parseRefName(`refs/modforge/deleted/${tag}`);

/** The hash of the zip that was deleted, undefined where the record does not say. */
export function readDeleted(commit: Commit): H1 | undefined {
  const hash = /^Zip-Hash: (\S+)$/m.exec(commit.message)?.[1] ?? '';
  return isH1(hash) ? hash : undefined;
}

export interface Stores {
  readonly repositories: Repositories;
  readonly contents: VersionContents;
  readonly releases: Releases;
}

/**
 * Throws NotFound, also where the caller may not see the module, DeleteConflict where the tag moved meanwhile, NotAllowed
 * for a tag that people pushed, and what the forge and the remote throw.
 */
export async function deleteVersion(
  { owner, module, caller }: ModuleRequest,
  version: Version,
  { repositories, contents, releases }: Stores,
  signal: AbortSignal,
): Promise<Place> {
  const place = repositories.place(owner, module);
  const login = await repositories.login(caller, signal);
  const remote = repositories.forge.remote(place, caller);
  const refs = await repositories.freshRefs(place, caller, signal).catch((error: unknown) => {
    if (!(error instanceof RepositoryNotFound)) throw error;
    throw new NotFound(`no module ${module} here`, { dependsOnCaller: true, cause: error });
  });
  const commit = commitOfVersion(refs, place, module, version);
  if (commit === undefined) throw new NotFound(`${module} has no version ${version} here`, { dependsOnCaller: true });

  const record = await contents.record({ module, version, commit, place, remote, refs }, signal);
  if (record === undefined) {
    const repository = `${place.owner}/${place.repo}`;
    throw new NotAllowed(`people pushed that tag to ${repository}, modforge did not: delete it with git push`);
  }
  const tag = tagOf(place, version);
  const person = publisher(login.name, repositories.forge.host, Math.floor(Date.now() / 1000));
  const message = `Deleted ${module} ${version}\n\nModule: ${module}\nVersion: ${version}\nZip-Hash: ${record.zipHash}\n`;
  const deleted = packObject(
    'commit',
    encodeCommit({ tree: emptyTree, parents: [], author: person, committer: person, message }),
  );
  // Before the tag: a release without its tag becomes a draft that a later push of the tag brings back.
  await releases.delete(place, tag, caller, signal);
  try {
    await remote.push({
      objects: [packObject('tree', new Uint8Array(0)), deleted],
      updates: [
        { name: deletedRef(tag), from: refs.byName.get(deletedRef(tag))?.id, to: deleted.id },
        { name: tagRef(tag), from: refs.byName.get(tagRef(tag))?.id, to: undefined },
      ],
      signal,
    });
  } catch (error) {
    if (!(error instanceof RefMoved)) throw error;
    throw new DeleteConflict(`${module} ${version} changed while it was being deleted; look at it and try again`, {
      cause: error,
    });
  } finally {
    repositories.forget(place);
  }
  return place;
}
