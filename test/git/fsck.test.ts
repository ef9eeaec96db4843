import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkBlob, checkTreePath, isReadByGit } from '../../src/git/fsck.ts';
import { type PackedObject, packObject } from '../../src/git/packed-object.ts';
import { gitBytes } from '../support/git-bytes.ts';
import { packOf } from '../support/pack-of.ts';
import { gitIn } from '../support/plain-git.ts';
import { skipWithout } from '../support/skip-without.ts';
import { makeTemporaryFolder } from '../support/temporary-folder.ts';

const skip = skipWithout('git');

/** Ids of the objects, of these and no others, that `git fsck --strict` finds an error in. */
async function refusedByGit(objects: readonly PackedObject[]): Promise<Set<string>> {
  await using folder = await makeTemporaryFolder();
  gitBytes(folder.path, ['init', '--bare', '.']);
  gitBytes(folder.path, ['index-pack', '--stdin'], await packOf(objects));
  const { stderr } = await gitIn(folder.path).run('fsck', '--strict', '--no-dangling', '--no-progress');
  return new Set(stderr.split('\n').flatMap(line => /^error in (?:tree|blob) ([0-9a-f]{40})/.exec(line)?.[1] ?? []));
}

const treeOf = (name: string, blob: PackedObject): PackedObject =>
  packObject('tree', Buffer.concat([Buffer.from(`100644 ${name}\0`), Buffer.from(blob.id, 'hex')]));

/** Names made of the reserved ones by what file systems overlook, and by what they don't. */
const reserved = ['.git', 'git~1', '.gitmodules', 'gitmod~1', 'gi7eba~1', '.gitattributes', 'gitatt~1', 'gi7d29~1'];
const near = fc
  .tuple(
    fc.constantFrom(...reserved, '.gitignore', 'gi~1', 'gi7e~123', 'g7~12345', '.', '..'),
    fc.array(
      fc.tuple(
        fc.nat(12),
        fc.constantFrom('', ' ', '.', ':', '\\', '~', '1', '9', 'x', '\u200c', '\u202a', '\ufeff', '\u017f', 'I', 'é'),
      ),
      { maxLength: 2 },
    ),
    fc.constantFrom('as it is', 'as it is', 'upper', 'without its first letter'),
  )
  .map(([base, insertions, change]) => {
    let name = change === 'upper' ? base.toUpperCase() : change === 'without its first letter' ? base.slice(1) : base;
    for (const [at, text] of insertions) name = name.slice(0, at) + text + name.slice(at);
    return name;
  })
  .filter(name => name !== '');

test('names are refused exactly where git refuses them', { skip }, async () => {
  const names = [...new Set([...fc.sample(near, 3000), ...reserved, 'a', '.github', '.git.d', '.g\u200cit', 'git~2'])];
  const blob = packObject('blob', Buffer.from('ok'));
  const trees = names.map(name => treeOf(name, blob));
  const refused = await refusedByGit([blob, ...trees]);
  assert.ok(refused.size > 20, `git refused ${refused.size}`);
  for (const [i, name] of names.entries()) {
    const isRefused = refused.has(trees[i]?.id ?? '');
    assert.equal(checkTreePath(`dir/${name}/file`) !== undefined, isRefused, JSON.stringify(name));
  }
});

test('the files that git reads are known by all the names that it knows', { skip }, async () => {
  const names = [...new Set([...fc.sample(near, 3000), ...reserved])];
  const cases = names.map((name, i) => {
    const content = Buffer.from(`# ${i}\n[submodule "x"]\nurl = -x\n${'a'.repeat(3000)}\n`);
    const blob = packObject('blob', content);
    return { name, content, blob, tree: treeOf(name, blob) };
  });
  const refused = await refusedByGit(cases.flatMap(({ blob, tree }) => [blob, tree]));
  for (const { name, content, blob } of cases) {
    assert.equal(checkBlob(`dir/${name}`, content) !== undefined, refused.has(blob.id), JSON.stringify(name));
  }
});

const mostlyPlain = fc
  .array(
    fc.constantFrom(
      ...[...reserved, '.gitignore', 'GIT~1', 'GI7EBA~1', 'git', '.', '..', '~1', 'a', 'Z', '9', '_', '-', 'con'],
      ...['/', '/', '/', ':', '\\', '\0', '\n', ' ', '+', '@', '\u200c', '\ufeff', '\u017f', '\u212a', 'é', '\ud800'],
    ),
    { maxLength: 6 },
  )
  .map(pieces => pieces.join(''));

