/**
 * Semantic versions (semver.org) in Go's flavour: with `v` in front, and `v1` and `v1.2` as short forms of `v1.0.0` and
 * `v1.2.0`. As in Go, functions give '' for what is no semantic version. golang.org/x/mod/semver
 */

/** Numbers are kept as digits, since they may be of any length. */
export interface Semver {
  major: string;
  /** '0' where the short form leaves it out, as `patch` */
  minor: string;
  patch: string;
  /** with its `-`, or empty */
  prerelease: string;
  /** with its `+`, or empty */
  build: string;
}

const NUMBER = '0|[1-9][0-9]*';
const SEMVER = new RegExp(
  `^v(?<major>${NUMBER})(?:\\.(?<minor>${NUMBER})(?:\\.(?<patch>${NUMBER})` +
    '(?<prerelease>-[0-9A-Za-z.-]+)?(?<build>\\+[0-9A-Za-z.-]+)?)?)?$',
);

/** Each text is asked about a dozen times: a list of 5,000 tags takes 100 ms without this, and 30 with it. */
const parsed = new Map<string, Semver | undefined>();
const maxParsed = 60_000;

export function parseSemver(text: string): Readonly<Semver> | undefined {
  const known = parsed.get(text);
  if (known !== undefined || parsed.has(text)) return known;
  const semver = readSemver(text);
  if (parsed.size >= maxParsed) parsed.clear();
  // What is longer is nobody's version, and not worth its room.
  if (text.length < 100) parsed.set(text, semver);
  return semver;
}

function readSemver(text: string): Semver | undefined {
  const { major, minor = '0', patch = '0', prerelease = '', build = '' } = SEMVER.exec(text)?.groups ?? {};
  if (major === undefined) return undefined;
  const hasLeadingZero = (identifier: string) => /^0[0-9]+$/.test(identifier);
  if (identifiers(prerelease).some(identifier => identifier === '' || hasLeadingZero(identifier))) return undefined;
  if (identifiers(build).includes('')) return undefined;
  return { major, minor, patch, prerelease, build };
}

export function isSemver(text: string): boolean {
  return parseSemver(text) !== undefined;
}

/** The full form without build metadata: `v1.2.0` of `v1.2`, `v1.2.3-rc.1` of `v1.2.3-rc.1+linux`. */
export function canonicalSemver(text: string): string {
  const semver = parseSemver(text);
  return semver ? formatCanonical(semver) : '';
}

/** As `canonicalSemver`, of a version that was parsed already. */
export const formatCanonical = ({ major, minor, patch, prerelease }: Semver): string =>
  `v${major}.${minor}.${patch}${prerelease}`;

/** `v1` of `v1.2.3` */
export function majorOf(text: string): string {
  const semver = parseSemver(text);
  return semver ? `v${semver.major}` : '';
}

/** `v1.2` of `v1.2.3` */
export function majorMinorOf(text: string): string {
  const semver = parseSemver(text);
  return semver ? `v${semver.major}.${semver.minor}` : '';
}

/** `-rc.1` of `v1.2.3-rc.1+linux` */
export function prereleaseOf(text: string): string {
  return parseSemver(text)?.prerelease ?? '';
}

/** `+linux` of `v1.2.3-rc.1+linux` */
export function buildOf(text: string): string {
  return parseSemver(text)?.build ?? '';
}

/** Orders by precedence (semver.org, 11), which ignores build metadata. All invalid texts are equal, below all valid ones. */
export function compareSemver(a: string, b: string): number {
  const x = parseSemver(a);
  const y = parseSemver(b);
  return comparePrecedence(x, y);
}

/** Sorts by precedence, and where that is the same by text, each parsed once: a repository may have tens of thousands of tags. golang.org/x/mod/semver.Sort */
export function sortSemver<T>(items: Iterable<T>, textOf: (item: T) => string): T[] {
  const parsed = Array.from(items, item => ({ item, text: textOf(item), semver: parseSemver(textOf(item)) }));
  parsed.sort((a, b) => comparePrecedence(a.semver, b.semver) || compareText(a.text, b.text));
  return parsed.map(({ item }) => item);
}

function comparePrecedence(x: Semver | undefined, y: Semver | undefined): number {
  if (!x || !y) return Number(x !== undefined) - Number(y !== undefined);
  return (
    compareNumbers(x.major, y.major) ||
    compareNumbers(x.minor, y.minor) ||
    compareNumbers(x.patch, y.patch) ||
    comparePrereleases(x.prerelease, y.prerelease)
  );
}

function comparePrereleases(a: string, b: string): number {
  if (a === '' || b === '') return Number(a === '') - Number(b === '');
  const mine = identifiers(a);
  const theirs = identifiers(b);
  for (const [i, identifier] of mine.entries()) {
    const other = theirs[i];
    if (other === undefined) return 1;
    const order = compareIdentifiers(identifier, other);
    if (order !== 0) return order;
  }
  return mine.length < theirs.length ? -1 : 0;
}

/** Numbers come before words. */
function compareIdentifiers(a: string, b: string): number {
  const aIsNumber = /^[0-9]+$/.test(a);
  const bIsNumber = /^[0-9]+$/.test(b);
  if (aIsNumber && bIsNumber) return compareNumbers(a, b);
  return Number(bIsNumber) - Number(aIsNumber) || compareText(a, b);
}

/** The identifiers of a pre-release or of build metadata, whose first character is its mark. */
function identifiers(suffix: string): string[] {
  return suffix === '' ? [] : suffix.slice(1).split('.');
}

/** Decimal digits without leading zeros: the longer number is the greater one. */
function compareNumbers(a: string, b: string): number {
  return Math.sign(a.length - b.length) || compareText(a, b);
}

/** Only for ASCII, where UTF-16 and Go's bytes have one order. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
