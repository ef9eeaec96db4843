/** What a go.mod file says. Its rules are those of golang.org/x/mod v0.42.0 modfile/rule.go, named in brackets below. */
import { type GoModProblem, InvalidGoMod } from './errors.ts';
import { type Block, type Line, quoteGo, readStatements, unquoteGo } from './go-mod-syntax.ts';
import { splitPathVersion } from './module-path.ts';
import { canonicalVersion, checkPathMajor, type Version } from './version.ts';

/**
 * The module path by the first line that looks like a `module` line, with no look at the rest: for files too large to parse, and for
 * those that need not be right (golang.org/x/mod/modfile.ModulePath). Undefined where there is none.
 */
export function findModulePath(content: Uint8Array): string | undefined {
  const text = Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('utf8');
  // From one line with the word in it to the next: there may be millions of lines.
  for (let at = text.indexOf('module'); at >= 0; ) {
    const start = text.lastIndexOf('\n', at) + 1;
    const next = text.indexOf('\n', at);
    const line = text.slice(start, next < 0 ? undefined : next);
    const words = line.split('//', 1)[0] ?? ''; // cut even where the // is in quotes
    const rest = /^\p{White_Space}*module(?=\p{White_Space})(.*)/su.exec(words)?.[1] ?? '';
    const path = trimSpace(rest);
    if (path !== '') return unquotePath(path);
    at = next < 0 ? -1 : text.indexOf('module', next);
  }
  return undefined;
}

