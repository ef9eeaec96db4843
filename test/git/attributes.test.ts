import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Conversion, readAttributes } from '../../src/git/attributes.ts';
import { UnknownEncoding } from '../../src/git/working-tree-encoding.ts';
import { archiveAsGo, makeGoRepository } from '../support/archive-as-go.ts';
import { gitBytes } from '../support/git-bytes.ts';
import { makeCommit } from '../support/make-commit.ts';
import { skipWithout } from '../support/skip-without.ts';
import { makeTemporaryFolder } from '../support/temporary-folder.ts';

const skip = skipWithout('git');

/** The content of `.gitattributes` in the root, or of several such files by path. */
type AttributeFiles = string | Readonly<Record<string, string>>;

const byPath = (files: AttributeFiles) => (typeof files === 'string' ? { '.gitattributes': files } : files);

const read = (files: AttributeFiles) =>
  readAttributes(Object.entries(byPath(files)).map(([path, text]) => ({ path, content: Buffer.from(text) })));

interface MatchCase {
  readonly name: string;
  readonly files: AttributeFiles;
  /** The files that get CRLF. */
  readonly crlf: readonly string[];
  /** Those that don't. */
  readonly lf: readonly string[];
}

const longLine = (length: number) => '* eol=crlf a='.padEnd(length, 'x');

