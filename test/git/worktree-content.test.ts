import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { readAttributes } from '../../src/git/attributes.ts';
import { hashObject } from '../../src/git/object-id.ts';
import { encodeForWorkingTree, UnknownEncoding } from '../../src/git/working-tree-encoding.ts';
import { toWorktreeContent } from '../../src/git/worktree-content.ts';
import { archiveAsGo, makeGoRepository } from '../support/archive-as-go.ts';
import { makeCommit } from '../support/make-commit.ts';
import { skipWithout } from '../support/skip-without.ts';
import { makeTemporaryFolder } from '../support/temporary-folder.ts';

const skip = skipWithout('git');

/** One character a byte, so that contents need not be UTF-8. */
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const utf8 = (text: string): string => Buffer.from(text).toString('latin1');

interface ContentCase {
  readonly name: string;
  readonly settings: string;
  readonly content: string;
  /** As `content` unless given; `ID` stands for the blob's id. */
  readonly expected?: string;
}

const auto = 'text=auto eol=crlf';
const manyLetters = 'a'.repeat(128);

const cases: readonly ContentCase[] = [
  {
    name: 'eol=crlf converts LF and leaves CRLF and CR',
    settings: 'eol=crlf',
    content: '\na\n\r\nb\rc\n',
    expected: '\r\na\r\n\r\nb\rc\r\n',
  },
  { name: 'eol=crlf has nothing to do where all is CRLF', settings: 'eol=crlf', content: 'a\r\nb\r' },
  {
    name: 'eol=crlf converts what is no text as well',
    settings: 'eol=crlf',
    content: '\0\xff\n',
    expected: '\0\xff\r\n',
  },
  { name: 'CR CR LF is a CR and a CRLF', settings: 'eol=crlf', content: '\r\r\n\n', expected: '\r\r\n\r\n' },
  { name: 'auto converts text', settings: auto, content: 'a\n\xff\x80\nb\n', expected: 'a\r\n\xff\x80\r\nb\r\n' },
  { name: 'auto leaves a file with a CRLF', settings: auto, content: 'a\r\nb\n' },
  { name: 'auto leaves a file with a CR', settings: auto, content: 'a\rb\n' },
  { name: 'auto leaves a file with a NUL', settings: auto, content: `${manyLetters.repeat(3)}\0\n` },
  {
    name: 'auto leaves a file with a control character to less than 128 others',
    settings: auto,
    content: `${manyLetters.slice(1)}\x01\n`,
  },
  {
    name: 'auto converts a file with a control character to 128 others',
    settings: auto,
    content: `${manyLetters}\x01\n`,
    expected: `${manyLetters}\x01\r\n`,
  },
  { name: 'auto counts DEL as a control character', settings: auto, content: 'a\x7f\n' },
  {
    name: 'auto counts backspace, tab, form feed and escape as text',
    settings: auto,
    content: '\b\t\f\x1b\n',
    expected: '\b\t\f\x1b\r\n',
  },
  { name: 'auto forgives a mark of the end of the file', settings: auto, content: 'a\n\x1a', expected: 'a\r\n\x1a' },
  { name: 'auto forgives only the last one', settings: auto, content: 'a\n\x1a\x1a' },
  { name: 'auto does not count line feeds', settings: auto, content: `${manyLetters.slice(1)}\n\n\n\x01` },
  { name: 'text alone converts nothing', settings: 'text', content: 'a\n\r\n' },
  { name: 'eol=lf takes no CR away', settings: 'text eol=lf', content: 'a\r\nb\n' },
  {
    name: 'ident expands',
    settings: 'ident',
    content: 'a $Id$ b $Id$$Id$',
    expected: 'a $Id: ID $ b $Id: ID $$Id: ID $',
  },
  {
    name: 'ident replaces what stands there',
    settings: 'ident',
    content: '$Id:$ $Id: $ $Id:a$ $Id: abc $ $Id:abc $ $Id:  $',
    expected: '$Id: ID $ $Id: ID $ $Id: ID $ $Id: ID $ $Id: ID $ $Id: ID $',
  },
  {
    name: 'ident leaves the marks of others',
    settings: 'ident',
    content: '$Id: a b $ $Id: x.c,v 1.2 2003/04/05 ann Exp $ $Id:   $ $Id: a  $',
  },
  { name: 'ident needs both ends in one line', settings: 'ident', content: '$Id: a\nb$ $Id\n$ $Id $Idx$ $id$ $Id:' },
  {
    name: 'the end of a mark that stays may begin another',
    settings: 'ident',
    content: '$Id: a b $Id$',
    expected: '$Id: a b $Id: ID $',
  },
  {
    name: 'a mark may begin in one that is not closed',
    settings: 'ident',
    content: '$Id: a\n$Id$',
    expected: '$Id: a\n$Id: ID $',
  },
  { name: 'ident does not look for UTF-8', settings: 'ident', content: '\xff$Id:\xff$', expected: '\xff$Id: ID $' },
  {
    name: 'an id within CRLF is of the blob',
    settings: 'ident eol=crlf',
    content: '$Id$\n',
    expected: '$Id: ID $\r\n',
  },
  {
    name: 'the encoding comes last',
    settings: 'eol=crlf working-tree-encoding=UTF-16LE',
    content: '\n',
    expected: '\r\0\n\0',
  },
  {
    name: 'UTF-16 begins with a mark',
    settings: 'working-tree-encoding=UTF-16',
    content: utf8('aé\u{1f600}'),
    expected: '\xff\xfea\0\xe9\0\x3d\xd8\0\xde',
  },
  {
    name: 'UTF-16LE-BOM does so too',
    settings: 'working-tree-encoding=utf16le-bom',
    content: 'a',
    expected: '\xff\xfea\0',
  },
  {
    name: 'UTF-16BE-BOM has its own',
    settings: 'working-tree-encoding=UTF-16BE-BOM',
    content: 'a',
    expected: '\xfe\xff\0a',
  },
  { name: 'UTF-16LE has none', settings: 'working-tree-encoding=UTF-16LE', content: 'a', expected: 'a\0' },
  { name: 'UTF-16BE has none', settings: 'working-tree-encoding=utf-16be', content: 'a', expected: '\0a' },
  {
    name: 'a mark in the blob stays',
    settings: 'working-tree-encoding=UTF-16',
    content: utf8('\ufeffa'),
    expected: '\xff\xfe\xff\xfea\0',
  },
  {
    name: 'UTF-32 begins with a mark',
    settings: 'working-tree-encoding=UTF-32',
    content: 'a',
    expected: '\xff\xfe\0\0a\0\0\0',
  },
  { name: 'UTF-32BE has none', settings: 'working-tree-encoding=UTF-32BE', content: 'a', expected: '\0\0\0a' },
  {
    name: 'a character set of one byte',
    settings: 'working-tree-encoding=ISO-8859-1',
    content: utf8('aé'),
    expected: 'a\xe9',
  },
  { name: "git's other name for it", settings: 'working-tree-encoding=latin-1', content: utf8('é'), expected: '\xe9' },
  {
    name: 'a character set of Windows',
    settings: 'working-tree-encoding=windows-1252',
    content: utf8('€'),
    expected: '\x80',
  },
  {
    name: 'a character set of two bytes',
    settings: 'working-tree-encoding=GBK',
    content: utf8('日'),
    expected: '\xc8\xd5',
  },
  {
    name: 'what the character set lacks is left, line ends converted',
    settings: 'eol=crlf working-tree-encoding=ISO-8859-1',
    content: utf8('é€\n'),
    expected: utf8('é€\r\n'),
  },
  {
    name: 'so is what is no UTF-8',
    settings: 'eol=crlf working-tree-encoding=UTF-16',
    content: '\xe9\n',
    expected: '\xe9\r\n',
  },
  { name: 'so is half a character at the end', settings: 'working-tree-encoding=UTF-16', content: 'a\xe2\x82' },
  { name: 'so is a surrogate', settings: 'working-tree-encoding=UTF-32LE', content: 'a\xed\xa0\x80' },
  { name: 'so is the replacement character', settings: 'working-tree-encoding=CP1252', content: utf8('\ufffd') },
  { name: 'a tag is left out', settings: 'working-tree-encoding=ASCII', content: utf8('a\u{e0041}b'), expected: 'ab' },
  { name: 'an empty file gets no mark', settings: 'working-tree-encoding=UTF-16', content: '' },
  { name: 'an empty file has any encoding', settings: 'working-tree-encoding=SHIFT-JIS', content: '' },
  { name: 'filters do not run', settings: 'filter=lfs', content: 'version https://git-lfs.github.com/spec/v1\n' },
  { name: 'export-subst does nothing', settings: 'export-subst', content: '$Format:%H$' },
  { name: 'export-ignore does nothing', settings: 'export-ignore', content: 'a' },
];

