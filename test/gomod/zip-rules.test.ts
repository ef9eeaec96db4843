import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkFilePath, parseModulePath } from '../../src/gomod/module-path.ts';
import { parseVersion } from '../../src/gomod/version.ts';
import {
  checkModuleFiles,
  foldCase,
  isVendored,
  maxGoModBytes,
  maxLicenseBytes,
  maxNameBytes,
  maxPaths,
  maxZipBytes,
} from '../../src/gomod/zip-rules.ts';
import { checkZipEntries } from '../support/check-zip-entries.ts';
import { askGo, type OracleAnswer, skipWithoutGo } from '../support/go-oracle.ts';

const module = parseModulePath('example.com/lib');
const version = parseVersion('v1.2.3');
const prefix = `${module}@${version}/`;

/** Problems of a zip of these entries, as `code file`; a number is an entry's size. */
function problemsOf(...entries: (string | [string, number])[]): string[] {
  const named = entries.map(entry =>
    typeof entry === 'string' ? { name: entry, bytes: 1 } : { name: entry[0], bytes: entry[1] },
  );
  return checkZipEntries({ module, version, entries: named }).map(
    ({ code, file }) => `${code} ${file.replace(prefix, '')}`,
  );
}

const below = (...paths: (string | [string, number])[]) =>
  problemsOf(
    ...paths.map((path): string | [string, number] =>
      typeof path === 'string' ? prefix + path : [prefix + path[0], path[1]],
    ),
  );

const ZIPS: [title: string, found: string[], problems: string[]][] = [
  ['no entries', problemsOf(), []],
  ['the folder of the module itself', below(''), []],
  [
    'files and folders',
    below('go.mod', 'LICENSE', 'a/', 'a/b.go', 'a/b/', 'a/c/d.go', '.gitignore', 'vendor/x/y.go'),
    [],
  ],
  ['another version', problemsOf('example.com/lib@v1.2.4/a.go'), ['wrong-prefix example.com/lib@v1.2.4/a.go']],
  ['another module', problemsOf('example.com/Lib@v1.2.3/a.go'), ['wrong-prefix example.com/Lib@v1.2.3/a.go']],
  ['no prefix', problemsOf('a.go', '/', ''), ['wrong-prefix a.go', 'wrong-prefix /', 'wrong-prefix ']],
  [
    'unclean paths',
    below('a//b', './a', 'a/./b', 'a/../b', 'a//', '/'),
    ['a//b', './a', 'a/./b', 'a/../b', 'a//', '/'].map(p => `unclean-path ${p}`),
  ],
  [
    'traversal',
    below('../a', '/a', '..', '.'),
    ['invalid-path ../a', 'invalid-path /a', 'invalid-path ..', 'invalid-path .'],
  ],
  [
    'what Windows cannot hold',
    below('aux.go', 'a\\b', 'a:b', 'x.', 'a?'),
    ['aux.go', 'a\\b', 'a:b', 'x.', 'a?'].map(p => `invalid-path ${p}`),
  ],
  ['two files that differ in case', below('a.go', 'A.go'), ['case-collision A.go']],
  ['two folders that differ in case', below('a/x.go', 'A/y.go'), ['case-collision A/y.go']],
  ['a folder and a file that differ in case', below('a/x.go', 'A'), ['case-collision A']],
  [
    'letters that fold beyond ASCII',
    below('s', 'ſ', 'K', '\u212a', 'σ', 'ς'),
    ['case-collision ſ', 'case-collision \u212a', 'case-collision ς'],
  ],
  ['letters that seem to fold and do not', below('i', 'İ', 'ı', 'ß', 'ss', 'é', 'e'), []],
  ['a file twice', below('a.go', 'a.go', 'a.go'), ['duplicate a.go', 'duplicate a.go']],
  ['a folder twice', below('a/', 'a/', 'a/b.go'), []],
  [
    'a file and a folder',
    below('a', 'a/b.go', 'a/c.go', 'a/'),
    ['file-and-directory a/b.go', 'file-and-directory a/c.go', 'file-and-directory a/'],
  ],
  [
    'a folder and a file',
    below('a/b/c.go', 'a/b', 'a/b/d.go', 'a'),
    ['file-and-directory a/b', 'file-and-directory a'],
  ],
  [
    'a folder inside a collision',
    below('x', 'x/y/a', 'x/y/b'),
    ['file-and-directory x/y/a', 'file-and-directory x/y/b'],
  ],
  ['a nested go.mod', below('a/go.mod', 'b/GO.MOD'), ['nested-go-mod a/go.mod', 'nested-go-mod b/GO.MOD']],
  ['go.mod in upper case', below('GO.mod'), ['go-mod-case GO.mod']],
  ['a folder called go.mod', below('a/go.mod/', 'a/go.mod/b.go'), []],
  ['a go.mod and a LICENSE of the largest size', below(['go.mod', maxGoModBytes], ['LICENSE', maxLicenseBytes]), []],
  [
    'a go.mod and a LICENSE that are too large',
    below(['go.mod', maxGoModBytes + 1], ['LICENSE', maxLicenseBytes + 1]),
    ['go-mod-size go.mod', 'license-size LICENSE'],
  ],
  ['a LICENSE further down may be large', below(['a/LICENSE', maxLicenseBytes + 1]), []],
  ['files of the largest size together', below(['a', maxZipBytes - 1], ['b', 1]), []],
  [
    'files that are too large together',
    below(['a', maxZipBytes], ['b', 1], ['A', 1]),
    ['case-collision A', 'total-size '],
  ],
  ['a folder has no size', below(['a/', maxZipBytes + 1]), []],
  ['names of the largest length', below('x'.repeat(maxNameBytes - prefix.length)), []],
  [
    'names that are too long in letters of three bytes',
    below('中'.repeat((maxNameBytes - prefix.length) / 3 + 1)),
    [`long-name ${'中'.repeat((maxNameBytes - prefix.length) / 3 + 1)}`],
  ],
  [
    'names that are too long',
    below('é'.repeat((maxNameBytes - prefix.length) / 2 + 1)),
    [`long-name ${'é'.repeat((maxNameBytes - prefix.length) / 2 + 1)}`],
  ],
];