const matchCases: readonly MatchCase[] = [
  {
    name: 'a pattern without a slash matches at any depth',
    files: '*.txt eol=crlf',
    crlf: ['x.txt', 'a/b/x.txt'],
    lf: ['x.go', 'x.txt2'],
  },
  {
    name: 'a slash ties a pattern to the directory of its file',
    files: 'a/x eol=crlf\n/y eol=crlf',
    crlf: ['a/x', 'y'],
    lf: ['x', 'b/a/x', 'a/y'],
  },
  {
    name: 'a star stays within a part of the path',
    files: 'a/*.txt eol=crlf\n/*.c eol=crlf\n/b/* eol=crlf',
    crlf: ['a/x.txt', 'x.c', 'b/x'],
    lf: ['a/b/x.txt', 'a/x.c', 'b/c/x'],
  },
  {
    name: 'two stars are any number of directories, none too',
    files: 'a/**/x eol=crlf',
    crlf: ['a/x', 'a/b/x', 'a/b/c/x'],
    lf: ['x', 'ax', 'a/bx'],
  },
  { name: 'two stars in front match everywhere', files: '**/a/x eol=crlf', crlf: ['a/x', 'b/a/x'], lf: ['ba/x', 'x'] },
  {
    name: 'two stars at the end match all that is inside',
    files: 'a/** eol=crlf',
    crlf: ['a/x', 'a/b/x'],
    lf: ['b/a/x', 'ab'],
  },
  { name: 'two stars within a part are one', files: '*a**/x eol=crlf', crlf: ['a/x', 'bab/x'], lf: ['a/b/x', 'b/x'] },
  {
    name: 'a question mark is one byte',
    files: '? eol=crlf\n/???/?? eol=crlf',
    crlf: ['x', 'abc/é'],
    lf: ['é', 'ab/xy', 'abcx'],
  },
  {
    name: 'sets have ranges, names and negations',
    files: '[a-c] eol=crlf\n[[:upper:]x]1 eol=crlf\n[!a]2 eol=crlf\n[^a]3 eol=crlf',
    crlf: ['a', 'c', 'B1', 'x1', 'b2', 'b3'],
    lf: ['d', '-', 'b1', 'a2', 'a3'],
  },
  {
    name: 'a bracket that comes first and a dash at an end are members',
    files: '[]-]a eol=crlf\n[!]]b eol=crlf',
    crlf: [']a', '-a', 'ab'],
    lf: ['aa', ']b'],
  },
  {
    name: 'a set that is not closed, or names what there is not, matches nothing',
    files: '[a eol=crlf\n[[:word:]] eol=crlf\n[[:alpha:] eol=crlf',
    crlf: [],
    lf: ['a', '[a', 'w', ':]'],
  },
  {
    name: 'a backslash takes the meaning from a character',
    files: '\\*x eol=crlf\n\\!y eol=crlf\n\\[z] eol=crlf',
    crlf: ['*x', '!y', '[z]'],
    lf: ['ax', 'y', 'z'],
  },
  { name: 'a pattern that ends in a backslash matches nothing', files: 'a\\ eol=crlf', crlf: [], lf: ['a', 'a\\'] },
  {
    name: 'a pattern for directories matches no file, nor those inside',
    files: 'a/ eol=crlf\n**/ eol=crlf',
    crlf: [],
    lf: ['a/x', 'b'],
  },
  { name: 'git refuses negative patterns', files: '!x eol=crlf\n"!y" eol=crlf', crlf: [], lf: ['x', '!x', 'y', '!y'] },
  { name: 'names are told apart by case', files: 'x.TXT eol=crlf', crlf: ['x.TXT'], lf: ['x.txt'] },
  {
    name: 'a quoted pattern has escapes',
    files: '"a b" eol=crlf\n"\\303\\251\\t" eol=crlf\n"\\"\\\\\\\\"text eol=crlf',
    crlf: ['a b', 'é\t', '"\\'],
    lf: ['a', 'b'],
  },
  {
    name: 'a quote that is not closed is a part of the pattern',
    files: '"a eol=crlf\n"b\\q" eol=crlf',
    crlf: ['"a'],
    lf: ['a', 'b', 'bq'],
  },
  { name: 'a quoted pattern ends at a NUL', files: '"a\\000b" eol=crlf', crlf: ['a'], lf: ['ab', 'b'] },
  {
    name: 'comments and empty lines say nothing',
    files: '# * eol=crlf\n\n  #x eol=crlf\n\\#y eol=crlf\n\ty eol=crlf',
    crlf: ['#y', 'y'],
    lf: ['#', '#x', 'x'],
  },
  {
    name: 'lines may end in CRLF, and the last one in nothing',
    files: 'x eol=crlf\r\ny eol=crlf',
    crlf: ['x', 'y'],
    lf: ['z'],
  },
  {
    name: 'a byte order mark is a part of the first pattern',
    files: '\ufeffx eol=crlf\ny eol=crlf',
    crlf: ['\ufeffx', 'y'],
    lf: ['x'],
  },
  { name: 'nothing is read after a NUL', files: 'x eol=crlf\n\0\ny eol=crlf', crlf: ['x'], lf: ['y'] },
  { name: 'a NUL ends a line as well', files: 'x eol=crlf\0 -text\n', crlf: ['x'], lf: ['y'] },
  { name: 'a line of 2,048 bytes is passed over', files: `${longLine(2048)}\n`, crlf: [], lf: ['x'] },
  { name: 'a line of 2,047 bytes is not', files: `${longLine(2047)}\n`, crlf: ['x'], lf: [] },
  {
    name: 'a name that is none spoils its line and no other',
    files: 'x eol=crlf a@b\ny eol=crlf --z\nz eol=crlf =\nw eol=crlf',
    crlf: ['w'],
    lf: ['x', 'y', 'z'],
  },
  {
    name: 'of two lines the later one wins, of two settings the right one',
    files: 'x eol=crlf\nx eol=lf\ny eol=lf eol=crlf',
    crlf: ['y'],
    lf: ['x'],
  },
  {
    name: 'the nearest directory wins, name by name',
    files: { '.gitattributes': '* -text eol=lf', 'a/.gitattributes': 'x eol=crlf\ny text eol=crlf' },
    crlf: ['a/y'],
    lf: ['x', 'y', 'a/x', 'b/y'],
  },
  {
    name: 'patterns of a sub-directory begin there',
    files: { 'a/b/.gitattributes': '/x eol=crlf\nb/y eol=crlf\n*.txt eol=crlf' },
    crlf: ['a/b/x', 'a/b/b/y', 'a/b/c/z.txt'],
    lf: ['x', 'b/y', 'a/b/y', 'z.txt', 'a/bc/z.txt'],
  },
  {
    name: '`!name` takes back what was said, for good',
    files: { '.gitattributes': '* eol=crlf', 'a/.gitattributes': 'x eol=crlf\nx !eol' },
    crlf: ['y', 'a/y'],
    lf: ['a/x'],
  },
  {
    name: '`binary` is a macro that git has',
    files: '* eol=crlf\n*.bin binary\n*.not -binary\n*.un binary=x',
    crlf: ['x', 'x.not', 'x.un'],
    lf: ['x.bin'],
  },
  {
    name: 'it takes more away than `text`',
    files: '[attr]diff eol=crlf\n* diff\nx binary text',
    crlf: ['y'],
    lf: ['x'],
  },
  {
    name: 'macros stand for settings, and for other macros',
    files: '[attr]one eol=crlf\n[attr]two one text\nx one\ny two\nz one=1\nw -one',
    crlf: ['x', 'y'],
    lf: ['z', 'w', 'aone'],
  },
  {
    name: 'a macro may be defined below its use, and again',
    files: 'x one\n[attr]one eol=lf\n[attr]one eol=crlf\n[attr]binary one',
    crlf: ['x'],
    lf: ['y'],
  },
  {
    name: 'what stands to the right of a macro overrides it',
    files: '[attr]one eol=crlf\nx one eol=lf\ny eol=lf one',
    crlf: ['y'],
    lf: ['x'],
  },
  {
    name: 'macros may go round in circles',
    files: '[attr]one two\n[attr]two one eol=crlf\nx one',
    crlf: ['x'],
    lf: [],
  },
  {
    name: 'an attribute that git knows may be a macro',
    files: '[attr]ident eol=crlf\nx ident',
    crlf: ['x'],
    lf: ['y'],
  },
  {
    name: 'a macro is defined in the root alone',
    files: { '.gitattributes': 'x one', 'a/.gitattributes': '[attr]one eol=crlf\nx one' },
    crlf: [],
    lf: ['x', 'a/x', 'one'],
  },
  {
    name: 'macros are used everywhere',
    files: { '.gitattributes': '[attr]one eol=crlf', 'a/.gitattributes': 'x one' },
    crlf: ['a/x'],
    lf: ['x'],
  },
  {
    name: '`[attr]` without a name is a set of letters',
    files: '[attr] eol=crlf',
    crlf: ['a', 'r'],
    lf: ['b', '[attr]'],
  },
  {
    name: 'a macro without a proper name is nothing',
    files: '[attr]-x eol=crlf\n[attr]a@b eol=crlf\n"[attr] y" eol=crlf\nx y',
    crlf: ['x'],
    lf: ['a', '-x'],
  },
  {
    name: 'macros with the names that go sets itself are never expanded',
    files: '[attr]export-subst eol=crlf\n[attr]export-ignore eol=crlf\nx export-subst\ny export-ignore',
    crlf: [],
    lf: ['x', 'y'],
  },
];

