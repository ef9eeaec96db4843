import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { InvalidGoMod } from '../../src/gomod/errors.ts';
import { findModulePath, type GoMod, type GoModMode, parseGoMod } from '../../src/gomod/go-mod.ts';
import { askGo, skipWithoutGo } from '../support/go-oracle.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

/** What a go.mod means: only what differs from an empty one. */
const accepted: { name: string; mode?: GoModMode; text: string; data: Partial<GoMod> | Record<string, unknown> }[] = [
  { name: 'an empty file', text: '', data: {} },
  { name: 'comments alone', text: '// one\n\n  // two', data: {} },
  {
    name: 'every directive',
    text: `
module example.com/lib/v2

go 1.23.0
toolchain go1.24.1
godebug default=go1.21
require example.com/a v1.2.3
exclude example.com/a v1.2.4
replace example.com/a => ../a
replace example.com/b v1.0.0 => example.com/c/v3 v3.1.0
retract v2.0.1 // broken
tool example.com/a/cmd/a
ignore ./web
`,
    data: {
      module: { path: 'example.com/lib/v2', line: 2 },
      go: '1.23.0',
      toolchain: 'go1.24.1',
      godebug: [{ key: 'default', value: 'go1.21' }],
      require: [{ path: 'example.com/a', version: 'v1.2.3', indirect: false }],
      exclude: [{ path: 'example.com/a', version: 'v1.2.4' }],
      replace: [
        { from: { path: 'example.com/a' }, to: { path: '../a' } },
        { from: { path: 'example.com/b', version: 'v1.0.0' }, to: { path: 'example.com/c/v3', version: 'v3.1.0' } },
      ],
      retract: [{ low: 'v2.0.1', high: 'v2.0.1', rationale: 'broken' }],
      tool: ['example.com/a/cmd/a'],
      ignore: ['./web'],
    },
  },
  {
    name: 'every directive that has a block, in a block',
    text: `
module (
	example.com/lib
)
godebug (
	a=b
	c==d
)
require (
	example.com/a v1.2.3
	example.com/b v0.0.0-20240102030405-0123456789ab // indirect
)
exclude ( // here too
	example.com/a v1.2.4
) // and here
replace (
	example.com/a => /a
	example.com/b v1.0.0 => example.com/c v1.1.0
)
retract (
	v1.0.0
	[v1.1.0, v1.2.0]
)
tool (
	example.com/a
)
ignore (
	./a
	./b
)
`,
    data: {
      module: { path: 'example.com/lib', line: 3 },
      godebug: [
        { key: 'a', value: 'b' },
        { key: 'c', value: '=d' },
      ],
      require: [
        { path: 'example.com/a', version: 'v1.2.3', indirect: false },
        { path: 'example.com/b', version: 'v0.0.0-20240102030405-0123456789ab', indirect: true },
      ],
      exclude: [{ path: 'example.com/a', version: 'v1.2.4' }],
      replace: [
        { from: { path: 'example.com/a' }, to: { path: '/a' } },
        { from: { path: 'example.com/b', version: 'v1.0.0' }, to: { path: 'example.com/c', version: 'v1.1.0' } },
      ],
      retract: [
        { low: 'v1.0.0', high: 'v1.0.0', rationale: '' },
        { low: 'v1.1.0', high: 'v1.2.0', rationale: '' },
      ],
      tool: ['example.com/a'],
      ignore: ['./a', './b'],
    },
  },
  { name: 'empty blocks', text: 'require ()\nexclude (\n)\ntool ( ) // x', data: {} },
  { name: 'no final newline', text: 'module m', data: { module: { path: 'm', line: 1 } } },
  {
    name: 'CRLF',
    text: '// Deprecated: use v2\r\nmodule m // more\r\n\r\ngo 1.20\r\n',
    data: { module: { path: 'm', deprecated: 'use v2\nmore', line: 2 }, go: '1.20' },
  },
  {
    name: 'tabs, blanks and stray carriage returns',
    text: '\t module\r m \t\r',
    data: { module: { path: 'm', line: 1 } },
  },
  { name: 'a comment right behind a token', text: 'module m//x', data: { module: { path: 'm', line: 1 } } },
  { name: 'one slash in a token', text: 'module m/x/', data: { module: { path: 'm/x/', line: 1 } } },
  {
    name: 'quoted strings, and escapes that spell out UTF-8',
    text: String.raw`module "a b\t\x41\102\u00e9\U0001F600\xe2\x82\xac\"\\"`,
    data: { module: { path: 'a b\tABé😀€"\\', line: 1 } },
  },
  { name: 'a string that holds a comment', text: 'module "m//x" // y', data: { module: { path: 'm//x', line: 1 } } },
  { name: 'an empty path', text: 'module ""', data: { module: { path: '', line: 1 } } },
  { name: 'printable characters of all sorts', text: 'module é漢€😀', data: { module: { path: 'é漢€😀', line: 1 } } },
  {
    name: 'versions are brought to their canonical form',
    text: 'require a v1\nrequire b v1.2\nrequire c v1.2.3+meta\nrequire d v2.0.0+incompatible',
    data: {
      require: [
        { path: 'a', version: 'v1.0.0', indirect: false },
        { path: 'b', version: 'v1.2.0', indirect: false },
        { path: 'c', version: 'v1.2.3', indirect: false },
        { path: 'd', version: 'v2.0.0+incompatible', indirect: false },
      ],
    },
  },
  {
    name: 'what counts as indirect',
    text: [
      'require a v1.0.0 // indirect',
      'require a v1.0.0 //indirect',
      'require a v1.0.0 // indirect; why',
      'require a v1.0.0 // indirect;',
      'require a v1.0.0 // indirect why',
      '// indirect\nrequire a v1.0.0',
    ].join('\n'),
    data: {
      require: [true, true, true, false, false, false].map(indirect => ({ path: 'a', version: 'v1.0.0', indirect })),
    },
  },
  {
    name: 'the rationale is gathered from above and behind, else from above the block',
    text: `
// of the block

// of the block
retract (
	v1.0.0
	// above

	// and above
	v1.0.1 // behind

	v1.0.2
	v1.0.3 //
)

// lost

// one
//
//  two
retract [ v1.1.0 , v1.2.0 ] // three
`,
    data: {
      retract: [
        { low: 'v1.0.0', high: 'v1.0.0', rationale: 'of the block' },
        { low: 'v1.0.1', high: 'v1.0.1', rationale: 'above\nand above\nbehind' },
        { low: 'v1.0.2', high: 'v1.0.2', rationale: '' },
        { low: 'v1.0.3', high: 'v1.0.3', rationale: '' },
        { low: 'v1.1.0', high: 'v1.2.0', rationale: 'one\n\ntwo\nthree' },
      ],
    },
  },
  {
    name: 'a deprecation is a paragraph',
    text: '// The lib.\n//\n// Deprecated:   use\n// v2\n//\n// Deprecated: no\nmodule m',
    data: { module: { path: 'm', deprecated: 'use\nv2', line: 7 } },
  },
  {
    name: 'a deprecation inside of a paragraph is none, nor one without text',
    text: '// The lib.\n// Deprecated: use v2\n//\n// Deprecated:\nmodule m',
    data: { module: { path: 'm', line: 5 } },
  },
  {
    name: 'a deprecation above the block of the module',
    text: '// Deprecated: use v2\nmodule (\n\tm\n)',
    data: { module: { path: 'm', deprecated: 'use v2', line: 3 } },
  },
  {
    name: 'brackets in the middle of a line are tokens, in lines to be skipped',
    mode: 'lax',
    text: 'future ( a ) { b } [ c ], d =>\nfuture () e\nfuture x ( (\n(\n(()\n)\nmodule m',
    data: { module: { path: 'm', line: 7 } },
  },
  {
    name: 'lax: what is unknown or only for the main module is skipped unread',
    mode: 'lax',
    text: 'module m\nfuture (\n\tx "\\z" `y`\n)\nx\ntoolchain 7\ngodebug\nreplace a\nexclude a\ntool\ngo (\n\tx\n)\nrequire x (\n)',
    data: { module: { path: 'm', line: 1 } },
  },
  { name: 'lax: a future Go version', mode: 'lax', text: 'go v1.99x7.future', data: { go: '1.99' } },
  {
    name: 'lax: future forms of retract',
    mode: 'lax',
    text: 'retract v1.0.0 because\nretract [v1.0.0, )\nretract (v1.0.0, v1.1.0]\nretract "v1\\\n" // x\nretract [v1, v2] ...',
    data: {
      retract: [
        { low: 'v1.0.0', high: 'v1.0.0', rationale: '' },
        { low: 'v1', high: 'v2', rationale: '' },
      ],
    },
  },
  {
    name: 'lax: a comment behind a string over two lines is nobody’s',
    mode: 'lax',
    text: 'retract v1.0.0 "\\\n" // x',
    data: { retract: [{ low: 'v1.0.0', high: 'v1.0.0', rationale: '' }] },
  },
  {
    name: 'what is retracted is any text',
    text: 'retract v1\nretract ["a b", =>]',
    data: {
      retract: [
        { low: 'v1', high: 'v1', rationale: '' },
        { low: 'a b', high: '=>', rationale: '' },
      ],
    },
  },
];