for (const [title, found, problems] of ZIPS) {
  test(`a zip with ${title} has ${problems.length === 0 ? 'no problem' : 'its problems named'}`, () =>
    assert.deepEqual(found, problems));
}

test('a zip with more folders than we hold is refused, in bounded time', () => {
  const entries = Array.from({ length: 1100 }, (_, i) => ({ name: `${prefix}${i}${'/a'.repeat(490)}`, bytes: 0 }));
  const codes = new Set(checkZipEntries({ module, version, entries }).map(({ code }) => code));
  assert.deepEqual(codes, new Set(['too-many-paths']));
  assert.ok(1100 * 491 > maxPaths);
});

const file = 0o100644;
const DIRECTORIES: [
  title: string,
  paths: Record<string, number>,
  goVersion: string | undefined,
  omitted: string[],
  invalid: string[],
][] = [
  ['plain files', { 'go.mod': file, 'a.go': file, 'b/c.go': 0o100755 }, undefined, [], []],
  [
    'links, sockets, submodules',
    { a: 0o120777, b: 0o140755, c: 0o160000, d: 0o040755 },
    undefined,
    ['a', 'b', 'c', 'd'],
    [],
  ],
  [
    'a nested module',
    { 'go.mod': file, 'a/go.mod': file, 'a/x.go': file, 'a/b/x.go': file, 'ab.go': file },
    undefined,
    ['a/go.mod', 'a/x.go', 'a/b/x.go'],
    [],
  ],
  ['a nested module in upper case', { 'a/GO.MOD': file, 'a/x.go': file }, undefined, ['a/GO.MOD', 'a/x.go'], []],
  [
    'a folder or a link called go.mod',
    { 'a/go.mod': 0o040755, 'a/x.go': file, 'b/go.mod': 0o120777, 'b/x.go': file },
    undefined,
    ['a/go.mod', 'b/go.mod'],
    [],
  ],
  ['GO.MOD at the root', { 'GO.MOD': file }, undefined, [], ['GO.MOD']],
  [
    'names that no module can have',
    { 'aux.go': file, 'a\\b': file, '../x': file, '/x': file, 'a//b': file },
    undefined,
    [],
    ['aux.go', 'a\\b', '../x', '/x', 'a//b'],
  ],
  [
    'such names where nothing is looked at',
    { 'vendor/a/aux.go': file, 'm/go.mod': file, 'm/a\\b': file },
    undefined,
    ['vendor/a/aux.go', 'm/go.mod', 'm/a\\b'],
    [],
  ],
  ['collisions', { a: file, A: file, 'b/c': file, b: file }, undefined, [], ['A', 'b']],
  [
    'what hg archive adds',
    { '.hg_archival.txt': file, 'a/.hg_archival.txt': file },
    undefined,
    ['.hg_archival.txt'],
    [],
  ],
  [
    'vendor before 1.24',
    { 'vendor/modules.txt': file, 'vendor/a/b.go': file, 'p/vendor/v.go': file },
    '1.23.9',
    ['vendor/a/b.go', 'p/vendor/v.go'],
    [],
  ],
  [
    'vendor since 1.24',
    { 'vendor/modules.txt': file, 'vendor/a/b.go': file, 'p/vendor/v.go': file },
    '1.24rc1',
    ['vendor/modules.txt', 'vendor/a/b.go'],
    [],
  ],
];