const convert = (content: Buffer, settings: string): Buffer => {
  const attributes = readAttributes([{ path: '.gitattributes', content: Buffer.from(`f ${settings}`) }]);
  return toWorktreeContent({ id: hashObject('blob', content), content }, attributes.of('f'));
};
const expectedOf = ({ content, expected = content }: ContentCase): string =>
  expected.replaceAll('ID', hashObject('blob', bytes(content)));

for (const each of cases) {
  test(each.name, () => {
    const content = bytes(each.content);
    const converted = convert(content, each.settings);
    assert.equal(converted.toString('latin1'), expectedOf(each));
    if (each.expected === undefined) assert.equal(converted, content, 'the same Buffer');
  });
}

test('git does the same in all these cases', { skip }, async () => {
  const attributes = cases.map(({ settings }, i) => `/f${i} ${settings}\n`).join('');
  const contents = Object.fromEntries(cases.map(({ content }, i) => [`f${i}`, bytes(content)]));
  const commit = makeCommit({ files: { ...contents, '.gitattributes': attributes } });
  await using folder = await makeTemporaryFolder();
  await makeGoRepository(folder.path, commit.objects);
  const archived = await archiveAsGo(folder.path, commit.id);
  for (const [i, each] of cases.entries()) {
    assert.equal(archived.get(`f${i}`)?.toString('latin1'), expectedOf(each), each.name);
  }
});