for (const { name, files, crlf, lf } of matchCases) {
  test(name, () => {
    const attributes = read(files);
    const crlfOf = (path: string) => attributes.of(path)?.crlf;
    assert.deepEqual(
      crlf.map(crlfOf),
      crlf.map(() => 'any'),
      'CRLF',
    );
    assert.deepEqual(
      lf.map(crlfOf),
      lf.map(() => undefined),
      'LF',
    );
  });
}

test('git does the same in all these cases', { skip }, async () => {
  const cases = matchCases.map(({ name, files, crlf, lf }) => {
    const content = Object.fromEntries([...crlf, ...lf].map(path => [path, 'a\n']));
    return { name, crlf, commit: makeCommit({ files: { ...content, ...byPath(files) } }) };
  });
  await using folder = await makeTemporaryFolder();
  await makeGoRepository(
    folder.path,
    cases.flatMap(({ commit }) => commit.objects),
  );
  for (const { name, crlf, commit } of cases) {
    const archived = await archiveAsGo(folder.path, commit.id);
    const converted = [...archived.keys()].filter(path => archived.get(path)?.toString() === 'a\r\n');
    assert.deepEqual(new Set(converted), new Set(crlf), name);
  }
});

const nothing: Conversion = { ident: false, crlf: undefined, encoding: undefined };
const any: Conversion = { ...nothing, crlf: 'any' };
const text: Conversion = { ...nothing, crlf: 'text' };

