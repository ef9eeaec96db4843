/** `main` of a managed repository: convenience for people who look at it. No version depends on it. */
import type { Caller } from '../forge/credentials.ts';
import { RefMoved } from '../git/errors.ts';
import type { ObjectId } from '../git/object-id.ts';
import { parseRefName } from '../git/ref-name.ts';
import type { Refs } from '../git/remote.ts';
import { isPseudoVersion } from '../gomod/pseudo-version.ts';
import { compareVersions, isVersion, type Version } from '../gomod/version.ts';
import { ownershipOf } from './module-versions.ts';
import type { Place } from './place-module.ts';
import type { Repositories } from './repositories.ts';
import { parseRecord } from './version-record.ts';

export const mainRef = parseRefName('refs/heads/main');

const attempts = 5;

/**
 * Sets `main` to the highest version of the repository's root module, else of its only module. A `main` whose head is not one
 * of our commits is left alone. Throws what the remote throws.
 */
export async function moveDefaultBranch(
  place: Place,
  caller: Caller,
  repositories: Repositories,
  signal: AbortSignal,
): Promise<void> {
  const remote = repositories.forge.remote(place, caller);
  for (let attempt = 1; ; attempt++) {
    const refs = await repositories.freshRefs(place, caller, signal);
    const target = ownershipOf(refs, place) === 'managed' ? headOf(refs) : undefined;
    const main = refs.byName.get(mainRef)?.id;
    if (target === undefined || target === main) return;
    if (main !== undefined && parseRecord(await remote.commit(main, signal)) === undefined) return;
    try {
      await remote.push({ objects: [], updates: [{ name: mainRef, from: main, to: target }], signal });
      repositories.forget(place);
      return;
    } catch (error) {
      if (!(error instanceof RefMoved) || attempt === attempts) throw error;
    }
  }
}

/** The commit that `main` belongs at, undefined where there is no version, or several modules and none at the root. */
export function headOf(refs: Refs): ObjectId | undefined {
  const modules = new Map<string, [Version, ObjectId][]>();
  for (const { name, id, peeled } of refs.byName.values()) {
    const [, subdir = '', version = ''] = /^refs\/tags\/(?:(.+)\/)?([^/]+)$/.exec(name) ?? [];
    if (isVersion(version)) modules.set(subdir, [...(modules.get(subdir) ?? []), [version, peeled ?? id]]);
  }
  const versions = modules.get('') ?? (modules.size === 1 ? [...modules.values()][0] : undefined);
  return versions?.sort(([a], [b]) => rank(a) - rank(b) || compareVersions(a, b)).at(-1)?.[1];
}

/** Pseudo-versions count only among themselves. */
const rank = (version: Version): number => (isPseudoVersion(version) ? 0 : 1);