/** Why a go.mod is refused, as Go prints it: the column only where it is not 1. */
const refused: { text: string; mode?: GoModMode; message: string }[] = [
  { text: 'module m\n\nfoo x', message: 'go.mod:3: unknown directive: foo' },
  {
    text: 'foo\nmodule\n  bar\nmodule m',
    message: [
      'go.mod:1: unknown directive: foo',
      'go.mod:2: usage: module module/path',
      'go.mod:3:3: unknown directive: bar',
      'go.mod:4: repeated module statement',
    ].join('\n'),
  },
  { text: 'foo (\n\tx\n)', message: 'go.mod:1: unknown block type: foo' },
  { text: 'go (\n\t1.20\n)', message: 'go.mod:1: unknown block type: go' },
  { text: 'require x (\n)', message: 'go.mod:1: unknown block type: require x' },
  { text: '"module" m', message: 'go.mod:1: unknown directive: "module"' },
  { text: '(', message: 'go.mod:1: unknown directive: (' },

  { text: '\ufeffmodule m', message: "go.mod:1: unexpected input character '\\ufeff'" },
  { text: 'module m\x00', message: "go.mod:1:9: unexpected input character '\\x00'" },
  { text: 'module 😀é\v', message: "go.mod:1:10: unexpected input character '\\v'" },
  { text: 'module m\u00a0', message: "go.mod:1:9: unexpected input character '\\u00a0'" },
  { text: 'module m\u{e0001}', message: "go.mod:1:9: unexpected input character '\\U000e0001'" },
  { text: 'x /* y', message: 'go.mod:1:3: mod files must use // comments (not /* */ comments)' },
  { text: 'x y/* y', message: 'go.mod:1:4: mod files must use // comments (not /* */ comments)' },
  { text: 'module "m', message: 'go.mod:1:8: unexpected EOF in string' },
  { text: 'module "m\\', message: 'go.mod:1:8: unexpected EOF in string' },
  { text: 'module "m\n"', message: 'go.mod:1:10: unexpected newline in string' },
  { text: 'module `m\\`\nmodule `m\n`', message: 'go.mod:2:10: unexpected newline in string' },
  { text: 'module m\nrequire (\n', message: 'go.mod:3: syntax error (unterminated block started at go.mod:2:1)' },
  { text: 'require (\n) x', message: 'go.mod:2:4: syntax error (expected newline after closing paren)' },
  { text: 'foo\nrequire (\n) "', message: 'go.mod:3:3: unexpected EOF in string' },

  { text: 'module "\\z"', message: 'go.mod:1: invalid quoted string: invalid syntax' },
  { text: 'module "\\ud800"', message: 'go.mod:1: invalid quoted string: invalid syntax' },
  { text: 'module "\\\n"', message: 'go.mod:1: invalid quoted string: invalid syntax' },
  { text: 'module `m`', message: 'go.mod:1: invalid quoted string: unquoted string cannot contain quote' },
  { text: "module m'", message: 'go.mod:1: invalid quoted string: unquoted string cannot contain quote' },
  { text: 'module m n', message: 'go.mod:1: usage: module module/path' },
  { text: 'go 1.20\ngo 1.20', message: 'go.mod:2: repeated go statement' },
  { text: 'go', message: 'go.mod:1: go directive expects exactly one argument' },
  { text: 'go v1.20', message: "go.mod:1: invalid go version 'v1.20': must match format 1.23.0" },
  { text: 'go x', mode: 'lax', message: "go.mod:1: invalid go version 'x': must match format 1.23.0" },
  { text: 'toolchain go1\ntoolchain go1', message: 'go.mod:2: repeated toolchain statement' },
  { text: 'toolchain', message: 'go.mod:1: toolchain directive expects exactly one argument' },
  {
    text: 'toolchain go2',
    message: "go.mod:1: invalid toolchain version 'go2': must match format go1.23.0 or default",
  },
  { text: 'godebug x', message: 'go.mod:1: usage: godebug key=value' },
  { text: 'godebug x="y"', message: 'go.mod:1: usage: godebug key=value' },
  { text: 'tool', message: 'go.mod:1: tool directive expects exactly one argument' },
  { text: 'ignore a b', mode: 'lax', message: 'go.mod:1: ignore directive expects exactly one argument' },

  { text: 'require a', message: 'go.mod:1: usage: require module/path v1.2.3' },
  { text: 'exclude a v1.0.0 b', message: 'go.mod:1: usage: exclude module/path v1.2.3' },
  {
    text: 'require (\n\ta master\n)',
    mode: 'lax',
    message: 'go.mod:2:2: require a: version "master" invalid: must be of the form v1.2.3',
  },
  {
    text: 'require a `v1.0.0`',
    message: 'go.mod:1: require a: version "`v1.0.0`" invalid: unquoted string cannot contain quote',
  },
  { text: 'require "" v', message: 'go.mod:1: require: version "v" invalid: must be of the form v1.2.3' },
  { text: 'require a/v1 v1.0.0', message: 'go.mod:1: invalid module path' },
  {
    text: 'require a v2.0.0',
    message: 'go.mod:1: require a: version "v2.0.0" invalid: should be v0 or v1, not v2',
  },
  { text: 'exclude a/v2 v1', message: 'go.mod:1: exclude a/v2: version "v1.0.0" invalid: should be v2, not v1' },

  ...['replace', 'replace a => ', 'replace a v1 b v1', 'replace a => b v1 c', 'replace => => => => => =>'].map(
    text => ({
      text,
      message:
        'go.mod:1: usage: replace module/path [v1.2.3] => other/module v1.4\n\t or replace module/path [v1.2.3] => ../local/directory',
    }),
  ),
  { text: 'replace a/v1 => b v1', message: 'go.mod:1: replace a/v1: invalid module path' },
  { text: 'replace a v2 => ./b', message: 'go.mod:1: replace a: version "v2.0.0" invalid: should be v0 or v1, not v2' },
  {
    text: 'replace a => b@v1',
    message: "go.mod:1: replacement module must match format 'path version', not 'path@version'",
  },
  {
    text: 'replace a => b',
    message: 'go.mod:1: replacement module without version must be directory path (rooted or starting with . or ..)',
  },
  {
    text: 'replace a => C:\\b',
    message: 'go.mod:1: replacement directory appears to be Windows path (on a non-windows system)',
  },
  {
    text: 'replace a => "./\\U000e0001\\x7f\\a\\"" v1',
    message: 'go.mod:1: replacement module directory path "./\\U000e0001\\x7f\\a\\"" cannot have version',
  },
  {
    text: 'replace a => b master',
    message: 'go.mod:1: replace b: version "master" invalid: must be of the form v1.2.3',
  },

  { text: 'retract', message: "go.mod:1: expected '[' or version" },
  { text: 'retract [', message: "go.mod:1: expected version after '['" },
  { text: 'retract [v1', message: "go.mod:1: expected ',' after version" },
  { text: 'retract [v1,', message: "go.mod:1: expected version after ','" },
  { text: 'retract [v1,v2', message: "go.mod:1: expected ']' after version" },
  {
    text: 'retract "\\z"',
    message: 'go.mod:1: retract: version "\\"\\\\z\\"" invalid: invalid syntax',
  },
  { text: 'retract [v1,v2] v3', message: 'go.mod:1: unexpected token after version: "v3"' },
];

