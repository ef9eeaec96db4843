/**
 * What a proxy may be asked for in place of a version, and what tags answer it with. `latest` is not among them: it has an
 * address of its own. go.dev/ref/mod#version-queries, cmd/go/internal/modload (newQueryMatcher)
 */
import { isPseudoVersion } from './pseudo-version.ts';
import { compareSemver, formatCanonical, isSemver, parseSemver, prereleaseOf } from './semver.ts';
import { compareVersions, isVersion, type Version } from './version.ts';

export type Query =
  | { readonly kind: 'version'; readonly version: Version }
  /** `v1` or `v1.2`: the highest version that begins so. */
  | { readonly kind: 'prefix'; readonly prefix: string }
  /** A branch, a tag, a commit, and all other text, as `v1.2.3+meta`. */
  | { readonly kind: 'revision'; readonly revision: string };

export function parseQuery(text: string): Query {
  if (isVersion(text)) return { kind: 'version', version: text };
  const isShort = isSemver(text) && text.split('.').length < 3;
  return isShort ? { kind: 'prefix', prefix: text } : { kind: 'revision', revision: text };
}

/** Whether a version begins with `v1` or `v1.2`; pre-releases of `v1.2.0` itself come before `v1.2` and are no part of it. */
export function matchesPrefix(version: Version, prefix: string): boolean {
  return version.startsWith(`${prefix}.`) && compareSemver(version, prefix) >= 0;
}

/** The highest release with a prefix, else the highest pre-release; undefined if there is none. */
export function highestMatching(versions: readonly Version[], prefix: string): Version | undefined {
  const isRelease = (version: Version) => Number(prereleaseOf(version) === '');
  return versions
    .filter(version => matchesPrefix(version, prefix))
    .sort((a, b) => isRelease(a) - isRelease(b) || compareVersions(a, b))
    .at(-1);
}

/** Whether a revision can be the beginning of a commit's id. cmd/go/internal/modfetch/codehost (minHashDigits) */
export function isCommitPrefix(revision: string): boolean {
  return /^[0-9a-f]{7,40}$/.test(revision);
}

/**
 * The version that a tag stands for, of the tag's name without the module's folder: `v1.2.3` stands for itself, `v1.2.3+meta` for
 * `v1.2.3` without being its canonical tag, and `+incompatible` is no part of a tag. Undefined for short forms, and for what
 * looks like a pseudo-version. cmd/go/internal/modfetch (tagToVersion)
 */
export function canonicalTag(tag: string): { version: Version; isCanonical: boolean } | undefined {
  const semver = parseSemver(tag);
  if (semver === undefined || (semver.prerelease !== '' && isPseudoVersion(tag))) return undefined;
  const version = formatCanonical(semver);
  return isVersion(version) && tag.startsWith(version) ? { version, isCanonical: version === tag } : undefined;
}