for (const [title, modes, goVersion, omitted, invalid] of DIRECTORIES) {
  test(`a directory with ${title} is sorted into what goes in, what stays out and what must not be`, () => {
    const files = Object.entries(modes).map(([path, mode]) => ({ path, mode, bytes: 1 }));
    const checked = checkModuleFiles(files, { goVersion });
    assert.deepEqual(
      checked.omitted.map(({ path }) => path),
      omitted,
    );
    assert.deepEqual(
      checked.invalid.map(({ path }) => path),
      invalid,
    );
    assert.deepEqual(
      checked.valid,
      files.filter(({ path }) => !omitted.includes(path) && !invalid.includes(path)),
    );
  });
}

test('a directory that is too large has a remark for the whole', () => {
  const files = ['a', 'b'].map(path => ({ path, mode: file, bytes: maxZipBytes / 2 + 1 }));
  assert.deepEqual(
    checkModuleFiles(files, { goVersion: undefined }).invalid.map(({ path }) => path),
    [''],
  );
});

const VENDORED: [path: string, before124: boolean, since124: boolean][] = [
  ['vendor/modules.txt', false, true],
  ['vendor/a.go', false, false],
  ['vendor/a/a.go', true, true],
  ['vendored/a/a.go', false, false],
  ['a/vendor', false, false],
  ['a/vendor/a.go', true, false],
  ['a/vendor/modules.txt', true, false],
  ['a/vendor/b/a.go', true, true],
  ['a/vendor.go', false, false],
];

for (const [path, before124, since124] of VENDORED) {
  test(`${path} is ${before124 ? '' : 'not '}vendored before Go 1.24 and ${since124 ? '' : 'not '}since`, () => {
    for (const old of [undefined, '', '1', '1.2', '1.23', '1.23.99', 'x', '1.024', '1.24.1rc1', '1.24.']) {
      assert.equal(isVendored(path, old), before124, old);
    }
    for (const young of ['1.24', '1.24.0', '1.24rc1', '1.25', '1.100', '2', '2.0', '1.24-x']) {
      assert.equal(isVendored(path, young), since124, young);
    }
  });
}

test('names that are equal without case have one folded form, and no others', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), text => {
      assert.equal(foldCase(foldCase(text)), foldCase(text));
      assert.equal(foldCase(text).split('/').length, text.split('/').length);
    }),
  );
});

test('all letters fold as Go folds them', { skip: skipWithoutGo }, async () => {
  const [answer] = await askGo('zip.folded', [[]]);
  assert.ok(Array.isArray(answer?.ok) && answer.ok.length > 2000);
  const smallest = new Map<number, number>(answer.ok);
  const folds = new Map([...smallest.keys()].map(code => [code, foldCase(String.fromCodePoint(code))]));
  for (const [code, other] of smallest) assert.equal(folds.get(code), folds.get(other), `U+${code.toString(16)}`);
  // As many classes as Go has: none of them are one here.
  assert.equal(new Set(folds.values()).size, new Set(smallest.values()).size);
  const shared = new Set(folds.values());
  for (let code = 0; code <= 0xffff; code++) {
    const char = String.fromCharCode(code);
    // A letter younger than Go's tables may fold here: it is in no path, checkFilePath refuses it.
    if (!smallest.has(code) && checkFilePath(`a${char}`) === undefined) assert.ok(!shared.has(foldCase(char)), char);
  }
});

