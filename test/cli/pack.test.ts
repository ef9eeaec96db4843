import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { type PackedModule, PackRefused, packModule, runPack } from '../../src/cli/pack.ts';
import { hashFiles } from '../../src/gomod/h1.ts';
import { parseModulePath } from '../../src/gomod/module-path.ts';
import { parseVersion } from '../../src/gomod/version.ts';
import { readZip } from '../../src/zip/read-zip.ts';
import { checkZipEntries } from '../support/check-zip-entries.ts';
import { contentOfEntry } from '../support/content-of-entry.ts';
import { askGo, skipWithoutGo } from '../support/go-oracle.ts';
import { never } from '../support/never.ts';
import { makeTemporaryFolder } from '../support/temporary-folder.ts';

const module = 'example.com/lib';
const version = 'v1.2.3';

/** What to put at a path: text, a link's target, an empty folder, or something that is no file. */
type Item = string | { link: string } | { bytes: number } | 'FOLDER' | 'FIFO' | 'SOCKET';

const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close();
});

async function plant(root: string, items: Record<string, Item>): Promise<void> {
  for (const [path, item] of Object.entries(items)) {
    // Names are given as Latin-1 where they are to be bytes that are no UTF-8.
    const target = path.includes('\xff') ? Buffer.from(join(root, path), 'latin1') : join(root, path);
    await mkdir(item === 'FOLDER' ? target : dirname(join(root, path)), { recursive: true });
    if (item === 'FOLDER') continue;
    if (item === 'FIFO') await promisify(execFile)('mkfifo', [join(root, path)]);
    else if (item === 'SOCKET') servers.push(await listen(join(root, path)));
    else if (typeof item === 'string') await writeFile(target, item);
    else if ('link' in item) await symlink(item.link, target);
    else {
      await writeFile(target, '');
      await truncate(target, item.bytes);
    }
  }
}

async function listen(path: string): Promise<Server> {
  const server = createServer().listen(path);
  await once(server, 'listening');
  return server;
}

const goMod = `module ${module}\n\ngo 1.22\n`;
const young = `module ${module}\n\ngo 1.24\n`;
const mebi = 1024 * 1024;

