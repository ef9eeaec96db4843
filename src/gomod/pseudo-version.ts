/** Versions that `go` makes up for commits without a tag. go.dev/ref/mod#pseudo-versions, golang.org/x/mod/module */
import { InvalidVersion } from './errors.ts';
import { isSemver, parseSemver, type Semver } from './semver.ts';
import { parseVersion, type Version } from './version.ts';

export interface PseudoVersion {
  /** the tagged version before the commit; undefined if there was none */
  base: string | undefined;
  /** when the commit was made, in whole seconds */
  time: Date;
  /** the first twelve digits of the commit's id, or what another version control system uses */
  revision: string;
}

/**
 * `vX.0.0-TIME-REVISION` has no base, `vX.Y.Z-0.TIME-REVISION` that of the patch before, and `vX.Y.Z-PRE.0.TIME-REVISION`
 * the base `vX.Y.Z-PRE`; `+incompatible` may follow each but the first, and is the base's too.
 */
const PSEUDO_VERSION = new RegExp(
  String.raw`^(?:v[0-9]+\.0\.0-|(?<core>v[0-9]+\.[0-9]+\.)(?<patch>[0-9]+)-(?:(?<prerelease>[^+]*)\.)?0\.)` +
    String.raw`(?<time>[0-9]{14})-(?<revision>[A-Za-z0-9]+)(?<build>\+.*)?$`,
);

/** golang.org/x/mod/module.IsPseudoVersion */
export function isPseudoVersion(version: string): boolean {
  return isSemver(version) && PSEUDO_VERSION.test(version);
}

/** Throws InvalidVersion. golang.org/x/mod/module: PseudoVersionBase, PseudoVersionTime, PseudoVersionRev */
export function parsePseudoVersion(version: string): PseudoVersion {
  const { core, patch = '', prerelease, time = '', revision = '', build = '' } = partsOf(version);
  const fail = (reason: string) => new InvalidVersion(version, reason, 'pseudo-version');

  const date = parseTime(time);
  if (date === undefined) throw fail(`malformed time "${time}"`);
  if (core === undefined) {
    if (build !== '') throw fail(`lacks base version, but has build metadata "${build}"`);
    return { base: undefined, time: date, revision };
  }
  if (prerelease !== undefined) return { base: `${core}${patch}-${prerelease}${build}`, time: date, revision };
  if (patch === '0') throw fail(`version before ${core}0 would have negative patch number`);
  return { base: `${core}${BigInt(patch) - 1n}${build}`, time: date, revision };
}

/** The revision alone, also where the time or the base can't be. Throws InvalidVersion. golang.org/x/mod/module.PseudoVersionRev */
export function pseudoVersionRevision(version: string): string {
  return partsOf(version).revision ?? '';
}

function partsOf(version: string): Partial<Record<string, string>> {
  const parts = isSemver(version) ? PSEUDO_VERSION.exec(version)?.groups : undefined;
  if (parts === undefined) throw new InvalidVersion(version, 'syntax error', 'pseudo-version');
  return parts;
}

/**
 * The pseudo-version of a commit, which comes right after its base. `major` is what the module's versions begin with
 * (pathMajorPrefix) and counts where there is no base. Throws InvalidVersion for a revision that no version can hold, and for a
 * time before the year 0 or after 9999. golang.org/x/mod/module.PseudoVersion
 */
export function makePseudoVersion(options: {
  major: string;
  base: Version | undefined;
  time: Date;
  revision: string;
}): Version {
  const { major, base = '', time, revision } = options;
  const tagged = parseSemver(base);
  const version = `${stemOf(major, tagged)}${formatTime(time)}-${revision}${tagged?.build ?? ''}`;
  if (isPseudoVersion(version)) return parseVersion(version);
  throw new InvalidVersion(version, 'no pseudo-version can hold its time or its revision', 'pseudo-version');
}

function stemOf(major: string, base: Semver | undefined): string {
  if (base === undefined) return `${major || 'v0'}.0.0-`;
  const core = `v${base.major}.${base.minor}.`;
  return base.prerelease === '' ? `${core}${BigInt(base.patch) + 1n}-0.` : `${core}${base.patch}${base.prerelease}.0.`;
}

/** What stands for a git commit in a pseudo-version. cmd/go/internal/modfetch/codehost.ShortenSHA1 */
export function shortRevision(commitId: string): string {
  return commitId.slice(0, 12);
}

/** `yyyymmddhhmmss`, UTC; of another form outside of the years 0 to 9999, and empty for no date. */
export function formatTime(time: Date): string {
  return Number.isNaN(time.getTime()) ? '' : time.toISOString().replace(/[-:T]|\.\d+Z$/g, '');
}

/** `yyyymmddhhmmss`, UTC; undefined for a moment that no calendar has. */
function parseTime(digits: string): Date | undefined {
  const iso = digits.replace(/^(....)(..)(..)(..)(..)(..)$/, '$1-$2-$3T$4:$5:$6.000Z');
  const time = new Date(iso);
  return !Number.isNaN(time.getTime()) && time.toISOString() === iso ? time : undefined;
}
