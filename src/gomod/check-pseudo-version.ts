import { InvalidVersion } from './errors.ts';
import {
  formatTime,
  type PseudoVersion,
  parsePseudoVersion,
  pseudoVersionRevision,
  shortRevision,
} from './pseudo-version.ts';
import { majorOf } from './semver.ts';
import type { Version } from './version.ts';

/** The commit that a pseudo-version's revision leads to, and what the module has to do with it. */
export interface PseudoVersionCommit {
  /** in full */
  readonly id: string;
  readonly time: Date;
  /** the full names of the tags on the commit */
  readonly tags: readonly string[];
  /** the module's folder without its `/vN`, which its tags begin with; empty for the root */
  readonly subdir: string;
  /** the major version that ends the module's path, as splitPathVersion gives it */
  readonly pathMajor: string;
}

export type PseudoVersionCheck =
  | { readonly kind: 'match' }
  /** A match if a tag of the base lies in the commit's history. */
  | { readonly kind: 'needs-ancestor'; readonly base: string }
  /** The reason is in the go command's words. */
  | { readonly kind: 'mismatch'; readonly reason: string };

/**
 * Whether a commit may have this pseudo-version: if any time and base would do, each commit had endless versions, some of them above
 * all others. Throws InvalidVersion for what has not the form of one. cmd/go/internal/modfetch (validatePseudoVersion)
 */
export function checkPseudoVersion(version: Version, commit: PseudoVersionCommit): PseudoVersionCheck {
  const revision = pseudoVersionRevision(version);
  const expected = shortRevision(commit.id);
  if (revision !== expected) return mismatch(`${compareRevision(revision, expected)} (expected ${expected})`);

  let claimed: PseudoVersion;
  try {
    // `v2.0.0-TIME-REVISION+incompatible` lacks a base, and is let through here alone.
    claimed = parsePseudoVersion(version.replace(/\+incompatible$/, ''));
  } catch (error) {
    if (!(error instanceof InvalidVersion)) throw error;
    return mismatch(error.reason);
  }
  const time = formatTime(commit.time);
  if (formatTime(claimed.time) !== time) return mismatch(`does not match version-control timestamp (expected ${time})`);

  const { base } = claimed;
  if (base === undefined) {
    const isV1 = commit.pathMajor === '' && majorOf(version) === 'v1';
    return isV1 ? mismatch('major version without preceding tag must be v0, not v1') : { kind: 'match' };
  }
  const prefix = commit.subdir === '' ? '' : `${commit.subdir}/`;
  // As in go, a tag of the root counts for a module in a folder too.
  const tag = commit.tags.find(name => name === prefix + base || name === base);
  if (tag === undefined) return { kind: 'needs-ancestor', base };
  return mismatch(
    `tag (${tag}) found on revision ${revision} is already canonical, so should not be replaced with a pseudo-version derived from that tag`,
  );
}

const mismatch = (reason: string): PseudoVersionCheck => ({ kind: 'mismatch', reason });

function compareRevision(revision: string, expected: string): string {
  if (revision.startsWith(expected)) return 'revision is longer than canonical';
  return expected.startsWith(revision) ? 'revision is shorter than canonical' : 'does not match short name of revision';
}
