import { compileWildmatch } from './wildmatch.ts';
import { UnknownEncoding } from './working-tree-encoding.ts';

/** What git does to a file's content on its way into an archive, in this order. */
export interface Conversion {
  /** `$Id$` becomes `$Id: {blob id} $`. */
  readonly ident: boolean;
  /** LF becomes CRLF: in any content, or only in what git takes for text and has no CR yet. */
  readonly crlf: 'any' | 'text' | undefined;
  /** From UTF-8 into this, named as in `working-tree-encoding`. */
  readonly encoding: string | undefined;
}

/** `true` for `name`, `false` for `-name`, the text of `name=text`, undefined for `!name`. */
type Value = string | boolean | undefined;

interface Setting {
  readonly name: string;
  readonly value: Value;
}

interface Line {
  readonly pattern: string;
  readonly settings: readonly Setting[];
}

interface Rule {
  /** Given a path below the directory that the rule's file is in. */
  readonly matches: (path: string) => boolean;
  readonly settings: readonly Setting[];
}

type Macros = ReadonlyMap<string, readonly Setting[]>;

const conversionNames = ['text', 'crlf', 'eol', 'ident', 'working-tree-encoding'];

/** Git passes over files and lines of these sizes: attr.h, ATTR_MAX_FILE_SIZE and ATTR_MAX_LINE_LENGTH. */
const maxFileBytes = 100 * 1024 * 1024;
const maxLineBytes = 2048;

/** What the `.gitattributes` files of a tree say of its other files. */
export interface Attributes {
  /**
   * How the file at this path is converted; undefined where it stays as it is. Ask only for files, since git converts no symbolic link.
   * Throws UnknownEncoding where git gives up.
   */
  of(path: string): Conversion | undefined;
}

/**
 * Reads the `.gitattributes` files of a tree: gitattributes(5), as it holds for `go`, which runs `git -c core.autocrlf=input -c core.eol=lf archive`
 * in a bare repository. There git reads attributes from the commit alone, from all its directories even for the archive of one, and takes the target of
 * a symbolic link for the content of the file. No filter runs, and no line end changes without `eol=crlf`. All paths begin at the root of the tree.
 */
export function readAttributes(files: Iterable<{ readonly path: string; readonly content: Buffer }>): Attributes {
  const lines = new Map<string, readonly Line[]>();
  for (const { path, content } of files) {
    if (content.byteLength < maxFileBytes) lines.set(parentOf(toBytes(path)), [...parseLines(content)]);
  }
  const macros = readMacros(lines.get('') ?? []);
  const rules = new Map(Array.from(lines, ([directory, some]) => [directory, readRules(some, macros)]));
  return { of: path => conversionOf(findValues(toBytes(path), rules, macros)) };
}

/** A string with one character a byte, which is how git compares. */
const toBytes = (text: string): string => Buffer.from(text).toString('latin1');

/** '' or `a/b/`. */
const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/') + 1);