describe('go.mod', () => {
  for (const { name, mode, text, data } of accepted) {
    test(`${name}${mode === undefined ? '' : ` (${mode})`}`, () => {
      const empty = { godebug: [], require: [], exclude: [], replace: [], retract: [], tool: [], ignore: [] };
      assert.deepEqual(parseGoMod(bytes(text), { mode: mode ?? 'strict' }), { ...empty, ...data });
    });
  }

  for (const { text, mode = 'strict', message } of refused) {
    test(`refused (${mode}): ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseGoMod(bytes(text), { mode }), { name: 'InvalidGoMod', message });
    });
  }

  test('each byte of broken UTF-8 is a column, and a replacement character', () => {
    const content = Buffer.concat([bytes('module é'), Buffer.from([0xe2, 0x82, 0xff]), bytes('漢')]);
    assert.equal(parseGoMod(content, { mode: 'strict' }).module?.path, 'é\ufffd\ufffd\ufffd漢');
    assert.deepEqual(problemsOf(Buffer.concat([content, bytes('\x01')]), 'strict'), [
      { line: 1, column: 13, reason: "unexpected input character '\\x01'" },
    ]);
  });

  test('a slice of a larger buffer is read, not the buffer', () => {
    const content = bytes('module a\nmodule b').subarray(9);
    assert.equal(parseGoMod(content, { mode: 'strict' }).module?.path, 'b');
  });

  test('long files and tokens are no burden, and at most a thousand problems are listed', () => {
    const long = '漢'.repeat(6_000_000); // V8's expressions run out of stack on less
    const many = 300_000;
    for (const [token, text] of [
      [long, long],
      [`"${long}"`, long],
      [`"${'\\n'.repeat(many)}"`, '\n'.repeat(many)],
    ] as const) {
      assert.ok(parseGoMod(bytes(`ignore ${token}`), { mode: 'lax' }).ignore[0] === text);
    }
    const above = `${'// \n'.repeat(many)}// Deprecated: ${long}\n`;
    assert.ok(parseGoMod(bytes(`${above}module m`), { mode: 'lax' }).module?.deprecated === long);
    assert.equal(problemsOf(bytes(`require ${'a '.repeat(many)}`), 'lax')?.length, 1);
    assert.equal(problemsOf(bytes('x\n'.repeat(many)), 'lax'), undefined);
    assert.equal(problemsOf(bytes('x\n'.repeat(many)), 'strict')?.length, 1000);
  });
});

