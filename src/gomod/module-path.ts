import { InvalidModulePath } from './errors.ts';

/** A module path that `go` accepts, unescaped: `github.com/Acme/lib/v2`. It is ASCII. */
export type ModulePath = string & { readonly __brand: 'ModulePath' };

/** Parses a module path; throws InvalidModulePath. golang.org/x/mod/module.CheckPath */
export function parseModulePath(text: string): ModulePath {
  const problem = modulePathProblem(text);
  if (problem !== undefined) throw new InvalidModulePath(text, problem);
  return text as ModulePath;
}

export function isModulePath(text: string): text is ModulePath {
  return modulePathProblem(text) === undefined;
}

/** Why `text` can't be a package's import path; undefined if it can. golang.org/x/mod/module.CheckImportPath */
export function checkImportPath(text: string): string | undefined {
  return pathProblem(text, 'import');
}

/** Why `text` can't be a file's path in a module; undefined if it can. golang.org/x/mod/module.CheckFilePath */
export function checkFilePath(text: string): string | undefined {
  return SUSPECT_FILE.test(text) ? pathProblem(text, 'file') : undefined;
}

/**
 * Something that every path which can't be a file's has: one test that nearly all paths pass, instead of many for each element.
 * The others are looked at more closely, for the reason, and since letters beyond ASCII may be fine.
 */
const SUSPECT_FILE = new RegExp(
  [
    String.raw`[^A-Za-z0-9!#$%&()+,.=@[\]^_{}~ /\-]`,
    '(?:^|[./])(?:/|$)', // an element that is empty or ends with a dot
    '(?:^|/)(?:con|prn|aux|nul|com[1-9]|lpt[1-9])(?:[./]|$)',
  ].join('|'),
  'i',
);

/** The first element is a lower-case host name, the last one no odd version: go.dev/ref/mod#go-mod-file-ident */
function modulePathProblem(path: string): string | undefined {
  const problem = pathProblem(path, 'module');
  if (problem !== undefined) return problem;
  const host = upTo('/', path);
  if (!host.includes('.')) return 'missing dot in first path element';
  const char = /[^a-z0-9.-]/.exec(host)?.[0];
  if (char !== undefined) return `invalid char ${JSON.stringify(char)} in first path element`;
  if (splitPathVersion(path) === undefined) {
    return isGopkgIn(path)
      ? 'invalid version: a gopkg.in path ends in .v0 or higher'
      : 'invalid version: only /v2 and higher may end a path';
  }
  return undefined;
}

type PathKind = 'module' | 'import' | 'file';

