import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InvalidModulePath } from '../../src/gomod/errors.ts';
import {
  checkFilePath,
  checkImportPath,
  isModulePath,
  matchPrefixPatterns,
  parseModulePath,
  splitPathVersion,
} from '../../src/gomod/module-path.ts';
import { askGo, skipWithoutGo } from '../support/go-oracle.ts';

/** Which of the three kinds of path each text may be. */
const PATHS: [text: string, allowedAs: 'module import file' | 'import file' | 'file' | ''][] = [
  ['example.com', 'module import file'],
  ['github.com/Acme/Lib_1~x/v2', 'module import file'],
  ['x.y/v2.x', 'module import file'],
  ['example.com/foo~', 'module import file'],
  ['example.com/com0/lpt', 'module import file'],
  ['gopkg.in/yaml.v3', 'module import file'],
  ['gopkg.in/check.v1-unstable', 'module import file'],
  ['gopkg.in/x.v-unstable', 'module import file'],
  ['gopkg.in/x.v0', 'module import file'],
  ['example', 'import file'],
  ['Example.com', 'import file'],
  ['example_x.com', 'import file'],
  ['example.com/v1', 'import file'],
  ['example.com/v0', 'import file'],
  ['example.com/v02', 'import file'],
  ['example.com/v2.0', 'import file'],
  ['gopkg.in/yaml', 'import file'],
  ['gopkg.in/yaml/v3', 'import file'],
  ['gopkg.in/yaml.v0-unstable', 'import file'],
  ['gopkg.in/yaml.v03', 'import file'],
  ['example.com/.git', 'import file'],
  ['example.com/g++', 'import file'],
  ['example.com/g++/x', 'import file'],
  ['-example.com', 'file'],
  ['example.com/foo~1', 'file'],
  ['example.com/foo~12.go', 'file'],
  ['example.com/日本語', 'file'],
  ['example.com/\u212a', 'file'],
  ['example.com/\u{20000}', 'file'],
  ['a b!#$%&()+,-.=@[]^_{}~', 'file'],
  ['', ''],
  ['/example.com', ''],
  ['example.com/', ''],
  ['example.com//x', ''],
  ['example.com/.', ''],
  ['example.com/../x', ''],
  ['example.com/x.', ''],
  ['example.com/x./y', ''],
  ['example.com/nul', ''],
  ['example.com/Con.go', ''],
  ['example.com/cOm1.tar.gz', ''],
  ['aux.com', ''],
  ['example.com/a:b', ''],
  ['example.com/a\\b', ''],
  ["example.com/a'b", ''],
  ['example.com/a*', ''],
  ['example.com/a\n', ''],
  ['example.com/a\0', ''],
  ['example.com/e\u0301', ''],
  ['example.com/\ufffd', ''],
  ['example.com/\u{1f600}', ''],
  ['example.com/\ud800', ''],
  ['example.com/\udc00x', ''],
  ['example.com/\u{2ebf0}', ''],
];

for (const [text, allowedAs] of PATHS) {
  test(`${JSON.stringify(text)} may be ${allowedAs ? `the path of a ${allowedAs}` : 'no path at all'}`, () => {
    assert.equal(isModulePath(text), allowedAs.includes('module'), 'module');
    assert.equal(checkImportPath(text) === undefined, allowedAs.includes('import'), 'import');
    assert.equal(checkFilePath(text) === undefined, allowedAs.includes('file'), 'file');
  });
}

test('the error of a bad module path names the path and the reason', () => {
  assert.throws(() => parseModulePath('example.com/a b'), {
    name: 'InvalidModulePath',
    path: 'example.com/a b',
    reason: 'invalid char " "',
    message: 'malformed module path "example.com/a b": invalid char " "',
  });
});

const SPLITS: [path: string, prefix: string, pathMajor: string][] = [
  ['example.com/lib', 'example.com/lib', ''],
  ['example.com/lib/v2', 'example.com/lib', '/v2'],
  ['example.com/lib/v10', 'example.com/lib', '/v10'],
  ['example.com/lib/v99999999999999999999', 'example.com/lib', '/v99999999999999999999'],
  ['example.com/libv2', 'example.com/libv2', ''],
  ['example.com/v2/lib', 'example.com/v2/lib', ''],
  ['gopkg.in/yaml.v3', 'gopkg.in/yaml', '.v3'],
  ['gopkg.in/yaml.v0', 'gopkg.in/yaml', '.v0'],
  ['gopkg.in/acme/lib.v1-unstable', 'gopkg.in/acme/lib', '.v1-unstable'],
  ['gopkg.info/yaml.v3', 'gopkg.info/yaml.v3', ''],
];

for (const [path, prefix, pathMajor] of SPLITS) {
  test(`the major version of ${path} is ${pathMajor || 'not in the path'}`, () => {
    assert.deepEqual(splitPathVersion(path), { prefix, pathMajor });
  });
}