/** Directories, and whether they can be packed. Go is asked the same. */
const DIRECTORIES: [title: string, items: Record<string, Item>, isPackable: boolean][] = [
  [
    'an ordinary module',
    { 'go.mod': goMod, LICENSE: 'MIT', 'lib.go': 'package lib\n', 'sub/sub.go': 'package sub\n' },
    true,
  ],
  ['no LICENSE', { 'go.mod': goMod, 'lib.go': 'package lib\n' }, true],
  ['no go.mod', { 'lib.go': 'package lib\n', LICENSE: 'MIT' }, true],
  ['nothing', {}, true],
  ['only empty folders', { 'a/b/c': 'FOLDER', d: 'FOLDER' }, true],
  ['empty files', { 'go.mod': goMod, a: '', 'b/c': '' }, true],
  [
    'links to files, folders, nowhere and out of it',
    { 'go.mod': goMod, a: 'x', b: { link: 'a' }, c: { link: '.' }, d: { link: 'gone' }, e: { link: '/etc/passwd' } },
    true,
  ],
  ['a pipe and a socket', { 'go.mod': goMod, p: 'FIFO', s: 'SOCKET' }, true],
  ['nested modules', { 'go.mod': goMod, 'a/go.mod': 'module a', 'a/x.go': 'x', 'a/b/c.go': 'x', 'ab/x.go': 'x' }, true],
  [
    'a nested module in upper case',
    { 'go.mod': goMod, 'a/GO.MOD': 'x', 'a/x.go': 'x', 'a/b/c.go': 'x', 'b.go': 'x' },
    true,
  ],
  ['a nested module by a link', { 'go.mod': goMod, 'a/go.mod': { link: '../go.mod' }, 'a/x.go': 'x' }, true],
  ['folders called go.mod', { 'go.mod': goMod, 'a/go.mod/x.go': 'x', 'a/y.go': 'x' }, true],
  ['a folder called go.mod at the root', { 'go.mod/x.go': 'x', 'y.go': 'x' }, true],
  [
    'vendor with modules.txt',
    { 'go.mod': goMod, 'vendor/modules.txt': 'x', 'vendor/a.org/b/c.go': 'x', 'vendor/x.go': 'x' },
    true,
  ],
  [
    'vendor with modules.txt since 1.24',
    { 'go.mod': young, 'vendor/modules.txt': 'x', 'vendor/a.org/b/c.go': 'x', 'vendor/x.go': 'x' },
    true,
  ],
  ['vendor without modules.txt', { 'go.mod': goMod, 'vendor/a.org/b/c.go': 'x', 'vendor/a.org/b/go.mod': 'x' }, true],
  [
    'vendor further down',
    { 'go.mod': goMod, 'a/vendor/x.go': 'x', 'a/vendor/b/y.go': 'x', 'vendor/vendor/x.go': 'x' },
    true,
  ],
  [
    'vendor further down since 1.24',
    { 'go.mod': young, 'a/vendor/x.go': 'x', 'a/vendor/b/y.go': 'x', 'é/vendor/x.go': 'x' },
    true,
  ],
  ['vendor of no go.mod', { 'vendor/modules.txt': 'x', 'a/vendor/x.go': 'x' }, true],
  [
    'folders of version control',
    {
      'go.mod': goMod,
      '.git/HEAD': 'x',
      'a/.git/config': 'x',
      '.hg/x': 'x',
      '.svn/x': 'x',
      'b/.bzr/x': 'x',
      '.gitignore': 'x',
    },
    true,
  ],
  ['a .git that is a file', { 'go.mod': goMod, '.git': 'gitdir: ../x', 'a/.hg': 'x' }, true],
  ['what hg archive adds', { 'go.mod': goMod, '.hg_archival.txt': 'x', 'a/.hg_archival.txt': 'x' }, true],
  [
    'files and folders with _ and . in front, and testdata',
    { 'go.mod': goMod, '_a/b.go': 'x', '.c/d.go': 'x', '_e.go': 'x', '.f': 'x', 'testdata/g/h.go': 'x' },
    true,
  ],
  ['names with spaces and signs', { 'go.mod': goMod, 'a b/c d.go': 'x', ' x': 'x', 'a!#$%&()+,-=@[]^_{}~': 'x' }, true],
  [
    'names in other scripts',
    { 'go.mod': goMod, 'é.go': 'x', '日本/語.go': 'x', Ω: 'x', '\u{20000}.go': 'x', '\uff41.go': 'x' },
    true,
  ],
  [
    'names that sort unlike in UTF-16',
    { 'go.mod': goMod, '\u{10400}': 'x', '\uff41': 'y', 'a.b': 'x', 'a/b': 'x', 'a-b': 'x' },
    true,
  ],
  ['a large file', { 'go.mod': goMod, 'data.bin': { bytes: 20 * mebi } }, true],
  ['the largest LICENSE', { 'go.mod': goMod, LICENSE: { bytes: 16 * mebi } }, true],
  ['a LICENSE that is too large', { 'go.mod': goMod, LICENSE: { bytes: 16 * mebi + 1 } }, false],
  ['too much', { 'go.mod': goMod, a: { bytes: 300 * mebi }, b: { bytes: 300 * mebi } }, false],
  [
    'too much, but vendored',
    { 'go.mod': goMod, 'vendor/a/a': { bytes: 300 * mebi }, 'vendor/a/b': { bytes: 300 * mebi } },
    true,
  ],
  ['GO.MOD', { 'GO.MOD': goMod }, false],
  ['files that differ in case', { 'go.mod': goMod, 'a.go': 'x', 'A.go': 'x' }, false],
  ['folders that differ in case', { 'go.mod': goMod, 'a/x.go': 'x', 'A/y.go': 'x' }, false],
  ['names that differ in case beyond ASCII', { 'go.mod': goMod, 'ſ.go': 'x', 's.go': 'x' }, false],
  ['names that Windows reserves', { 'go.mod': goMod, 'aux.go': 'x', 'a/con': 'x' }, false],
  ['names that Windows reserves, but in another module', { 'go.mod': goMod, 'a/go.mod': 'x', 'a/aux.go': 'x' }, true],
  ['signs that Windows reserves', { 'go.mod': goMod, 'a:b': 'x', 'c*': 'x', 'd\\e': 'x', 'f"g': 'x' }, false],
  ['accents that are no letters', { 'go.mod': goMod, 'e\u0301.go': 'x' }, false],
  ['signs and pictures', { 'go.mod': goMod, '😀.go': 'x' }, false],
  ['control characters', { 'go.mod': goMod, 'a\nb': 'x', 'c\x1b[31m': 'x' }, false],
  ['names that are no UTF-8', { 'go.mod': goMod, 'caf\xff': 'x' }, false],
  ['names that are no UTF-8, but vendored', { 'go.mod': goMod, 'vendor/a/caf\xff': 'x' }, true],
  ['a dot at the end', { 'go.mod': goMod, 'a.': 'x' }, false],
];

