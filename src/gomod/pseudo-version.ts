/** Versions that `go` makes up for commits without a tag. go.dev/ref/mod#pseudo-versions, golang.org/x/mod/module */
import { InvalidVersion } from './errors.ts';
import { isSemver } from './semver.ts';

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
  const parts = isSemver(version) ? PSEUDO_VERSION.exec(version)?.groups : undefined;
  if (parts === undefined) throw new InvalidVersion(version, 'syntax error', 'pseudo-version');
  const { core, patch = '', prerelease, time = '', revision = '', build = '' } = parts;
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

/** `yyyymmddhhmmss`, UTC; undefined for a moment that no calendar has. */
function parseTime(digits: string): Date | undefined {
  const iso = digits.replace(/^(....)(..)(..)(..)(..)(..)$/, '$1-$2-$3T$4:$5:$6.000Z');
  const time = new Date(iso);
  return !Number.isNaN(time.getTime()) && time.toISOString() === iso ? time : undefined;
}