const PATTERNS: [globs: string, path: string, matches: boolean][] = [
  ['', 'example.com/x', false],
  [',,', 'example.com/x', false],
  ['example.com', 'example.com/x/y', true],
  ['example.com/', 'example.com/x', true],
  ['example.com//', 'example.com/x', false],
  ['example.com/x/y', 'example.com/x', false],
  ['example.com/x', 'example.com/xy', false],
  ['*.corp.example.com', 'git.corp.example.com/xyzzy', true],
  ['*.corp.example.com,rsc.io/private', 'rsc.io/private/quux', true],
  ['*', 'example.com/x', true],
  ['*/*', 'example.com', false],
  ['exam*/[a-c]?', 'example.com/bz/q', true],
  ['example.com/[^a-c]', 'example.com/b', false],
  ['example.com/[^a-c]', 'example.com/d', true],
  ['example.com/[!a]', 'example.com/!', true],
  ['example.com/\\*', 'example.com/x', false],
  ['example.com/[', 'example.com/[', false],
  ['example.com/[]a]', 'example.com/a', false],
  ['example.com/[^]', 'example.com/^', false],
  ['example.com/[a-]', 'example.com/a', false],
  ['example.com/x\\', 'example.com/x', false],
  ['example.com/[b-a]', 'example.com/a', false],
  [' example.com', 'example.com', false],
];

for (const [globs, path, matches] of PATTERNS) {
  test(`GOPRIVATE=${JSON.stringify(globs)} ${matches ? 'covers' : 'does not cover'} ${path}`, () => {
    assert.equal(matchPrefixPatterns(globs, path), matches);
  });
}

/** Mostly almost valid paths: pieces that some rule is about, alone, or put into a valid path. */
const piece = fc.oneof(
  fc.constantFrom(
    ...'/ // . .. - _ ~ ~1 ~a1 ~x12 ! + @ : \\ % [ \' " ` * ? | & ( { ^ = , # $ < >'.split(' '),
    ...'con CON nUl com1 LPT9 com0 aux.x prn. v v0 v1 v2 v02 v10 v2.0 v2. .v0 .v1 .v01 .v -unstable a B 7'.split(' '),
    ...['/v1', '/v2', '/v12345678901234567890', '.v3-unstable', '.v0-unstable', '.v-unstable', '/v2.', '/.v1'],
    ...[
      ' ',
      '\0',
      '\n',
      '\x7f',
      'é',
      'e\u0301',
      '中',
      '\u212a',
      '\u017f',
      '\ufffd',
      '\u2028',
      '\u{1f600}',
      '\u{20000}',
    ],
    ...['\u{2ebf0}', '\u00b9', '\u0660', '\u00aa', '\u00ad', '\u202e', '\ufeff'],
  ),
  fc.string({ unit: 'grapheme-ascii', maxLength: 3 }),
  fc.string({ unit: 'binary', maxLength: 1 }),
);
const valid = fc.constantFrom(
  ...[
    'example.com',
    'example.com/lib',
    'github.com/Acme/lib/v2',
    'gopkg.in/yaml.v3',
    'gopkg.in/a/b.v1-unstable',
    'a.b/c/d/e',
  ],
);
const mutated = fc
  .tuple(valid, fc.nat(30), fc.nat(2), piece)
  .map(([path, at, removed, text]) => path.slice(0, at) + text + path.slice(at + removed));
const joined = fc
  .array(fc.oneof(piece, fc.constantFrom('example.com', 'gopkg.in', 'gopkg.in/', 'lib')))
  .map(p => p.join(''));
const anyPath = fc.oneof({ arbitrary: mutated, weight: 4 }, joined);

test('a text is parsed as it is or refused with InvalidModulePath', () => {
  fc.assert(
    fc.property(fc.oneof(anyPath, fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' })), text => {
      try {
        assert.equal(parseModulePath(text), text);
      } catch (error) {
        assert.ok(error instanceof InvalidModulePath);
        assert.equal(isModulePath(text), false);
      }
    }),
  );
});

test('prefix and major version together are the path again', () => {
  fc.assert(
    fc.property(anyPath.filter(isModulePath), path => {
      const split = splitPathVersion(path);
      assert.equal(split && split.prefix + split.pathMajor, path);
    }),
  );
});

test('half a surrogate pair is refused wherever it stands', () => {
  fc.assert(
    fc.property(mutated, fc.nat(40), fc.integer({ min: 0xd800, max: 0xdfff }), (path, at, half) => {
      const text = `${path.slice(0, at).replace(/\p{Surrogate}/gu, '')}${String.fromCharCode(half)}/x`;
      assert.equal(checkFilePath(text), 'invalid UTF-8');
    }),
  );
});