/** The lines that git accepts; it reads no further than a NUL. */
function* parseLines(content: Buffer): Generator<Line> {
  const [text = ''] = content.toString('latin1').split('\0', 1);
  const parts = /^[ \t\r]*(?!#)(?:"((?:[^"\\]|\\(?:[abfnrtv"\\]|[0-3][0-7]{2}))*)"|([^ \t\r]+))(.*)$/s;
  for (const line of text.split('\n')) {
    const [isLine, quoted, plain = '', rest = ''] = line.length < maxLineBytes ? (parts.exec(line) ?? []) : [];
    const settings = parseSettings(rest);
    if (isLine === undefined || settings === undefined) continue;
    yield { pattern: quoted === undefined ? plain : unquote(quoted), settings };
  }
}

const escapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

const unquote = (quoted: string): string =>
  quoted.replace(/\\(\d{3}|.)/g, (_, escaped: string) =>
    escaped.length === 3 ? String.fromCharCode(Number.parseInt(escaped, 8)) : (escapes[escaped] ?? escaped),
  );

/** Undefined where a name is none: git drops the whole line. */
function parseSettings(text: string): Setting[] | undefined {
  const settings: Setting[] = [];
  for (const word of text.split(/[ \t\r\n]+/).filter(each => each !== '')) {
    const [, sign, name, value = true] = /^([-!]?)([A-Za-z0-9_.][-A-Za-z0-9_.]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === undefined) return undefined;
    settings.push({ name, value: sign === '-' ? false : sign === '!' ? undefined : value });
  }
  return settings;
}

/** Macros are defined in the root's file, `[attr]name settings`; the last one of a name counts, also over git's own. */
function readMacros(lines: readonly Line[]): Macros {
  const macros = new Map<string, readonly Setting[]>([['binary', parseSettings('-diff -merge -text') ?? []]]);
  for (const { pattern, settings } of lines) {
    const [, name] = /^\[attr\][ \t\r\n]*([A-Za-z0-9_.][-A-Za-z0-9_.]*)(?![^ \t\r\n\0])/.exec(pattern) ?? [];
    if (name !== undefined) macros.set(name, settings);
  }
  return macros;
}

/** The rules that can lead to a conversion, those first that win. */
function readRules(lines: readonly Line[], macros: Macros): Rule[] {
  return lines.toReversed().flatMap(({ pattern, settings }) => {
    const isRelevant = settings.some(({ name }) => conversionNames.includes(name) || macros.has(name));
    const matches = isRelevant ? compilePattern(pattern) : undefined;
    return matches === undefined ? [] : { matches, settings };
  });
}

/** Undefined for what is no pattern: a macro's name, and a negative pattern, which git refuses. One that ends in a slash matches no file by itself. */
function compilePattern(pattern: string): Rule['matches'] | undefined {
  const [whole = ''] = pattern.split('\0', 1);
  if (/^\[attr\]./s.test(pattern) || whole.startsWith('!')) return undefined;
  const matches = compileGlob(whole.replace(/^\//, ''));
  return whole.includes('/') ? matches : path => matches(path.slice(path.lastIndexOf('/') + 1));
}

function compileGlob(glob: string): Rule['matches'] {
  const [literal = ''] = /^[^*?[\\]*/.exec(glob) ?? [];
  if (literal === glob) return path => path === glob;
  // Most patterns are `*` or `*.txt`.
  const [, suffix] = /^\*([^*?[\\/]*)$/.exec(glob) ?? [];
  if (suffix !== undefined) return path => path.endsWith(suffix) && !path.includes('/');
  // `**` after a literal counts as the beginning of a pattern: git before 2.52 does so.
  const matches = compileWildmatch(glob.slice(literal.length));
  return path => path.startsWith(literal) && matches(path.slice(literal.length));
}

/** What the rules say of a file: those of the nearest directory first, and of each name the first that is found. */
function findValues(path: string, rules: ReadonlyMap<string, readonly Rule[]>, macros: Macros): Map<string, Value> {
  // From info/attributes, where `go` writes them; were a macro named so, it would not be expanded.
  const values = new Map<string, Value>([
    ['export-subst', false],
    ['export-ignore', false],
  ]);
  for (let directory = parentOf(path); ; directory = parentOf(directory.slice(0, -1))) {
    const below = path.slice(directory.length);
    for (const rule of rules.get(directory) ?? []) if (rule.matches(below)) setValues(values, rule.settings, macros);
    if (directory === '') return values;
  }
}

/** The last setting wins, and what a macro stands for goes before the settings to the left of it. */
function setValues(values: Map<string, Value>, settings: readonly Setting[], macros: Macros): void {
  const todo = [...settings];
  for (let setting = todo.pop(); setting !== undefined; setting = todo.pop()) {
    if (values.has(setting.name)) continue;
    values.set(setting.name, setting.value);
    if (setting.value === true) todo.push(...(macros.get(setting.name) ?? []));
  }
}

/** convert_attrs in convert.c, where `core.autocrlf=input` leaves only `eol=crlf` to be done. */
function conversionOf(values: ReadonlyMap<string, Value>): Conversion | undefined {
  const text = [values.get('text'), values.get('crlf')].find(
    value => typeof value === 'boolean' || value === 'input' || value === 'auto',
  );
  const crlf = text === false || values.get('eol') !== 'crlf' ? undefined : text === 'auto' ? 'text' : 'any';
  const ident = values.get('ident') === true;
  const encoding = encodingOf(values.get('working-tree-encoding'));
  return ident || crlf !== undefined || encoding !== undefined ? { ident, crlf, encoding } : undefined;
}

function encodingOf(value: Value): string | undefined {
  if (value === true) throw new UnknownEncoding('true');
  return typeof value !== 'string' || /^(utf-?8)?$/i.test(value) ? undefined : value;
}