for (const encoding of [
  'SHIFT-JIS',
  'EUC-JP',
  'GB18030',
  'CP1258',
  'UTF-7',
  'UTF-16XX',
  'U-T-F-16',
  'ASCII//TRANSLIT',
  'constructor',
]) {
  test(`${encoding} is not guessed at`, () => {
    assert.throws(() => convert(Buffer.from('a'), `working-tree-encoding=${encoding}`), {
      name: 'UnknownEncoding',
      encoding,
    });
  });
}

/** Every character of 16 bits but the line feed, which goes between them. */
const characters = Array.from({ length: 0x10000 }, (_, code) => String.fromCodePoint(code)).filter(
  char => char !== '\n' && char !== '\ufffd' && !/\p{Surrogate}/u.test(char),
);

test('the character sets that are known are those of iconv', { skip: skipWithout('iconv') }, () => {
  const run = (args: string[], input = '') => spawnSync('iconv', args, { input, maxBuffer: 2 ** 24 }).stdout;
  const isKnown = (name: string) => {
    try {
      return encodeForWorkingTree(Buffer.from('a'), name).byteLength === 1;
    } catch (error) {
      assert.ok(error instanceof UnknownEncoding);
      return false;
    }
  };
  const names =
    run(['--list'])
      .toString()
      .match(/[^\s/]+(?=\/)/g) ?? [];
  const known = names.filter(name => !/^UTF-?8$/.test(name) && isKnown(name));
  assert.ok(known.length > 50, `of those of iconv ${known} are known`);
  for (const name of known) {
    // What the set lacks is left out.
    const lines = run(['-c', '-f', 'UTF-8', '-t', name], characters.join('\n')).toString('latin1').split('\n');
    const has = characters.filter((_, i) => lines[i] !== '');
    const lacks = characters.filter((_, i) => lines[i] === '');
    const encoded = encodeForWorkingTree(Buffer.from(has.join('\n')), name).toString('latin1');
    assert.ok(encoded === lines.filter(line => line !== '').join('\n'), `what ${name} has`);
    for (const char of lacks.filter((_, i) => i % 101 === 0)) {
      const content = Buffer.from(char);
      assert.equal(encodeForWorkingTree(content, name), content, `${name} lacks ${JSON.stringify(char)}`);
    }
  }
});