/** What `go` requires of paths of all kinds. golang.org/x/mod/module, checkPath */
function pathProblem(path: string, kind: PathKind): string | undefined {
  if (/\p{Surrogate}/u.test(path)) return 'invalid UTF-8'; // half a surrogate pair has no UTF-8 form
  if (path === '') return 'empty string';
  if (path.startsWith('-') && kind !== 'file') return 'leading dash';
  if (path.includes('//')) return 'double slash';
  if (path.endsWith('/')) return 'trailing slash';
  for (const element of path.split('/')) {
    const problem = elementProblem(element, kind);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** golang.org/x/mod/module, checkElem */
function elementProblem(element: string, kind: PathKind): string | undefined {
  if (element === '') return 'empty path element';
  if (/^\.+$/.test(element)) return `invalid path element ${JSON.stringify(element)}`;
  if (element.startsWith('.') && kind === 'module') return 'leading dot in path element';
  if (element.endsWith('.')) return 'trailing dot in path element';
  const char = FORBIDDEN[kind].exec(element)?.[0];
  if (char !== undefined) return `invalid char ${JSON.stringify(char)}`;
  // Windows gives some names to devices, whatever follows the first dot, and makes short names like GOLANG~1 of long ones.
  const stem = upTo('.', element);
  if (/^(?:con|prn|aux|nul|com[1-9]|lpt[1-9])$/i.test(stem)) {
    return `${JSON.stringify(stem)} disallowed as path element component on Windows`;
  }
  if (kind !== 'file' && /~[0-9]+$/.test(stem)) return 'trailing tilde and digits in path element';
  return undefined;
}

/**
 * Letters that Node may know and Go 1.26 does not: its tables are those of Unicode 15.0, and to it the younger ones are
 * no letters (unicode.IsLetter). The comparison with Go in the tests fails when a newer Node or Go changes the list.
 */
const LETTERS_UNKNOWN_TO_GO = [
  String.raw`\u088F\u0C5C\u0CDC\u1C89-\u1C8A\uA7CB-\uA7CF\uA7D2\uA7D4\uA7DA-\uA7F1\u{105C0}-\u{105F3}`,
  String.raw`\u{10940}-\u{10959}\u{10D4A}-\u{10D85}\u{10EC2}-\u{10EC7}\u{11380}-\u{113D3}\u{11BC0}-\u{11BE0}`,
  String.raw`\u{11DB0}-\u{11DDB}\u{13460}-\u{143FA}\u{16100}-\u{1611D}\u{16D40}-\u{16D6C}\u{16EA0}-\u{16ED3}`,
  String.raw`\u{16FF2}-\u{16FF3}\u{187F8}-\u{187FF}\u{18CFF}\u{18D09}-\u{18DF2}\u{1E5D0}-\u{1E6FF}`,
  String.raw`\u{2B73A}-\u{2B73F}\u{2CEA2}-\u{2CEAD}\u{2EBF0}-\u{2EE5D}\u{323B0}-\u{33479}`,
].join('');

/** A character that may not stand in an element of each kind. golang.org/x/mod/module: modPathOK, importPathOK, fileNameOK */
const FORBIDDEN: Record<PathKind, RegExp> = {
  module: /[^A-Za-z0-9._~-]/u,
  import: /[^A-Za-z0-9._~+-]/u,
  file: new RegExp(`[^\\p{Letter}0-9!#$%&()+,.=@[\\]^_{}~ \\-]|[${LETTERS_UNKNOWN_TO_GO}]`, 'u'),
};

/**
 * Splits a path before its major version: `example.com/lib/v2` into `example.com/lib` and `/v2`, `gopkg.in/yaml.v3` into
 * `gopkg.in/yaml` and `.v3`. The major version is empty where there is none; undefined if it is one that no path may have.
 * golang.org/x/mod/module.SplitPathVersion
 */
export function splitPathVersion(path: string): { prefix: string; pathMajor: string } | undefined {
  const form = isGopkgIn(path) ? GOPKG_IN_MAJOR : PATH_MAJOR;
  const { prefix, pathMajor } = form.exec(path)?.groups ?? {};
  if (prefix !== undefined && pathMajor !== undefined) return { prefix, pathMajor };
  if (isGopkgIn(path) || /\/v[0-9.]+$/.test(path)) return undefined;
  return { prefix: path, pathMajor: '' };
}

const PATH_MAJOR = /^(?<prefix>.*)(?<pathMajor>\/v(?:[2-9]|[1-9][0-9]+))$/s;

/** The library lets `.v-unstable` pass, without a number; no version fits such a path. */
const GOPKG_IN_MAJOR = /^(?<prefix>.*)(?<pathMajor>\.v(?:0|[1-9][0-9]*(?:-unstable)?|-unstable))$/s;

const isGopkgIn = (path: string): boolean => path.startsWith('gopkg.in/');

const upTo = (separator: string, text: string): string => text.split(separator, 1)[0] ?? '';

/**
 * Whether one of the comma-separated globs, as in GOPRIVATE, matches the first elements of a module or import path.
 * Malformed globs match nothing. golang.org/x/mod/module.MatchPrefixPatterns, pkg.go.dev/path#Match
 */
export function matchPrefixPatterns(globs: string, path: string): boolean {
  const elements = path.split('/');
  return globs.split(',').some(entry => {
    const glob = entry.replace(/\/$/, '');
    const depth = glob.split('/').length;
    if (glob === '' || depth > elements.length) return false;
    const chunks = parseGlob(glob);
    return chunks !== undefined && matchesGlob(chunks, elements.slice(0, depth).join('/'));
  });
}

/** What stands between the stars of a glob, one test a character. */
type GlobChunk = ((char: string) => boolean)[];

const CLASS_CHAR = String.raw`(?:\\.|[^\\\]-])`;
const CLASS_RANGE = new RegExp(`(${CLASS_CHAR})(?:-(${CLASS_CHAR}))?`, 'gsu');
const GLOB_TOKEN = new RegExp(
  String.raw`\*|\?|\[(\^|(?!\^))((?:${CLASS_CHAR}(?:-${CLASS_CHAR})?)+)\]|\\(.)|([^[\\])`,
  'gsuy',
);

function parseGlob(glob: string): GlobChunk[] | undefined {
  let chunk: GlobChunk = [];
  const chunks = [chunk];
  let parsed = 0;
  for (const [token, not, ranges, escaped, plain] of glob.matchAll(GLOB_TOKEN)) {
    parsed += token.length;
    if (token === '*') {
      chunk = [];
      chunks.push(chunk);
    } else if (token === '?') {
      chunk.push(char => char !== '/');
    } else if (ranges !== undefined) {
      const inRanges = parseRanges(ranges);
      chunk.push(char => inRanges(char) !== (not === '^'));
    } else {
      const literal = escaped ?? plain;
      chunk.push(char => char === literal);
    }
  }
  return parsed === glob.length ? chunks : undefined;
}

function parseRanges(text: string): (char: string) => boolean {
  const withoutEscape = (char: string) => char.replace(/^\\/, '');
  const ranges = [...text.matchAll(CLASS_RANGE)].map(([, first = '', last]) => ({
    first: withoutEscape(first),
    last: withoutEscape(last ?? first),
  }));
  return char => ranges.some(({ first, last }) => first <= char && char <= last);
}

/** Each chunk takes the first place where it fits and never moves on from there, as in path.Match. */
function matchesGlob(chunks: readonly GlobChunk[], name: string): boolean {
  let at = 0;
  for (const [index, chunk] of chunks.entries()) {
    const isLast = index === chunks.length - 1;
    const fits = (): boolean =>
      at + chunk.length <= name.length &&
      chunk.every((test, i) => test(name.charAt(at + i))) &&
      (!isLast || at + chunk.length === name.length);
    while (!fits()) {
      if (index === 0 || at >= name.length || name[at] === '/') return false;
      at++;
    }
    at += chunk.length;
  }
  return true;
}