test('a path that one test lets pass is one that the closer look lets pass too', () => {
  // Git minds it whatever git reads it as.
  const refused = Buffer.from(`[submodule "x"]\nurl = -x\n${'a'.repeat(3000)}\n`);
  fc.assert(
    fc.property(mostlyPlain, path => {
      // The tilde asks for the closer look, and is nothing that git minds.
      assert.equal(checkTreePath(path), checkTreePath(`~/${path}`));
      assert.equal(isReadByGit(path), checkBlob(path, refused) !== undefined);
    }),
    { numRuns: 5000 },
  );
});

test('folders may be in each other as deep as git goes', () => {
  for (const name of ['d', '~', 'long-name']) {
    assert.equal(checkTreePath(`${name}/`.repeat(2047).concat('f')), undefined);
    assert.match(checkTreePath(`${name}/`.repeat(2048).concat('f')) ?? '', /at most 2048 folders/);
  }
});

const submoduleUrls = [
  'https://example.com/x',
  '../x',
  './../x',
  '../../x',
  '..:x',
  '../:x',
  '.././/x',
  '..//x',
  './:x',
  '-x',
  '--upload-pack=x',
  'git@host:x',
  'git://host/x',
  'git://host/%0a',
  'https://host/%0Ax',
  'https:///x',
  'https://',
  'https://user@/x',
  'https://u:p@h/x',
  'https::x',
  'https::http://h/x',
  'http::://h',
  'ftps://h',
  'ssh://-x/',
  '%0a',
  './%0a',
  '/abs',
  '',
  'https://h?x@y',
  'http://a@b@/x',
  'https://?x',
  'https://#',
  'file:///x',
  'ext::sh',
  'https://%0a/x',
  '"a\\nb"',
  '"https://h/\\n"',
  '"./\\n"',
  '" -x"',
  '"-x"',
  '\\"-x',
  '-"x"',
  '; c',
  '../',
  './-x',
  'https://h:80/x',
  'https://h%0a',
  'https://h%0a:80/x',
  'https://h:%0a/x',
  'https://:%0a',
  'https://u%0a@h/x',
  'https://u:%0a@h/x',
  'https://u:p%0a:q@h/x',
  'https://h/%0ax',
  'https://h/%0a:x',
  'https://h//:%0ax',
  'https://h?%0ax',
  '"https::a\\nb://h/x"',
  'https::a%0ab://h/x',
];

const moduleFiles = [
  ...submoduleUrls.map(url => `[submodule "x"]\n\turl = ${url}\n`),
  ...['../x', 'a/../b', 'a\\\\..\\\\b', '..', '', 'a..b', '.', 'a/..', '..a', 'x\\"..', '\\../x'].map(
    name => `[submodule "${name}"]\npath = x\n`,
  ),
  ...['-x', 'x', '"-x"', '"" -x', '', '\\\n-x', ' -x', '=-x'].map(path => `[submodule "x"]\npath = ${path}\n`),
  ...['!x', 'none', '"!x"', ' !x', '\\t!x', '#!x', 'checkout'].map(update => `[submodule "x"]\nupdate = ${update}\n`),
  '[submodule.x]\nurl = -x\n',
  '[submodule.X..]\nurl = -x\n',
  '[submodule]\nx.url = -x\n',
  '[SubModule "x"]\nURL = -x',
  '[submodule "x"] url = -x\n',
  '[submodule "x"]\r\nurl = -x\r\n',
  '[submodule "x"]\nurl = a\rb\n',
  '[submodule "x"]\nbroken broken\nurl = -x\n',
  '[submodule "x"]\nurl\n',
  '[submodule "x"\nurl = -x\n',
  '[submodule "x" ]\nurl = -x\n',
  '[submodule\t"x"]\nurl = -x\n',
  '[submodule"x"]\nurl = -x\n',
  'url = -x\n',
  '[other "x"]\nurl = -x\n',
  '[submodule "x"]\nurl = "a\nurl = -x\n',
  '[submodule "x"]\nurl = a\\x\nurl = -x\n',
  '[submodule "x"]\n url=-x;y\n',
  '; [submodule "x"]\n',
  '[submodule "x"];c\nurl = -x\n',
  '[submodule "x"] # c\nurl = -x # c\n',
  '[submodule "x"]\n1url = -x\n',
  '[submodule "x"]\nu_rl = a\nurl = -x\n',
  '[submodule "x"]\nfoo.bar = 1\n',
  '[sub_module "x"]\nurl = -x\n[submodule "y"]\nurl = -x\n',
  '',
  '\n\n',
  '[submodule "x"]\nurl =\n',
  '[submodule ""]\n',
  '[submodule "x"]\nurl = -x\0',
  '\0',
  '[submodule "x"]\n\0url = -x\n',
  '[submodule "x"]\nurl = "-\\bx"\n',
  '[submodule "a\\\nb"]\nurl = -x\n',
  '[submodule "x"]\n\x0burl = -x\n',
];

