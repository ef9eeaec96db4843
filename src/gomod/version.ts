import { InvalidVersion } from './errors.ts';
import { type ModulePath, splitPathVersion } from './module-path.ts';
import { buildOf, compareSemver, formatCanonical, majorOf, parseSemver } from './semver.ts';

/** A version in canonical form: `v1.2.3`, `v1.2.3-rc.1`, `v2.0.0+incompatible`. go.dev/ref/mod#versions */
export type Version = string & { readonly __brand: 'Version' };

/** Parses a canonical version; throws InvalidVersion, for `v1.2` and `v1.2.3+meta` too. */
export function parseVersion(text: string): Version {
  if (isVersion(text)) return text;
  const canonical = canonicalText(text);
  const reason = canonical === '' ? 'not a semantic version, as v1.2.3' : `not canonical, should be ${canonical}`;
  throw new InvalidVersion(text, reason);
}

export function isVersion(text: string): text is Version {
  return text !== '' && text === canonicalText(text);
}

/** The version that a short form or one with build metadata stands for; undefined if it is no semantic version. */
export function canonicalVersion(text: string): Version | undefined {
  const canonical = canonicalText(text);
  return isVersion(canonical) ? canonical : undefined;
}

/** golang.org/x/mod/module.CanonicalVersion */
function canonicalText(text: string): string {
  const semver = parseSemver(text);
  if (semver === undefined) return '';
  return formatCanonical(semver) + (semver.build === '+incompatible' ? semver.build : '');
}

/** By precedence, and `v2.0.0` before `v2.0.0+incompatible`: 0 for equal versions only. golang.org/x/mod/semver.Sort */
export function compareVersions(a: Version, b: Version): number {
  return compareSemver(a, b) || (a < b ? -1 : Number(a > b));
}

/** Why a module path can't have this version; undefined if it can. golang.org/x/mod/module.Check */
export function checkPathVersion(path: ModulePath, version: Version): string | undefined {
  return checkPathMajor(version, splitPathVersion(path)?.pathMajor ?? '');
}

/**
 * As `checkPathVersion`, and +incompatible only where the path has no place for a major version from v2 on: the go command's own
 * rule (cmd/go/internal/modfetch, go.dev/ref/mod#incompatible-versions).
 */
export function checkModuleVersion(path: ModulePath, version: Version): string | undefined {
  return checkModuleMajor(version, splitPathVersion(path)?.pathMajor ?? '');
}

/** As `checkModuleVersion`, of a path that ends in `pathMajor` (as splitPathVersion gives it). */
export function checkModuleMajor(version: Version, pathMajor: string): string | undefined {
  const isIncompatible = buildOf(version) === '+incompatible';
  if (isIncompatible && pathMajor !== '') return 'is not for a path that names its major version';
  if (isIncompatible && ['v0', 'v1'].includes(majorOf(version)))
    return 'needs no +incompatible, since it is compatible';
  return checkPathMajor(version, pathMajor);
}

/**
 * Why a version does not fit the major version that ends a path (as splitPathVersion gives it); undefined if it does.
 * A path without one takes v0, v1 and all that is `+incompatible`: neither the path's own major version nor the absence
 * of a go.mod is looked at here. golang.org/x/mod/module.CheckPathMajor
 */
export function checkPathMajor(version: string, pathMajor: string): string | undefined {
  const wanted = pathMajorPrefix(pathMajor);
  const major = majorOf(version);
  if (pathMajor === '') {
    if (major === 'v0' || major === 'v1' || buildOf(version) === '+incompatible') return undefined;
    return `should be v0 or v1, not ${major}`;
  }
  // Go once gave such pseudo-versions to modules of gopkg.in, and go.mod files still name them.
  if (pathMajor.startsWith('.') && wanted === 'v1' && version.startsWith('v0.0.0-')) return undefined;
  return major === wanted ? undefined : `should be ${wanted}, not ${major}`;
}

/** What versions begin with: `v2` of `/v2`, `v3` of `.v3-unstable`, nothing of nothing. golang.org/x/mod/module.PathMajorPrefix */
export function pathMajorPrefix(pathMajor: string): string {
  return pathMajor.slice(1).replace(/-unstable$/, '');
}