/** Undefined if the file is accepted. */
function problemsOf(content: Uint8Array, mode: GoModMode): InvalidGoMod['problems'] | undefined {
  try {
    parseGoMod(content, { mode });
    return undefined;
  } catch (error) {
    assert.ok(error instanceof InvalidGoMod, `not an InvalidGoMod: ${error}`);
    assert.notEqual(error.problems.length, 0);
    return error.problems;
  }
}

const verbs = [
  'module',
  'go',
  'toolchain',
  'godebug',
  'require',
  'exclude',
  'replace',
  'retract',
  'tool',
  'ignore',
] as const;
const paths = [
  'a',
  'example.com/a',
  'a/v2',
  'a/v1',
  'gopkg.in/a.v3',
  'gopkg.in/a.v1-unstable',
  'gopkg.in/a',
  './b',
  '..\\c',
];
const versions = [
  'v1.2.3',
  'v1',
  'v2.0.0',
  'v2.0.0+incompatible',
  'v0.0.0-20240102030405-0123456789ab',
  'v3.1+x',
  'master',
];
const words = [
  '1.20',
  '1.21rc1',
  'v1.30-x',
  '1.99.future',
  'go1.21',
  'default',
  'a=b',
  '=>',
  '[',
  ']',
  ',',
  '(',
  ')',
  '{',
  '}',
];
const strings = [
  '"a b"',
  '"v1.2.3"',
  '`a`',
  '"\\x41\\101"',
  '"\\xff"',
  '"\\u00e9"',
  '"\\ud800"',
  '"\\q"',
  '"',
  '`',
  "'a'",
  '"a\\"',
];
const comments = [
  '// indirect',
  '// indirect; x',
  '//',
  '// Deprecated: x',
  '//Deprecated:',
  '//\u0085x\ufeff',
  '/* x */',
  '// why',
];
const odd = [
  'é',
  '漢',
  '😀',
  '\ufeff',
  '\0',
  '\x7f',
  '\v',
  '\u00a0',
  '\u2028',
  '\u00ad',
  '\ufffd',
  '/',
  '\\',
  '=',
  '@',
];

