/** Where two answers of the `go` command to one query differ, one of them from git itself, one through modforge. */
import { isExact, type ListedModule, type QueryAnswer } from './ask-modules.ts';

export interface Difference {
  /** `path@query`. */
  readonly query: string;
  /** What differs: `Version`, `Origin.Ref`, `Sum`, … */
  readonly field: string;
  readonly direct: string;
  readonly modforge: string;
}

/** What an error is about, by the words that go has for it; the first that fits counts, and what it captures has to be the same. */
const errorKinds: readonly (readonly [kind: string, words: RegExp])[] = [
  // Of a tag that points at no commit git prints nothing, and go does not expect that.
  ['unknown revision', /unknown revision|unexpected response from git log|has no version \S+ here|is no version, and/],
  ['no matching versions', /no matching versions for query/],
  ['pseudo-version: revision too long', /revision is longer than canonical \(expected (\w+)\)/],
  ['pseudo-version: revision too short', /revision is shorter than canonical \(expected (\w+)\)/],
  ['pseudo-version: not the short name', /does not match short name of revision \(expected (\w+)\)/],
  ['pseudo-version: wrong time', /does not match version-control timestamp \(expected (\d+)\)/],
  ['pseudo-version: base is not below', /(\w+) is not a descendent of preceding tag \((\S+)\)/],
  ['pseudo-version: no such base', /preceding tag \((\S+)\) not found/],
  ['pseudo-version: commit is tagged with its base', /tag \((\S+)\) found on revision (\w+) is already canonical/],
  ['pseudo-version: v1 without a tag', /major version without preceding tag must be v0, not v1/],
  ['pseudo-version: malformed', /(malformed time|version before \S+ would have negative patch number)/],
  ['version is another one', /resolves to version (\S+) \((\S+) is not a tag\)/],
  ['go.mod, so another path', /contains a go\.mod file, so module path must match major version \((\S+)\)/],
  ['major version must match', /major version must match/],
  ['+incompatible is not allowed', /\+incompatible suffix not allowed: major version (\S+)/],
  ['missing go.mod', /missing (\S*go\.mod( and \S+go\.mod)?) at revision (\S+)/],
  ['two go.mod files', /both have (\S+) module paths at revision (\S+)/],
  ['go.mod of another major version', /has ((non|post)-\S+ module path "[^"]*"( \(.*\))?) at revision (\S+)/],
  ['go.mod without a module path', /(\S+) is missing module path at revision (\S+)/],
  ['go.mod is a folder', /go\.mod: is a directory/],
  ['git cannot fetch', /git fetch --unshallow .*exit status 1/],
  [
    'no repository',
    /ls-remote .*(?:not found|could not read Username)|no version of \S+ is published here|no such module/,
  ],
  ['too new for this go', /requires go >= (\S+)/],
  ['malformed module path', /malformed module path "(\S+)"/],
  ['query that a proxy is not asked', /disallowed version string/],
  ['zip: impossible file name', /invalid char|disallowed as path element|trailing dot in path element/],
  ['zip: file and folder of one name', /is both a file and a directory/],
  ['zip: case collision', /case-insensitive file name collision|differ in case alone/],
  ['zip: go.mod in other case', /go\.mod (?:files )?must have (?:lowercase names|its name in lower case)/],
];

/** The kind of what is in an error's text of one line; the text itself for an error of no known kind. */
function errorKind(text: string): string {
  for (const [kind, words] of errorKinds) {
    const match = words.exec(text);
    if (match !== null) return [kind, ...match.slice(1)].join(' ');
  }
  return text;
}

/** A value as it is compared, and as it is shown to who has to find out. */
interface Fact {
  readonly compared: string;
  readonly shown: string;
}

/** What there is to compare of an answer, by field; what is not told is left out. */
export type Facts = ReadonlyMap<string, Fact>;

const nothing: Fact = { compared: '', shown: '' };

/** All that differs between two answers to `query`. */
export function compareFacts(query: string, direct: Facts, modforge: Facts): Difference[] {
  const fields = new Set([...direct.keys(), ...modforge.keys()]);
  return [...fields].flatMap(field => {
    const [was, is] = [direct.get(field) ?? nothing, modforge.get(field) ?? nothing];
    return was.compared === is.compared ? [] : [{ query, field, direct: was.shown, modforge: is.shown }];
  });
}

/** Of a query: what it resolves to, where that comes from if it is a version itself, and the sums. */
export function factsOfQuery(query: string, { listed, downloaded }: QueryAnswer): Facts {
  const { Version, Time, Origin = {}, Error: error } = listed;
  if (error !== undefined) return makeFacts({}, { error: error.Err });
  const origin = isExact(query) ? originFields.map(key => [`Origin.${key}`, Origin[key]] as const) : [];
  const { Sum, GoModSum, Error: downloadError } = downloaded ?? {};
  return makeFacts(
    { Version, Time, ...Object.fromEntries(origin), Sum, GoModSum },
    { 'download error': downloadError },
  );
}

const originFields = ['VCS', 'URL', 'Subdir', 'Hash', 'Ref'] as const;

/** Of `go list -m -versions`. */
export const factsOfVersions = ({ Versions, Error: error }: ListedModule): Facts =>
  makeFacts({ Versions: Versions?.join(' ') }, { error: error?.Err });

/** Of `go list -m -u -retracted`. */
export const factsOfUpdate = ({ Retracted, Deprecated, Update, Error: error }: ListedModule): Facts =>
  makeFacts({ Retracted: Retracted?.join('; '), Deprecated, Update: Update?.Version }, { error: error?.Err });

type Told = Readonly<Record<string, string | undefined>>;

function makeFacts(values: Told, errors: Told): Facts {
  const facts = new Map<string, Fact>();
  for (const [field, value] of Object.entries(values)) {
    if (value) facts.set(field, { compared: value, shown: value });
  }
  for (const [field, text] of Object.entries(errors)) {
    const line = text?.replaceAll(/\s+/g, ' ');
    if (line) facts.set(field, { compared: errorKind(line), shown: line });
  }
  return facts;
}