const fileName = fc.constantFrom(
  ...['x', 'y', 'x.txt', 'x.go', 'X.TXT', 'y.c', 'x.y.txt', 'a b.txt', 'é.txt', '[x].txt', 'x*', 'x"y', '!x', '#x'],
  ...['[attr]x', 'x]', '\\x', '-x', 'x\ty', '\ufeff*', 'text'],
);
const directory = fc.constantFrom('', 'a/', 'a/b/', 'a/b/c/', 'é/', 'a b/', 'b/a/b/');
const path = fc.tuple(directory, fileName).map(parts => parts.join(''));

/** Part of a path with a few changes, which often matches it still. */
const glob = fc.oneof(
  fc.constantFrom(
    ...[
      '*',
      '*',
      '*',
      '*',
      '*',
      '*',
      '*',
      '*x*',
      'x*',
      '[!x]*',
      '?*',
      '*.txt',
      '/x',
      'a/**',
      'b',
      'a/',
      '**/b/*',
      '/a/*',
    ],
  ),
  fc
    .tuple(
      path,
      fc.array(
        fc.tuple(
          fc.nat(12),
          fc.nat(4),
          fc.constantFrom('*', '**', '?', '/', '/**/', '**/', '[a-x]', '[!a]', '[[:lower:]]', '[', '\\', 'x', '!', '.'),
        ),
        { maxLength: 2, size: 'max' },
      ),
    )
    .map(([start, changes]) =>
      changes.reduce((text, [at, length, part]) => text.slice(0, at) + part + text.slice(at + length), start),
    )
    // Here versions of git differ.
    .filter(text => !/^[^*?[\\]*[^*?[\\/]\*\*/.test(text)),
);
const quotedGlob = fc
  .tuple(glob, fc.oneof({ weight: 9, arbitrary: fc.constant('') }, fc.constantFrom('\\000', '\\', '\\q', '\\47', '"')))
  .map(([text, end]) => `"${text.replaceAll(/["\\]/g, '\\$&').replaceAll('\t', '\\t')}${end}"`);
const setting = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.constantFrom(
      ...['text', '-text', '!text', 'text=auto', 'text=auto', 'text=x', 'crlf', '-crlf', 'crlf=auto', 'crlf=input'],
      ...[
        'eol=crlf',
        'eol=crlf',
        'eol=crlf',
        'eol=crlf',
        'eol=lf',
        '!eol',
        '-eol',
        'ident',
        'ident',
        '-ident',
        '!ident',
      ],
    ),
  },
  {
    weight: 5,
    arbitrary: fc.constantFrom(
      ...['binary', '-binary', '!binary', 'one', 'two', '-one', '!two', 'diff', '-diff', 'filter=lfs', 'export-subst'],
    ),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom('UTF-16', 'utf16le-bom', 'UTF-16BE', 'UTF-32', 'utf8', 'ISO-8859-1', 'cp1251', 'GBK', '')
      .map(name => `working-tree-encoding=${name}`),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('!working-tree-encoding', 'a@b', '--x', '=x', '!', 'é', 'a=é', 'export-ignore'),
  },
);
const settings = fc
  .array(fc.tuple(fc.constantFrom(' ', ' ', '\t', ' \r '), setting), { minLength: 1, maxLength: 4, size: 'max' })
  .map(words => words.flat().join(''));