const token = fc.oneof(
  ...[paths, versions, words, strings, odd].map(list => fc.constantFrom(...list)),
  fc.constantFrom(...paths, ...versions),
);
const anyLine = fc
  .tuple(
    fc.constantFrom(...verbs, 'new', ''),
    fc.array(token, { maxLength: 6 }),
    fc.constantFrom(' ', '\t', '  ', '', '\r'),
  )
  .map(([verb, tokens, blank]) => [verb, ...tokens].join(blank));

const path = fc.constantFrom(...paths, '"a"');
const version = fc.constantFrom(...versions, '"v1.2.3"');
const argumentsOf = fc.record({
  module: path,
  go: fc.constantFrom(...words.slice(0, 4)),
  toolchain: fc.constantFrom('go1.21', 'default', 'go2'),
  godebug: fc.constantFrom('a=b', 'a=b=c', '=', 'a'),
  require: fc.tuple(path, version).map(all => all.join(' ')),
  exclude: fc.tuple(path, version).map(all => all.join(' ')),
  replace: fc
    .tuple(path, fc.option(version), path, fc.option(version))
    .map(([a, v, b, w]) => `${a} ${v ?? ''} => ${b} ${w ?? ''}`),
  retract: fc.oneof(
    version,
    fc.tuple(version, version).map(([low, high]) => `[${low}, ${high}]`),
  ),
  tool: path,
  ignore: path,
});
const verb = fc.constantFrom(...verbs);