const token = fc.constantFrom(
  '[submodule "x"]',
  '[submodule "',
  '"]',
  '[',
  ']',
  'url',
  'path',
  'update',
  '=',
  ' = ',
  '-x',
  '!x',
  '..',
  '/',
  '"',
  '\\',
  '\n',
  '\r\n',
  '\r',
  ' ',
  '\t',
  '#',
  ';',
  'https://',
  'h',
  '%0a',
  '@',
  ':',
  '\\n',
  '\\"',
  '.',
  'submodule',
);
const tokens = fc
  .tuple(fc.constantFrom('', 'url', 'url = ', 'url = -x\n', 'path=', '[submodule "'), fc.array(token, { maxLength: 8 }))
  .map(([start, parts]) => `[submodule "x"]\n${start}${parts.join('')}`);

test('.gitmodules is refused exactly where git refuses it', { skip }, async () => {
  const contents = [...new Set([...moduleFiles, ...fc.sample(tokens, { numRuns: 4000, seed: 1 })])].map(text =>
    Buffer.from(text),
  );
  const blobs = contents.map(content => packObject('blob', content));
  const refused = await refusedByGit([...blobs, ...blobs.map(blob => treeOf('.gitmodules', blob))]);
  assert.ok(refused.size > 100, `git refused ${refused.size}`);
  for (const [i, content] of contents.entries()) {
    const isRefused = refused.has(blobs[i]?.id ?? '');
    assert.equal(checkBlob('.gitmodules', content) !== undefined, isRefused, JSON.stringify(content.toString()));
  }
});

test('.gitattributes is refused exactly where git refuses it', { skip }, async () => {
  const line = (length: number) => '*'.repeat(length);
  const contents = [
    '',
    'a text\n',
    line(2047),
    line(2048),
    line(2049),
    `${line(2047)}\n${line(2047)}\n`,
    `a\n${line(2048)}\n`,
    `${line(2048)}\na`,
    `${line(2047)}\r\n`,
    `a\n\0${line(3000)}\n`,
    `${line(2047)}\0${line(10)}`,
    `${line(2048)}\0`,
    '\n'.repeat(5000),
  ].map(text => Buffer.from(text));
  const blobs = contents.map(content => packObject('blob', content));
  const refused = await refusedByGit([...blobs, ...blobs.map(blob => treeOf('.gitattributes', blob))]);
  assert.ok(refused.size >= 4);
  for (const [i, content] of contents.entries()) {
    assert.equal(checkBlob('x/.gitattributes', content) !== undefined, refused.has(blobs[i]?.id ?? ''), `case ${i}`);
  }
});

test('checks of hostile content end soon and do not throw', () => {
  const long = 900_000;
  for (const text of [
    'a'.repeat(long),
    '"'.repeat(long),
    '\\n'.repeat(long / 2),
    '[submodule "'.repeat(long / 12),
    '""'.repeat(long / 2),
    ' '.repeat(long),
  ]) {
    checkBlob('.gitmodules', Buffer.from(`[submodule "x"]\nurl = ${text}`));
    checkBlob('.gitmodules', Buffer.from(text));
    checkBlob('.gitattributes', Buffer.from(text));
    checkTreePath(text);
  }
  assert.match(checkBlob('.gitmodules', Buffer.alloc(2_000_000, '\n')) ?? '', /over 1 MB/);
});

test('a byte order mark hides nothing, though it does from git 2.39', () => {
  assert.notEqual(checkBlob('.gitmodules', Buffer.from('\ufeff[submodule "x"]\nurl = -x\n')), undefined);
});

for (const path of ['', '/a', 'a/', 'a//b', '.', 'a/..', 'a/./b', 'a\0b', 'd/'.repeat(2048).concat('f')]) {
  test(`no tree can hold ${JSON.stringify(path.slice(0, 20))}`, () => {
    assert.notEqual(checkTreePath(path), undefined);
  });
}