const macro = fc.constantFrom('one', 'two', 'binary', 'text', 'ident', 'diff', 'export-subst', '-x', ' one', '');
const line = fc
  .tuple(
    fc.oneof(
      { weight: 6, arbitrary: glob },
      { weight: 2, arbitrary: quotedGlob },
      { weight: 3, arbitrary: macro.map(name => `[attr]${name}`) },
      { weight: 1, arbitrary: fc.constantFrom('#', ' ', '"[attr]one"', '"[attr] two"') },
    ),
    settings,
    fc.oneof(
      { weight: 40, arbitrary: fc.constant('\n') },
      fc.constantFrom('\r\n', '', '\0\n', `${' '.repeat(2030)}\n`),
    ),
  )
  .map(parts => parts.join(''));
const attributeFile = fc
  .tuple(
    fc.oneof({ weight: 20, arbitrary: fc.constant('') }, fc.constant('\ufeff')),
    fc.array(line, { minLength: 2, maxLength: 12, size: 'max' }),
  )
  .map(([start, lines]) => start + lines.join(''));

const content = fc
  .array(
    fc.constantFrom(
      ...['a', 'a', '\n', '\n', '\n', '\n', '\r\n', '\r', '\0', '\x1a', '\x7f', '\x01', '\t', ' ', manyLetters, '\xff'],
      ...['$Id$', '$Id$', '$Id:a $', '$Id: a b $', '$Id:$', '$Id:', '$Id', '$', '$Format:%H$'],
      ...['é', 'é', '€', 'ж', '日', '\u{1f600}', '\ufeff', '\ufffd', '\u{e0041}'].map(utf8),
    ),
    { maxLength: 8, size: 'max' },
  )
  .map(parts => bytes(parts.join('')));
const directories = fc.dictionary(
  directory.map(name => `${name}.gitattributes`),
  attributeFile,
  { maxKeys: 3 },
);
const tree = fc.record({
  attributes: fc.tuple(attributeFile, directories).map(([root, others]) => ({ '.gitattributes': root, ...others })),
  contents: fc.dictionary(path, content, { minKeys: 60, maxKeys: 90, size: 'max' }),
});

test('the files of any tree are those that git archives', { skip }, async () => {
  const trees = fc.sample(tree, { seed: 20260302, numRuns: 50 }).map(({ attributes, contents }) => {
    const files = new Map(Object.entries({ ...contents, ...attributes }).map(([at, file]) => [at, Buffer.from(file)]));
    return { attributes, files, commit: makeCommit({ files: Object.fromEntries(files) }) };
  });
  await using folder = await makeTemporaryFolder();
  await makeGoRepository(
    folder.path,
    trees.flatMap(({ commit }) => commit.objects),
  );
  let converted = 0;
  for (const { attributes: texts, files, commit } of trees) {
    const archived = await archiveAsGo(folder.path, commit.id);
    assert.equal(archived.size, files.size);
    const attributes = readAttributes(
      Object.entries(texts).map(([at, text]) => ({ path: at, content: Buffer.from(text) })),
    );
    for (const [at, blob] of files) {
      const ours = toWorktreeContent({ id: hashObject('blob', blob), content: blob }, attributes.of(at));
      if (ours !== blob) converted += 1;
      const difference = () => JSON.stringify({ at, texts, blob: blob.toString('latin1') });
      assert.equal(ours.toString('latin1'), archived.get(at)?.toString('latin1'), difference());
    }
  }
  assert.ok(converted > 500, `${converted} were converted`);
});