const comment = fc.constantFrom(...comments.filter(text => text !== '/* x */'));
const above = fc.array(fc.oneof(comment, fc.constant('')), { maxLength: 3 });
const behind = fc.oneof({ weight: 3, arbitrary: fc.constant('') }, comment);
const line = fc
  .tuple(above, verb, argumentsOf, behind)
  .map(([before, name, args, end]) => [...before, `${name} ${args[name]}${end}`]);
const block = fc
  .tuple(above, verb, fc.array(fc.tuple(above, argumentsOf, behind), { maxLength: 3 }), behind, above)
  .map(([before, name, lines, end, last]) => [
    ...before,
    `${name} (${end}`,
    ...lines.flatMap(([inner, args, suffix]) => [...inner, `\t${args[name]} ${suffix}`]),
    ...last,
    `)${end}`,
  ]);

/** Files that are mostly right, in blocks and lines with comments all over, some with CRLF or without a final newline. */
const likelyFile = fc
  .tuple(fc.array(fc.oneof(line, block), { maxLength: 4 }), fc.constantFrom('\n', '\r\n'), fc.boolean())
  .map(([statements, newline, isEnded]) => statements.flat().join(newline) + (isEnded ? newline : ''));

/** Files of the right tokens in any order. */
const anyFile = fc
  .array(fc.oneof(anyLine, fc.constantFrom(...comments), fc.constantFrom('(', ')', 'require (', ') x', 'retract ()')), {
    maxLength: 6,
  })
  .map(lines => lines.join('\n'));