for (const [title, items, isPackable] of DIRECTORIES) {
  test(`a directory with ${title} ${isPackable ? 'makes the zip that Go makes' : 'is refused, as Go refuses it'}`, async t => {
    await using folder = await makeTemporaryFolder();
    const directory = join(folder.path, 'm');
    await mkdir(directory);
    await plant(directory, items);
    const file = join(folder.path, 'm.zip');
    const packing = packModule({ directory, version, module, out: file });
    const packed = isPackable ? await packing : await assert.rejects(packing, PackRefused);
    if (packed) await checkZip(packed, file);
    else assert.deepEqual(await readdir(folder.path), ['m'], 'a refusal leaves no file');
    if (skipWithoutGo) return t.diagnostic(skipWithoutGo);
    const [answer] = await askGo('zip.createFromDir', [[module, version, directory]]);
    assert.equal(answer?.error === undefined, isPackable, answer?.error);
    if (!packed) return;
    assert.ok(answer?.ok && typeof answer.ok === 'object' && 'h1' in answer.ok);
    assert.equal(packed.h1, answer.ok.h1);
  });
}

/** That the zip is what packModule says it is, and a module's. */
async function checkZip(packed: PackedModule, file: string): Promise<void> {
  const entries = await readZip(await readFile(file), never);
  const parsed = { module: parseModulePath(module), version: parseVersion(version) };
  assert.deepEqual(checkZipEntries({ ...parsed, entries }), []);
  const files: { name: string; sha256: Buffer }[] = [];
  for (const entry of entries) {
    const content = await contentOfEntry(entry);
    files.push({ name: entry.name, sha256: createHash('sha256').update(content).digest() });
  }
  assert.equal(hashFiles(files), packed.h1);
  assert.deepEqual(
    entries.map(({ name }) => name),
    packed.files.map(path => `${module}@${version}/${path}`),
  );
}

test('what is left out is told with the reason', async () => {
  await using folder = await makeTemporaryFolder();
  const directory = join(folder.path, 'm');
  await plant(directory, {
    ...{
      'go.mod': goMod,
      'vendor/a/b/c.go': 'x',
      '.git/HEAD': 'x',
      'sub/go.mod': 'x',
      l: { link: 'go.mod' },
      '.hg_archival.txt': 'x',
    },
  });
  const { omitted, files } = await packModule({ directory, version, out: join(folder.path, 'm.zip') });
  assert.deepEqual(files, ['go.mod']);
  assert.deepEqual(omitted, [
    { path: '.git', reason: 'a version control system keeps it' },
    { path: 'l', reason: 'not a regular file' },
    { path: 'sub', reason: 'another module' },
    { path: 'vendor/a/b', reason: 'in a vendor directory' },
    { path: '.hg_archival.txt', reason: 'written by "hg archive"' },
  ]);
});