const element = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('a', 'A', 'b', 'vendor', 'go.mod', 's', 'ſ', 'é') },
  fc.constantFrom(
    ...[
      'GO.MOD',
      'Go.mod',
      'LICENSE',
      'License',
      'modules.txt',
      'x y',
      'É',
      'e\u0301',
      'ß',
      'ẞ',
      'SS',
      'İ',
      'ı',
      'i',
      'K',
      '\u212a',
    ],
    ...[
      'σ',
      'ς',
      'Σ',
      '.git',
      '_x',
      'testdata',
      '.hg_archival.txt',
      '日本',
      '.',
      '..',
      '',
      'aux.go',
      'a:b',
      'a\\b',
      'x.',
      '...',
      '~1',
    ],
    ...['\u0390', '\u1fd3', 'ǅ', 'ǆ', '\ufb05', '\ufb06', '\u{10400}', '\u{10428}', 'Ꭰ', 'ꭰ', 'µ', 'μ', '\u0345', 'ι'],
  ),
);
const path = fc.array(element, { minLength: 1, maxLength: 4 }).map(elements => elements.join('/'));
const bytes = fc.oneof(
  { weight: 8, arbitrary: fc.nat({ max: 1000 }) },
  fc.constantFrom(maxGoModBytes, maxGoModBytes + 1, maxZipBytes / 2, maxZipBytes, maxZipBytes + 1),
);

test('a path is unclean exactly if cleaning changes it, whatever else is wrong with it', () => {
  const pieces = fc.array(fc.constantFrom('a', '.', '..', '/', '//', '\\', 'con', 'é', ' '), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(
      pieces.map(p => p.join('')),
      path => {
        const [problem = ''] = below(`${path}/`);
        // Node's keeps a slash at the end, which Go's drops.
        const isClean = posix.normalize(path) === path && (path === '/' || !path.endsWith('/'));
        assert.equal(problem.startsWith('unclean-path'), !isClean);
      },
    ),
  );
});

test('zips are refused as zip.CheckZip refuses them, file by file', { skip: skipWithoutGo }, async () => {
  const name = fc
    .tuple(
      fc.oneof({ weight: 20, arbitrary: fc.constant(prefix) }, fc.constantFrom('', 'example.com/lib@v1.2.3')),
      path,
      fc.constantFrom('', '', '', '/'),
    )
    .map(parts => parts.join(''));
  const lists = fc.sample(fc.array(fc.record({ name, bytes }), { maxLength: 12 }), 4000);
  const answers = await askGo(
    'zip.checkZip',
    lists.map(entries => [module, version, entries]),
  );
  let refused = 0;
  for (const [i, entries] of lists.entries()) {
    const problems = checkZipEntries({ module, version, entries });
    const ofFiles = problems.filter(({ code }) => code !== 'total-size');
    const ours = { invalid: ofFiles.map(({ file }) => file), tooBig: ofFiles.length < problems.length };
    const { invalid, tooBig } = checkedByGo(answers[i]);
    assert.deepEqual(ours, { invalid, tooBig }, JSON.stringify(entries));
    if (problems.length > 0) refused++;
  }
  assert.ok(refused > 500 && refused < 3900, `${refused} refused`);
});

test('files are sorted as zip.CheckFiles sorts them', { skip: skipWithoutGo }, async () => {
  const mode = fc.oneof(
    { weight: 8, arbitrary: fc.constant(file) },
    fc.constantFrom(0o100755, 0o120777, 0o040755, 0o160000, 0o140755),
  );
  const files = fc.uniqueArray(fc.record({ path, bytes, mode }), { maxLength: 12, selector: ({ path }) => path });
  const goVersion = fc.constantFrom('1.23', '1.24', '1.23.5', '1.24.1', '1.24rc1', '1.99', '2.0', '1.0');
  const lists = fc.sample(fc.tuple(files, goVersion), 4000);
  const answers = await askGo(
    'zip.checkFiles',
    lists.map(([list, go]) => [list, `module ${module}\n\ngo ${go}\n`]),
  );
  for (const [i, [list, go]] of lists.entries()) {
    // Go reads the version only if there is such a file.
    const hasGoMod = list.some(({ path, mode }) => path === 'go.mod' && (mode & 0o170000) === 0o100000);
    const checked = checkModuleFiles(list, { goVersion: hasGoMod ? go : undefined });
    const paths = (remarks: readonly { path: string }[]) => remarks.map(remark => remark.path);
    const invalid = paths(checked.invalid);
    const tooBig = checked.invalid.at(-1)?.reason.startsWith('all files') ?? false;
    if (tooBig) invalid.pop();
    const ours = { valid: paths(checked.valid), omitted: paths(checked.omitted), invalid, tooBig };
    assert.deepEqual(ours, checkedByGo(answers[i]), JSON.stringify([list, go]));
  }
});

interface CheckedByGo {
  readonly valid: string[];
  readonly omitted: string[];
  readonly invalid: string[];
  readonly tooBig: boolean;
}

function checkedByGo(answer: OracleAnswer | undefined): CheckedByGo {
  assert.equal(answer?.error, undefined);
  return answer?.ok as CheckedByGo;
}