/** A file in which a few bytes were changed, left out or repeated. */
const brokenFile = fc
  .tuple(
    fc.oneof(likelyFile, fc.constantFrom(...accepted.map(({ text }) => text))),
    fc.array(fc.tuple(fc.nat(), fc.nat(4), fc.oneof(token, fc.constantFrom('\n', ' ', '"', '(', ')')), fc.nat(255)), {
      minLength: 1,
      maxLength: 3,
    }),
  )
  .map(([text, changes]) => {
    let content = Buffer.from(text);
    for (const [where, length, word, byte] of changes) {
      const at = where % (content.length + 1);
      const put = byte < 128 ? Buffer.from(word) : Buffer.from([byte]);
      content = Buffer.concat([content.subarray(0, at), put, content.subarray(at + length)]);
    }
    return content;
  });

describe('any go.mod', () => {
  test('is parsed or refused with InvalidGoMod, whatever its bytes', () => {
    const content = fc.oneof(fc.uint8Array({ maxLength: 40 }), brokenFile, anyFile.map(bytes));
    fc.assert(
      fc.property(content, fc.constantFrom<GoModMode>('strict', 'lax'), (file, mode) => void problemsOf(file, mode)),
      { numRuns: 2000 },
    );
  });

  test('says the same with LF and CRLF', () => {
    fc.assert(
      fc.property(likelyFile, text => {
        const lf = text.replaceAll('\r', '');
        const crlf = lf.replaceAll('\n', '\r\n');
        assert.deepEqual(outcome(bytes(crlf), 'strict'), outcome(bytes(lf), 'strict'));
      }),
    );
  });

  test('that is accepted strictly is accepted as a dependency, and says the same to those who need it', () => {
    fc.assert(
      fc.property(likelyFile, text => {
        if (problemsOf(bytes(text), 'strict') !== undefined) return;
        const { toolchain: _, ...strict } = parseGoMod(bytes(text), { mode: 'strict' });
        const lax = parseGoMod(bytes(text), { mode: 'lax' });
        assert.deepEqual(lax, { ...strict, godebug: [], exclude: [], replace: [], tool: [] });
      }),
    );
  });
});

type Outcome = GoMod | { problems: InvalidGoMod['problems']; message: string };

function outcome(content: Uint8Array, mode: GoModMode): Outcome {
  try {
    return parseGoMod(content, { mode });
  } catch (error) {
    assert.ok(error instanceof InvalidGoMod);
    return { problems: error.problems, message: error.message };
  }
}

async function assertAgreesWithGo(files: readonly Uint8Array[]): Promise<void> {
  for (const mode of ['strict', 'lax'] as const) {
    const answers = await askGo(
      'gomod.parse',
      files.map(file => [Buffer.from(file).toString('base64'), mode]),
    );
    for (const [index, file] of files.entries()) {
      const ours = comparable(outcome(file, mode));
      const theirs = comparable(answers[index]?.ok);
      // The comment behind a string over two lines is the one we drop.
      if (Buffer.from(file).includes('\\\n') && ours.refused === theirs.refused) continue;
      assert.deepEqual(ours, theirs, `${mode}: ${JSON.stringify(Buffer.from(file).toString())}`);
    }
  }
}

/** Go quotes a byte of broken UTF-8 as \xNN; to us they are all alike. */
function comparable(result: unknown): { refused: boolean; text: unknown } {
  const text = JSON.stringify(result).replace(/\\\\x[89a-f][0-9a-f]/g, '\ufffd');
  return { refused: text.includes('"problems":'), text: JSON.parse(text) };
}