/** A run of the command in `cwd`; the status, what it printed, and what files are then in `cwd`. */
async function run(cwd: string, ...args: string[]) {
  const printed = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const collect = (chunks: Buffer[]) =>
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        chunks.push(chunk);
        done();
      },
    });
  const status = await runPack(args, {
    stdout: collect(printed.stdout),
    stderr: collect(printed.stderr),
    cwd: () => cwd,
  });
  const stdout = Buffer.concat(printed.stdout);
  return { status, stdout, stderr: Buffer.concat(printed.stderr).toString(), files: (await readdir(cwd)).sort() };
}

test('the command prints version, hash and file, and names the file after the module', async () => {
  await using folder = await makeTemporaryFolder();
  await plant(folder.path, {
    'm/go.mod': goMod,
    'm/vendor/a/b.go': 'x',
    'two/go.mod': 'module example.com/lib/v2\n',
    'yaml/go.mod': 'module gopkg.in/yaml.v3\n',
  });
  const first = await run(folder.path, 'm', '--version', version);
  assert.equal(first.status, 0, first.stderr);
  assert.match(first.stdout.toString(), /^example\.com\/lib@v1\.2\.3\nh1:.{44}\n\/.*\/lib-v1\.2\.3\.zip\n$/);
  assert.equal(first.stderr, 'left out vendor/a/b.go: in a vendor directory\n');
  const second = await run(folder.path, 'two', '--version=v2.0.0');
  assert.equal(second.status, 0, second.stderr);
  const third = await run(folder.path, 'yaml', '--version=v3.1.0-rc.1');
  assert.deepEqual(third.files, ['lib-v1.2.3.zip', 'lib-v2.0.0.zip', 'm', 'two', 'yaml', 'yaml-v3.1.0-rc.1.zip']);
});

test('the zip goes to standard output if asked, and what is said about it then does not', async () => {
  await using folder = await makeTemporaryFolder();
  await plant(folder.path, { 'm/go.mod': goMod });
  const { status, stdout, stderr, files } = await run(folder.path, 'm', '--version', version, '--out', '-');
  assert.equal(status, 0);
  assert.deepEqual(
    (await readZip(stdout, never)).map(({ name }) => name),
    [`${module}@${version}/go.mod`],
  );
  assert.match(stderr, /^example\.com\/lib@v1\.2\.3\nh1:.{44}\n$/);
  assert.deepEqual(files, ['m']);
});

test('packing again replaces the file, with the same bytes', async () => {
  await using folder = await makeTemporaryFolder();
  await plant(folder.path, { 'm/go.mod': goMod, 'm/a.go': 'package a\n' });
  const zips: Buffer[] = [];
  for (const _ of [1, 2]) {
    assert.equal((await run(folder.path, 'm', '--version', version, '--out', 'x.zip')).status, 0);
    zips.push(await readFile(join(folder.path, 'x.zip')));
  }
  assert.ok(zips[0]?.equals(zips[1] ?? Buffer.alloc(0)));
});

test('every problem is named at once', async () => {
  await using folder = await makeTemporaryFolder();
  await plant(folder.path, { 'm/go.mod': 'module Example.com/x\n', 'm/aux.go': 'x', 'm/a:b': 'x', 'm/c\x1b[31m': 'x' });
  const { status, stderr, files } = await run(folder.path, 'm', '--version', '1.2');
  assert.equal(status, 1);
  assert.equal(stderr.split('\n').length, 1 + 5 + 1, stderr);
  for (const part of ['cannot pack m:', 'Example.com/x', '"1.2"', 'aux.go', 'a:b', '"c\\u001b[31m"'])
    assert.ok(stderr.includes(part), part);
  assert.deepEqual(files, ['m']);
});