/** In quotes of either kind there may be spaces, but then no second string [strconv.Unquote]. */
function unquotePath(path: string): string | undefined {
  const inner = path.slice(1, -1);
  if (path.startsWith('"')) {
    const isOneString = path.length > 1 && path.endsWith('"') && !/["\\]/.test(inner.replace(/\\./g, ''));
    return isOneString ? unquoteGo(path) || undefined : undefined;
  }
  if (path.startsWith('`')) {
    const isOneString = path.length > 1 && path.endsWith('`') && !inner.includes('`');
    return isOneString ? inner.replaceAll('\r', '') || undefined : undefined;
  }
  return path;
}

/** Lists are in the file's order. Paths are as written, unquoted, and not checked beyond what `go` checks here. */
export interface GoMod {
  /** Absent if there is no such line. `deprecated` is what a comment on it says behind `Deprecated:`. */
  module?: { path: string; deprecated?: string; line: number };
  /** `1.23`, `1.21rc1`, `1.23.0` */
  go?: string;
  /** `go1.23.4`, `default` */
  toolchain?: string;
  godebug: { key: string; value: string }[];
  require: { path: string; version: Version; indirect: boolean }[];
  exclude: { path: string; version: Version }[];
  /** `from` without a version stands for all of them; `to` without one is a directory. */
  replace: { from: { path: string; version?: Version }; to: { path: string; version?: Version } }[];
  /**
   * From `low` to `high`, both included: any text, as written, since the library looks at these only with a VersionFixer.
   * To compareSemver, as to `go`, what is no version is lower than all that are. No comment is the rationale `''`.
   */
  retract: { low: string; high: string; rationale: string }[];
  tool: string[];
  ignore: string[];
}

/**
 * - `strict`: of the module that one works in [Parse].
 * - `lax`: of a dependency; what does not concern those who need it is skipped unread, and so are directives yet to be
 *   invented [ParseLax].
 */
export type GoModMode = 'strict' | 'lax';

/** Reading ends at this many, as a file may have millions. */
const maxProblems = 1000;

/**
 * Parses a go.mod as `go` does where no repository can be asked about versions (a nil VersionFixer): each is brought to
 * its canonical form, and refused if it has none. Throws InvalidGoMod with all problems, up to a thousand; a problem of
 * syntax is always alone.
 */
export function parseGoMod(content: Uint8Array, { mode }: { mode: GoModMode }): GoMod {
  const goMod: GoMod = { godebug: [], require: [], exclude: [], replace: [], retract: [], tool: [], ignore: [] };
  const problems: GoModProblem[] = [];
  for (const statement of readStatements(content)) {
    try {
      readStatement(goMod, statement, mode);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      problems.push({ ...statement.start, reason: error.message });
      if (problems.length === maxProblems) break;
    }
  }
  if (problems.length > 0) throw new InvalidGoMod(problems);
  return goMod;
}

/** Why a statement is refused. Only parseGoMod, which knows where it stands, sees it. */
class Refusal extends Error {}

function readStatement(goMod: GoMod, statement: Line | Block, mode: GoModMode): void {
  if (statement.kind === 'block') {
    if (mode === 'lax' || isKnownBlock(statement)) return;
    throw new Refusal(`unknown block type: ${statement.tokens.join(' ')}`);
  }
  if (statement.block !== undefined && !isKnownBlock(statement.block)) return;
  const [verb = '', ...args] = [...(statement.block?.tokens ?? []), ...statement.tokens];
  if (mode === 'strict' || inDependencies.has(verb)) readDirective(goMod, verb, args, statement, mode);
}

/** `go` and `toolchain` have no block form [parseToFile]. */
const inBlocks = new Set(['module', 'godebug', 'require', 'exclude', 'replace', 'retract', 'tool', 'ignore']);

/** What is read in lax mode [File.add]. */
const inDependencies = new Set(['go', 'module', 'retract', 'require', 'ignore']);

function isKnownBlock({ tokens }: Block): boolean {
  return tokens.length === 1 && inBlocks.has(tokens[0] ?? '');
}

/** The syntax of each directive [File.add]. */
function readDirective(goMod: GoMod, verb: string, args: readonly string[], line: Line, mode: GoModMode): void {
  const [first = '', second = ''] = args;
  switch (verb) {
    case 'module':
      readModule(goMod, args, line);
      break;
    case 'go':
      if (goMod.go !== undefined) throw new Refusal('repeated go statement');
      checkOneArgument(verb, args);
      goMod.go = goVersion(first, mode);
      break;
    case 'toolchain':
      if (goMod.toolchain !== undefined) throw new Refusal('repeated toolchain statement');
      checkOneArgument(verb, args);
      if (!/^(?:default$|go1(?:$|\.))/.test(first)) {
        throw new Refusal(`invalid toolchain version '${first}': must match format go1.23.0 or default`);
      }
      goMod.toolchain = first;
      break;
    case 'godebug': {
      const { key, value } = /^(?<key>[^=]*)=(?<value>.*)$/s.exec(first)?.groups ?? {};
      if (args.length !== 1 || /["'`,]/.test(first) || key === undefined || value === undefined) {
        throw new Refusal('usage: godebug key=value');
      }
      goMod.godebug.push({ key, value });
      break;
    }
    case 'require':
    case 'exclude': {
      if (args.length !== 2) throw new Refusal(`usage: ${verb} module/path v1.2.3`);
      const path = readString(first);
      const version = readVersion(second, directiveOf(verb, path));
      checkMajor(version, readPathMajor(path, ''), directiveOf(verb, path));
      if (verb === 'require') goMod.require.push({ path, version, indirect: isIndirect(line) });
      else goMod.exclude.push({ path, version });
      break;
    }
    case 'replace':
      goMod.replace.push(readReplace(args));
      break;
    case 'retract':
      try {
        goMod.retract.push({ ...readInterval(args, mode), rationale: commentText(line) });
      } catch (error) {
        if (mode === 'strict' || !(error instanceof Refusal)) throw error; // a form of the future retracts nothing yet
      }
      break;
    case 'tool':
    case 'ignore':
      checkOneArgument(verb, args);
      goMod[verb].push(readString(first));
      break;
    default:
      throw new Refusal(`unknown directive: ${verb}`);
  }
}

function checkOneArgument(verb: string, args: readonly string[]): void {
  if (args.length !== 1) throw new Refusal(`${verb} directive expects exactly one argument`);
}

/** A `module` line counts even if it is wrong: a second one is then one too many. */
function readModule(goMod: GoMod, args: readonly string[], line: Line): void {
  if (goMod.module !== undefined) throw new Refusal('repeated module statement');
  // The first paragraph that starts so, to its end [parseDeprecation].
  const deprecated = /(?:^|\n\n)Deprecated: *(.*?)(?:$|\n\n)/s.exec(commentText(line))?.[1];
  goMod.module = { path: '', ...(deprecated ? { deprecated } : {}), line: line.start.line };
  const [path] = args;
  if (path === undefined || args.length > 1) throw new Refusal('usage: module module/path');
  goMod.module.path = readString(path);
}

/** A dependency may name a version in a form of the future: what it begins with counts [GoVersionRE, laxGoVersionRE]. */
function goVersion(text: string, mode: GoModMode): string {
  if (/^[1-9][0-9]*\.(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))?(?:[a-z]+[0-9]+)?$/.test(text)) return text;
  const known = mode === 'lax' ? /^v?([1-9][0-9]*\.(?:0|[1-9][0-9]*))[^0-9]/.exec(text)?.[1] : undefined;
  if (known === undefined) throw new Refusal(`invalid go version '${text}': must match format 1.23.0`);
  return known;
}

/** `path [version] => path version` or `path [version] => directory` [parseReplace] */
function readReplace(args: readonly string[]): GoMod['replace'][number] {
  const arrow = args[1] === '=>' ? 1 : 2;
  const [target, targetVersion] = args.slice(arrow + 1);
  if (args[arrow] !== '=>' || target === undefined || args.length > arrow + 3) {
    throw new Refusal(
      'usage: replace module/path [v1.2.3] => other/module v1.4\n\t or replace module/path [v1.2.3] => ../local/directory',
    );
  }
  const from: { path: string; version?: Version } = { path: readString(args[0] ?? '') };
  const directive = directiveOf('replace', from.path);
  const pathMajor = readPathMajor(from.path, directive);
  if (arrow === 2) {
    from.version = readVersion(args[1] ?? '', directive);
    checkMajor(from.version, pathMajor, directive);
  }
  const path = readString(target);
  if (targetVersion === undefined) {
    if (!isDirectoryPath(path)) {
      throw new Refusal(
        path.includes('@')
          ? "replacement module must match format 'path version', not 'path@version'"
          : 'replacement module without version must be directory path (rooted or starting with . or ..)',
      );
    }
    if (path.includes('\\')) {
      throw new Refusal('replacement directory appears to be Windows path (on a non-windows system)');
    }
    return { from, to: { path } };
  }
  const version = readVersion(targetVersion, directiveOf('replace', path));
  if (isDirectoryPath(path)) {
    throw new Refusal(`replacement module directory path ${quoteGo(path)} cannot have version`);
  }
  return { from, to: { path, version } };
}

/** In the manner of any system: go.mod files travel [IsDirectoryPath]. */
function isDirectoryPath(path: string): boolean {
  return /^(?:\.{1,2}(?:$|[/\\])|[/\\]|[A-Za-z]:)/.test(path);
}

/** `v1.2.3` or `[v1.2.3, v1.4.0]`, in lax mode whatever follows [parseVersionInterval]. */
function readInterval(args: readonly string[], mode: GoModMode): { low: string; high: string } {
  const [open, lowText, comma, highText, close] = args;
  if (open === undefined || open === '(') throw new Refusal("expected '[' or version");
  let interval: { low: string; high: string };
  if (open !== '[') {
    const version = readVersionText(open, 'retract: ');
    interval = { low: version, high: version };
  } else {
    if (lowText === undefined) throw new Refusal("expected version after '['");
    const low = readVersionText(lowText, 'retract: ');
    if (comma !== ',') throw new Refusal("expected ',' after version");
    if (highText === undefined) throw new Refusal("expected version after ','");
    interval = { low, high: readVersionText(highText, 'retract: ') };
    if (close !== ']') throw new Refusal("expected ']' after version");
  }
  const next = args[open === '[' ? 5 : 1];
  if (mode === 'strict' && next !== undefined) throw new Refusal(`unexpected token after version: ${quoteGo(next)}`);
  return interval;
}

/** The text of a token: bare, or in `"`. The other quotes make tokens but no text [parseString]. */
function readString(token: string, refusal = (reason: string) => `invalid quoted string: ${reason}`): string {
  if (token.startsWith('"')) {
    const text = unquoteGo(token);
    if (text === undefined) throw new Refusal(refusal('invalid syntax'));
    return text;
  }
  if (/["'`]/.test(token)) throw new Refusal(refusal('unquoted string cannot contain quote'));
  return token;
}

/** Short versions and build metadata pass, and are dropped [parseVersion, whose own comment says otherwise]. */
function readVersion(token: string, directive: string): Version {
  const text = readVersionText(token, directive);
  const version = canonicalVersion(text);
  if (version === undefined) {
    throw new Refusal(`${directive}version ${quoteGo(text)} invalid: must be of the form v1.2.3`);
  }
  return version;
}

function readVersionText(token: string, directive: string): string {
  return readString(token, reason => `${directive}version ${quoteGo(token)} invalid: ${reason}`);
}

function readPathMajor(path: string, directive: string): string {
  const split = splitPathVersion(path);
  if (split === undefined) throw new Refusal(`${directive}invalid module path`);
  return split.pathMajor;
}

function checkMajor(version: Version, pathMajor: string, directive: string): void {
  const reason = checkPathMajor(version, pathMajor);
  if (reason !== undefined) throw new Refusal(`${directive}version ${quoteGo(version)} invalid: ${reason}`);
}

/** What Go puts before some reasons [Error.Error]. */
function directiveOf(verb: string, path: string): string {
  return path === '' ? `${verb}: ` : `${verb} ${path}: `;
}

/** `// indirect`, or `// indirect; and why` [isIndirect] */
function isIndirect({ suffix = '' }: Line): boolean {
  const [first, second] = suffix
    .slice('//'.length)
    .split(/\p{White_Space}+/u)
    .filter(word => word !== '');
  return first === 'indirect' ? second === undefined : first === 'indirect;' && second !== undefined;
}

/** The comments above and behind a line, or those above its block if it has none [parseDirectiveComment]. */
function commentText({ before, suffix, block }: Line): string {
  const own = suffix === undefined ? before : [...before, suffix];
  return (own.length === 0 && block !== undefined ? block.before : own)
    .filter(comment => comment !== '')
    .map(comment => trimSpace(comment.slice('//'.length)))
    .join('\n');
}

/** As Go trims (unicode.IsSpace): U+0085 is space, U+FEFF is not. */
function trimSpace(text: string): string {
  const begin = text.search(/\P{White_Space}/u);
  if (begin < 0) return '';
  let end = text.length;
  while (SPACE.test(text.charAt(end - 1))) end--;
  return text.slice(begin, end);
}

const SPACE = /\p{White_Space}/u;
