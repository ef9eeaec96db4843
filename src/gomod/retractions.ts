import type { GoMod } from './go-mod.ts';
import { compareSemver } from './semver.ts';
import type { Version } from './version.ts';

/**
 * Whether a go.mod, read in lax mode, retracts a version of its module. Which versions are retracted is said by the go.mod of the
 * highest release, or of the highest pre-release if there is none. go.dev/ref/mod#go-mod-file-retract
 */
export function isRetracted({ retract }: GoMod, version: Version): boolean {
  return retract.some(({ low, high }) => compareSemver(low, version) <= 0 && compareSemver(version, high) <= 0);
}