test('a path that one test lets pass is one that the closer look lets pass too', () => {
  const pieces = fc.array(fc.oneof({ arbitrary: piece, weight: 3 }, fc.constantFrom('a', 'con', 'Lpt9', '.', '/')), {
    minLength: 1,
    maxLength: 5,
  });
  const path = fc.oneof(
    anyPath,
    pieces.map(p => p.join('')),
  );
  fc.assert(
    // An empty first element is told by another name where something stands in front of it.
    fc.property(
      path.filter(text => !/^(?:\/|$)/.test(text)),
      text => {
        // The letter asks for the closer look, and is as good as any.
        assert.equal(checkFilePath(text), checkFilePath(`é/${text}`));
      },
    ),
    { numRuns: 5000 },
  );
});

/** Go's error without the path, what it quotes and what we add after a colon. */
const inGosWords = (text: string): string =>
  text
    .replace(/^malformed \w+ path "(?:\\.|[^"\\])*": /u, '')
    .replace(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/u, '…')
    .replace(/: .*/s, '');

const sample = <T>(values: fc.Arbitrary<T>, numRuns: number): T[] => fc.sample(values, { numRuns, seed: 20260101 });

test('each kind of path is refused for the reasons for which Go refuses it', { skip: skipWithoutGo }, async () => {
  const checkModulePath = (text: string): string | undefined => {
    try {
      parseModulePath(text);
    } catch (error) {
      if (error instanceof InvalidModulePath) return error.reason;
      throw error;
    }
  };
  const checks = { checkPath: checkModulePath, checkImportPath, checkFilePath };
  const paths = [...PATHS.map(([path]) => path), ...sample(anyPath, 8000)].filter(path => !/\p{Surrogate}/u.test(path));
  for (const [name, check] of Object.entries(checks)) {
    const answers = await askGo(
      `module.${name}`,
      paths.map(path => [path]),
    );
    let accepted = 0;
    for (const [i, path] of paths.entries()) {
      const reason = check(path);
      const theirs = answers[i]?.error;
      assert.equal(reason && inGosWords(reason), theirs && inGosWords(theirs), `${name} ${JSON.stringify(path)}`);
      if (reason === undefined) accepted++;
    }
    assert.ok(accepted > 1000 && accepted < paths.length - 1000, `${name} accepts ${accepted} of ${paths.length}`);
  }
});

test('the letters allowed in file names are those of Go', { skip: skipWithoutGo }, async () => {
  const [answer] = await askGo('unicode.letters', [[]]);
  const theirs = new Set<number>();
  for (const [first, last] of (answer?.ok ?? []) as [number, number][])
    for (let c = first; c <= last; c++) theirs.add(c);
  const differing: string[] = [];
  for (let c = 0x80; c <= 0x10ffff; c++) {
    const allowed = checkFilePath(String.fromCodePoint(c)) === undefined;
    if (allowed !== theirs.has(c)) differing.push(`U+${c.toString(16)}`);
  }
  assert.deepEqual(differing, [], 'Node or Go has other Unicode tables: see LETTERS_UNKNOWN_TO_GO');
});

test('major versions are split off as by Go', { skip: skipWithoutGo }, async () => {
  const paths = sample(anyPath, 8000);
  const answers = await askGo(
    'module.splitPathVersion',
    paths.map(path => [path]),
  );
  for (const [i, path] of paths.entries()) {
    assert.deepEqual(splitPathVersion(path) ?? null, answers[i]?.ok, JSON.stringify(path));
  }
});

test('globs match as in Go', { skip: skipWithoutGo }, async () => {
  const globPiece = fc.constantFrom(
    ...'a b . / * ** ? [ ] [a] [^a] [a-c] [^a-b] [/] [^-a] [a-] [^] [\\]] [b-a] \\ \\* - ^ ,'.split(' '),
  );
  const shortPath = fc.string({ unit: fc.constantFrom(...'aabbc./'), minLength: 1, maxLength: 7 });
  // A glob made out of the path itself matches often.
  const loosened = shortPath.chain(path =>
    fc.tuple(
      fc
        .array(fc.constantFrom('', '', '*', '?', '[^c]', '[a-b]', '[/a]', '\\'), { minLength: 7, maxLength: 7 })
        .map(holes => [...path].map((char, i) => (holes[i] === '\\' ? `\\${char}` : holes[i] || char)).join('')),
      shortPath.map(tail => path + tail),
    ),
  );
  const cases = [
    ...PATTERNS.map(([globs, path]): [string, string] => [globs, path]),
    ...sample(
      fc.tuple(
        fc.array(globPiece, { maxLength: 8 }).map(p => p.join('')),
        shortPath,
      ),
      10_000,
    ),
    ...sample(loosened, 10_000),
  ];
  const answers = await askGo('module.matchPrefixPatterns', cases);
  let matching = 0;
  for (const [i, [globs, path]] of cases.entries()) {
    const matches = matchPrefixPatterns(globs, path);
    assert.equal(matches, answers[i]?.ok, JSON.stringify([globs, path]));
    if (matches) matching++;
  }
  assert.ok(matching > 1000, `${matching} match`);
});