/** What git does of these is compared in worktree-content.test.ts, content by content. */
const settingCases: readonly [settings: string, expected: Conversion | undefined][] = [
  ['text', undefined],
  ['text=auto', undefined],
  ['crlf', undefined],
  ['eol=lf', undefined],
  ['text eol=lf', undefined],
  ['eol=crlf', any],
  ['text eol=crlf', any],
  ['text=auto eol=crlf', text],
  ['text=input eol=crlf', any],
  ['text=other eol=crlf', any],
  ['!text eol=crlf', any],
  ['-text eol=crlf', undefined],
  ['crlf=auto eol=crlf', text],
  ['-crlf eol=crlf', undefined],
  ['text -crlf eol=crlf', any],
  ['text=other -crlf eol=crlf', undefined],
  ['!text crlf=auto eol=crlf', text],
  ['binary eol=crlf', undefined],
  ['eol', undefined],
  ['eol=CRLF', undefined],
  ['-eol=crlf', undefined],
  ['eol=crlf=', undefined],
  ['ident', { ...nothing, ident: true }],
  ['ident=true', undefined],
  ['-ident', undefined],
  ['working-tree-encoding=UTF-16', { ...nothing, encoding: 'UTF-16' }],
  ['working-tree-encoding=a=b', { ...nothing, encoding: 'a=b' }],
  ['working-tree-encoding=UTF-8', undefined],
  ['working-tree-encoding=utf8', undefined],
  ['working-tree-encoding=', undefined],
  ['-working-tree-encoding', undefined],
  ['!working-tree-encoding', undefined],
  ['-text ident working-tree-encoding=x', { ident: true, crlf: undefined, encoding: 'x' }],
  ['filter=lfs diff=lfs merge=lfs -text', undefined],
  ['export-ignore export-subst', undefined],
];

for (const [settings, expected] of settingCases) {
  test(`${settings}: ${JSON.stringify(expected) ?? 'as it is'}`, () => {
    assert.deepEqual(read(`f ${settings}`).of('f'), expected);
  });
}

test('an encoding without a name makes git give up', { skip }, async () => {
  const files = { '.gitattributes': 'f working-tree-encoding', f: '', other: '' };
  const commit = makeCommit({ files });
  await using folder = await makeTemporaryFolder();
  await makeGoRepository(folder.path, commit.objects);
  await assert.rejects(archiveAsGo(folder.path, commit.id), /true\/false are no valid working-tree-encodings/);
  await archiveAsGo(folder.path, commit.id, 'other');
  const attributes = read(files['.gitattributes']);
  assert.throws(() => attributes.of('f'), UnknownEncoding);
  assert.equal(attributes.of('other'), undefined);
});

test('the archive of a sub-directory knows the attributes of those above it', { skip }, async () => {
  const files = { '.gitattributes': '/a/b/x eol=crlf', 'a/.gitattributes': 'y eol=crlf' };
  const paths = ['a/b/x', 'a/b/y', 'a/b/z'];
  const commit = makeCommit({ files: { ...files, ...Object.fromEntries(paths.map(path => [path, '\n'])) } });
  await using folder = await makeTemporaryFolder();
  await makeGoRepository(folder.path, commit.objects);
  const archived = await archiveAsGo(folder.path, commit.id, 'a/b');
  const attributes = read(files);
  assert.deepEqual([...archived.keys()], paths);
  assert.deepEqual([...archived.values()].map(String), ['\r\n', '\r\n', '\n']);
  assert.deepEqual(
    paths.map(path => attributes.of(path)),
    [any, any, undefined],
  );
});

test("a symbolic link's target is read as if it were the file's content", { skip }, async () => {
  const files = { 'a/.gitattributes': '* eol=crlf', 'a/x': '\n' };
  const commit = makeCommit({ files, modes: { 'a/.gitattributes': '120000' } });
  await using folder = await makeTemporaryFolder();
  await makeGoRepository(folder.path, commit.objects);
  assert.equal((await archiveAsGo(folder.path, commit.id, 'a/x')).get('a/x')?.toString(), '\r\n');
  assert.deepEqual(read({ 'a/.gitattributes': '* eol=crlf' }).of('a/x'), any);
});