/** What is found without a look at the rest of the file, which may be wrong. */
const MODULE_LINES: [text: string, path: string | undefined][] = [
  ['module example.com/lib\n', 'example.com/lib'],
  ['// comment\n\n \t module\texample.com/lib \r\n', 'example.com/lib'],
  ['module "example.com/lib" // why\n', 'example.com/lib'],
  ['module `example.com/lib`', 'example.com/lib'],
  [String.raw`module "example.com\x2flib"`, 'example.com/lib'],
  ['module example.com//lib\n', 'example.com'],
  ['module a b\nmodule c\n', 'a b'],
  ['module (\n\texample.com/lib\n)\n', '('],
  ['module "example.com//lib"\nmodule c\n', undefined],
  ['module "a" "b"', undefined],
  [String.raw`module "\q"`, undefined],
  ['module ""', undefined],
  ['module ``', undefined],
  ['module\nmodule // x\nmodules a\nmodule//b\nmodule c', 'c'],
  ['go 1.20\rmodule a\n', undefined],
  ['\u00a0module\u00a0a\u0085\n', 'a'],
  ['\ufeffmodule a\n', undefined],
  ['', undefined],
];

for (const [text, path] of MODULE_LINES) {
  test(`the module line of ${JSON.stringify(text)} names ${path ?? 'nothing'}`, () => {
    assert.equal(findModulePath(bytes(text)), path);
  });
}

test('megabytes without a module line are passed over in no time', { timeout: 5000 }, () => {
  for (const line of ['\n', ' ', 'module', 'module ', ' module//\n', 'module "']) {
    assert.doesNotThrow(() => findModulePath(bytes(line.repeat(500_000))));
  }
});

describe('as Go reads it', { skip: skipWithoutGo }, () => {
  test('the module line alone', async () => {
    const piece = fc.constantFrom(
      ...[
        'module',
        'module',
        ' ',
        ' ',
        '\t',
        '\r',
        '\n',
        '\n',
        '"',
        '"',
        '`',
        '//',
        '\\',
        '\\x2f',
        '(',
        ')',
        'a/b',
        'v2',
      ],
      ...['\u00a0', '\u0085', '\u2028', '\ufeff', 'é', "'", '\v'],
    );
    const pieces = fc.array(piece, { maxLength: 12 }).map(list => list.join(''));
    const rest = fc.array(piece, { maxLength: 5 }).map(list => `\nmodule ${list.join('')}`);
    const texts = [
      ...MODULE_LINES.map(([text]) => text),
      ...fc.sample(fc.oneof(pieces, rest, likelyFile, anyFile), { seed: 6, numRuns: 5000 }),
    ];
    const answers = await askGo(
      'gomod.modulePath',
      texts.map(text => [Buffer.from(text).toString('base64')]),
    );
    for (const [i, text] of texts.entries()) {
      assert.equal(findModulePath(bytes(text)) ?? '', answers[i]?.ok, JSON.stringify(text));
    }
  });

  test('the tables above', async () => {
    await assertAgreesWithGo([...accepted, ...refused].map(({ text }) => bytes(text)));
  });

  test('files that are mostly right', async () => {
    await assertAgreesWithGo(fc.sample(likelyFile, { seed: 3, numRuns: 4000 }).map(bytes));
  });

  test('tokens in any order', async () => {
    await assertAgreesWithGo(fc.sample(anyFile, { seed: 4, numRuns: 4000 }).map(bytes));
  });

  test('files with faults', async () => {
    await assertAgreesWithGo(fc.sample(brokenFile, { seed: 5, numRuns: 4000 }));
  });

  test('characters that may or may not stand in a word', async () => {
    const ranges = [
      [0, 0x2ff],
      [0x2000, 0x206f],
      [0xfef0, 0xffff],
      [0xe000, 0xe010],
      [0x1f600, 0x1f610],
      [0xe0000, 0xe0010],
      [0x10fff0, 0x10ffff],
    ] as const;
    const codes = ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
    await assertAgreesWithGo(codes.map(code => bytes(`module x${String.fromCodePoint(code)}y`)));
  });
});
