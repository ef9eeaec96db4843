/** Which versions a module has: a version exists exactly when its tag exists. */

import type { ObjectId } from '../git/object-id.ts';
import { isRefName } from '../git/ref-name.ts';
import type { Refs } from '../git/remote.ts';
import { type ModulePath, splitPathVersion } from '../gomod/module-path.ts';
import { isPseudoVersion } from '../gomod/pseudo-version.ts';
import { prereleaseOf, sortSemver } from '../gomod/semver.ts';
import { checkModuleMajor, checkModuleVersion, isVersion, type Version } from '../gomod/version.ts';
import { makeMarker, markerRef } from './marker.ts';
import { type Place, tagOf } from './place-module.ts';

/** The module's versions and the commits that their tags point to, lowest first. */
export type ModuleVersions = ReadonlyMap<Version, ObjectId>;

/** Who a repository belongs to, by its refs alone. */
export type Ownership = 'empty' | 'managed' | 'managed for another path' | 'source';

/** Decides by the marker, whose id is known beforehand for every path. */
export function ownershipOf(refs: Refs, place: Place): Ownership {
  const marker = refs.byName.get(markerRef);
  if (marker !== undefined) return marker.id === makeMarker(place.rootPath).id ? 'managed' : 'managed for another path';
  return refs.byName.size === 0 ? 'empty' : 'source';
}

/** The versions of `module` among the refs of its repository: canonical, and of the path's own major version. */
export function moduleVersions(refs: Refs, place: Place, module: ModulePath): ModuleVersions {
  if (ownershipOf(refs, place) === 'managed for another path') return new Map();
  const prefix = place.subdir === '' ? 'refs/tags/' : `refs/tags/${place.subdir}/`;
  const pathMajor = splitPathVersion(module)?.pathMajor ?? '';
  const found: [Version, ObjectId][] = [];
  for (const ref of refs.byName.values()) {
    const version = ref.name.startsWith(prefix) ? ref.name.slice(prefix.length) : '';
    if (isVersion(version) && checkModuleMajor(version, pathMajor) === undefined)
      found.push([version, ref.peeled ?? ref.id]);
  }
  return new Map(sortSemver(found, ([version]) => version));
}

/** The commit of one version, as `moduleVersions` has it. */
export function commitOfVersion(refs: Refs, place: Place, module: ModulePath, version: Version): ObjectId | undefined {
  if (ownershipOf(refs, place) === 'managed for another path') return undefined;
  if (checkModuleVersion(module, version) !== undefined) return undefined;
  return pointedAt(refs, `refs/tags/${tagOf(place, version)}`);
}

/** What a ref points to, an annotated tag's own target; undefined where there is none of that name. */
export function pointedAt(refs: Refs, name: string): ObjectId | undefined {
  const ref = isRefName(name) ? refs.byName.get(name) : undefined;
  return ref && (ref.peeled ?? ref.id);
}

/** What `@latest` means: the highest release, else the highest pre-release, else the highest pseudo-version. */
export function latestOf(versions: Iterable<Version>): Version | undefined {
  const rank = (version: Version) => (isPseudoVersion(version) ? 0 : prereleaseOf(version) !== '' ? 1 : 2);
  let latest: Version | undefined;
  for (const version of versions) {
    if (latest === undefined || rank(version) >= rank(latest)) latest = version;
  }
  return latest;
}