test('a file of 100 MiB is passed over', () => {
  const content = Buffer.alloc(100 * 1024 * 1024, '\n');
  content.write('* eol=crlf');
  const attributesOf = (bytes: number) =>
    readAttributes([{ path: '.gitattributes', content: content.subarray(0, bytes) }]).of('x');
  assert.equal(attributesOf(content.byteLength), undefined);
  assert.deepEqual(attributesOf(1000), any);
});

test('two stars after what is no wildcard count as a whole part, which is so in git before 2.52', () => {
  assert.deepEqual(read('a**/x eol=crlf').of('ab/c/x'), any);
});

test('no pattern takes long', () => {
  const hostile = ['*a'.repeat(1000), `*${'a'.repeat(1000)}`, '**/a/'.repeat(400), '*'.repeat(2000), '[[:'.repeat(600)];
  const attributes = read(hostile.map(pattern => `${pattern}b eol=crlf\n`).join(''));
  for (const path of ['a'.repeat(4000), 'a/'.repeat(2000)]) assert.equal(attributes.of(`${path}c`), undefined);
});

/** Patterns of bits that mean something, alone or together. */
const patternPart = fc.constantFrom(
  ...['*', '*', '*', '**', '**', '***', '?', '/', '/', '/', '/**', '**/', '/**/', '*/', '/*', 'a', 'a', 'b', 'b', 'c'],
  ...['.', '-', ']', '[', '!', '\\', '\\*', '\\/', '\\a', 'a/b', '\xe9', '[\xe0-\xef]', '[^\x80-\xff]'],
  ...['[a-c]', '[!a]', '[^b]', '[]a]', '[]-]', '[!]a]', '[-a]', '[a-]', '[c-a]', '[a-b-c]', '[--c]', '[!-b]', '[^^]'],
  ...['[\\]]', '[a\\-c]', '[a-\\c]', '[\\', '[a\\', '[a-\\', '[a', '[/]', '[!/]', '[[:]', '[[:-a]', '[[:x]', '[[:x:]]'],
  ...[
    'alnum',
    'alpha',
    'blank',
    'cntrl',
    'digit',
    'graph',
    'lower',
    'print',
    'punct',
    'space',
    'upper',
    'xdigit',
  ].flatMap(name => [`[[:${name}:]]`, `[a-[:${name}:]`, `[^[:${name}:]-c]`]),
);
const pattern = fc
  .array(patternPart, { minLength: 1, maxLength: 7, size: 'max' })
  .map(parts => parts.join(''))
  // Here versions of git differ.
  .filter(glob => !/^[^*?[\\]*[^*?[\\/]\*\*/.test(glob));
const pathPart = fc
  .array(fc.constantFrom(...'abcz.-]![^:*\\A é'), { minLength: 1, maxLength: 4 })
  .map(chars => chars.join(''))
  .filter(part => part !== '.' && part !== '..');
const ascii = Array.from({ length: 127 }, (_, code) => String.fromCharCode(code + 1));

test('patterns match what they match for git', { skip }, async () => {
  const patterns = [...new Set(fc.sample(pattern, { seed: 20260301, numRuns: 700 }))];
  const sampled = fc.sample(fc.array(pathPart, { minLength: 1, maxLength: 4, size: 'max' }), { seed: 1, numRuns: 150 });
  const paths = [...ascii.filter(char => char !== '/' && char !== '.'), ...sampled.map(parts => parts.join('/'))];
  const quote = (glob: string) =>
    `"${Array.from(glob, byte => `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`).join('')}"`;

  await using folder = await makeTemporaryFolder();
  gitBytes(folder.path, ['init', '.']);
  await writeFile(join(folder.path, '.gitattributes'), patterns.map((glob, i) => `${quote(glob)} p${i}\n`).join(''));
  const answer = gitBytes(folder.path, ['check-attr', '--all', '-z', '--stdin'], `${paths.join('\0')}\0`).toString();
  // Path, attribute and value of each match.
  const matches = new Set(answer.match(/[^\0]*\0[^\0]*(?=\0set\0)/g));
  assert.ok(matches.size > 3000, `git finds ${matches.size}`);
  for (const [i, glob] of patterns.entries()) {
    const attributes = read(`${quote(glob)} ident`);
    for (const path of paths) {
      assert.equal(attributes.of(path) !== undefined, matches.has(`${path}\0p${i}`), `${glob} on ${path}`);
    }
  }
});