const REFUSALS: [title: string, items: Record<string, Item>, args: string[], message: RegExp][] = [
  ['a directory that is not there', {}, ['gone', '--version', version], /ENOENT/],
  ['a file', { m: 'x' }, ['m', '--version', version], /ENOTDIR/],
  ['no go.mod and no --module', { 'm/a.go': 'x' }, ['m', '--version', version], /no go\.mod.*--module/],
  [
    'a go.mod that says another module',
    { 'm/go.mod': goMod },
    ['m', '--version', version, '--module', 'example.com/b'],
    /says module example\.com\/lib, not/,
  ],
  ['a go.mod without a module', { 'm/go.mod': 'go 1.22\n' }, ['m', '--version', version], /no module line/],
  ['a go.mod that cannot be read', { 'm/go.mod': 'module (\n' }, ['m', '--version', version], /go\.mod:1/],
  [
    'a go.mod that is a link',
    { 'm/go.mod': { link: 'x' }, 'm/x': goMod },
    ['m', '--version', version],
    /not a regular file/,
  ],
  ['a version of another major', { 'm/go.mod': goMod }, ['m', '--version', 'v2.0.0'], /should be v0 or v1, not v2/],
  ['a version that is not canonical', { 'm/go.mod': goMod }, ['m', '--version', 'v1.2'], /v1\.2\.0/],
  ['+incompatible with a go.mod', { 'm/go.mod': goMod }, ['m', '--version', 'v2.0.0+incompatible'], /\+incompatible/],
  [
    'an output inside the module',
    { 'm/go.mod': goMod, 'm/dist': 'FOLDER' },
    ['m', '--version', version, '--out', 'm/dist/x.zip'],
    /inside the module.*--out .*x\.zip/,
  ],
  [
    'an output by a link inside the module',
    { 'm/go.mod': goMod, l: { link: 'm' } },
    ['m', '--version', version, '--out', 'l/x.zip'],
    /inside the module/,
  ],
  [
    'an output that is a folder',
    { 'm/go.mod': goMod, x: 'FOLDER' },
    ['m', '--version', version, '--out', 'x'],
    /is not a file/,
  ],
  ['an output in no folder', { 'm/go.mod': goMod }, ['m', '--version', version, '--out', 'x/y.zip'], /ENOENT/],
];

for (const [title, items, args, message] of REFUSALS) {
  test(`the command refuses ${title}, and leaves nothing behind`, async () => {
    await using folder = await makeTemporaryFolder();
    await plant(folder.path, items);
    const before = (await readdir(folder.path, { recursive: true })).sort();
    const { status, stdout, stderr } = await run(folder.path, ...args);
    assert.equal(status, 1);
    assert.match(stderr, message);
    assert.equal(stdout.length, 0);
    assert.deepEqual((await readdir(folder.path, { recursive: true })).sort(), before);
  });
}

test('the command refuses to pack the directory it is in into itself, and says where else', async () => {
  await using folder = await makeTemporaryFolder();
  await plant(folder.path, { 'm/go.mod': goMod });
  const { status, stderr, files } = await run(join(folder.path, 'm'), '.', '--version', version);
  assert.equal(status, 1);
  const [, elsewhere = ''] = /--out (.*)"/.exec(stderr) ?? [];
  assert.deepEqual(files, ['go.mod']);
  assert.equal((await run(join(folder.path, 'm'), '.', '--version', version, '--out', elsewhere)).status, 0);
});

for (const args of [
  [],
  ['m'],
  ['--version', version],
  ['m', 'n', '--version', version],
  ['m', '--versoin', version],
  ['m', '--version'],
]) {
  test(`a wrong command line is answered with the right one: ${JSON.stringify(args)}`, async () => {
    await using folder = await makeTemporaryFolder();
    const { status, stdout, stderr } = await run(folder.path, ...args);
    assert.equal(status, 2);
    assert.match(stderr, /\n\nusage: modforge pack/);
    assert.equal(stdout.length, 0);
  });
}

test('help is printed when asked for', async () => {
  await using folder = await makeTemporaryFolder();
  const { status, stdout } = await run(folder.path, '--help');
  assert.equal(status, 0);
  assert.match(stdout.toString(), /^usage/);
});

test('a signal ends the packing and leaves no file', async () => {
  await using folder = await makeTemporaryFolder();
  await plant(folder.path, { 'm/go.mod': goMod, 'm/a': { bytes: mebi } });
  const packing = packModule({
    directory: join(folder.path, 'm'),
    version,
    out: join(folder.path, 'x.zip'),
    signal: AbortSignal.abort(),
  });
  await assert.rejects(packing, { name: 'AbortError' });
  assert.deepEqual(await readdir(folder.path), ['m']);
});
