import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { dirname, join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeCommit } from '../../src/git/commit.ts';
import { inflateBlob } from '../../src/git/deflated-blob.ts';
import {
  CorruptObject,
  CredentialsRefused,
  GitUnavailable,
  ObjectMissing,
  PushRefused,
  RefMoved,
  RepositoryNotFound,
  WriteRefused,
} from '../../src/git/errors.ts';
import { createRefusedFilters } from '../../src/git/fetch-filter.ts';
import { createHttpPoster, type HttpPoster } from '../../src/git/http-post.ts';
import { type ObjectId, parseObjectId } from '../../src/git/object-id.ts';
import { type PackedObject, packObject } from '../../src/git/packed-object.ts';
import { ProtocolError, readPackets } from '../../src/git/pkt-line.ts';
import { parseRefName, type RefName, tagRef } from '../../src/git/ref-name.ts';
import type { RefUpdate, Remote, SnapshotFile } from '../../src/git/remote.ts';
import { createSmartHttpRemote, type SmartHttpRemoteOptions } from '../../src/git/smart-http-remote.ts';
import { buildTree } from '../support/build-tree.ts';
import { gitBytes } from '../support/git-bytes.ts';
import { type GitHttpServer, type GitRequest, startGitHttpServer } from '../support/git-http-server.ts';
import { inMemory } from '../support/in-memory.ts';
import { listenOnLoopback } from '../support/listen-on-loopback.ts';
import { packOf } from '../support/pack-of.ts';
import { fsck, gitIn } from '../support/plain-git.ts';
import { skipWithout } from '../support/skip-without.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';

const skip = skipWithout('git');
const { signal } = new AbortController();
const eve = { name: 'Eve', email: 'eve@example.com', time: 1_700_000_000 };
const main = parseRefName('refs/heads/main');
const absent = parseObjectId('ab'.repeat(20));

let poster: HttpPoster;
before(() => {
  poster = createHttpPoster();
});
after(() => poster[Symbol.dispose]());

function remoteAt(url: string, options: Partial<SmartHttpRemoteOptions> = {}): Remote {
  const credentials = { user: 'eve', password: 'sécret:1' };
  const refusedFilters = createRefusedFilters();
  const defaults = { url, credentials, poster, refusedFilters, userAgent: 'modforge/test', timeoutMs: 10_000 };
  return createSmartHttpRemote({ ...defaults, ...options });
}

/** Notes the filter of each fetch that goes through it, `-` where it has none. */
function watchFilters(): { poster: HttpPoster; taken(): string[] } {
  const filters: string[] = [];
  const post: HttpPoster['post'] = request => {
    filters.push(/filter (\S+)/.exec(String(request.body))?.[1] ?? '-');
    return poster.post(request);
  };
  return { poster: { post, [Symbol.dispose]() {} }, taken: () => filters.splice(0) };
}

const combined = (depth: number) => `combine:tree:${depth}+blob:limit=64k`;

/** A commit of these files, and all objects that it needs. */
function commitOf(files: Record<string, string>, parents: readonly ObjectId[] = []) {
  const blobs = Object.entries(files).map(([path, text]) => ({ path, blob: packObject('blob', Buffer.from(text)) }));
  const { id: tree, trees } = buildTree(blobs.map(({ path, blob }) => ({ path, mode: '100644', id: blob.id })));
  const content = encodeCommit({ tree, parents, author: eve, committer: eve, message: 'a commit\n' });
  const commit = packObject('commit', content);
  return { id: commit.id, objects: [...blobs.map(({ blob }) => blob), ...trees, commit] };
}

const create = (name: RefName, to: ObjectId): RefUpdate => ({ name, from: undefined, to });

async function filesOf(remote: Remote, commit: ObjectId): Promise<SnapshotFile[]> {
  const files: SnapshotFile[] = [];
  for await (const batch of (await remote.snapshot(commit, inMemory, signal)).files) files.push(...batch);
  return files;
}

/** What is thrown; fails where nothing is. */
async function faultOf(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof Error);
    return error;
  }
  return assert.fail('nothing was thrown');
}

describe('in front of real git', { skip }, () => {
  let folder: TemporaryFolder;
  let server: GitHttpServer;
  let count = 0;
  let gitdir: string;
  let remote: Remote;

  before(async () => {
    folder = await makeTemporaryFolder();
    server = await startGitHttpServer({ directory: folder.path });
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    count += 1;
    gitdir = join(folder.path, `acme/lib${count}.git`);
    await gitIn(folder.path)('init', '-q', '--bare', '-b', 'main', gitdir);
    server.requests.length = 0;
    remote = remoteAt(`${server.url}/acme/lib${count}.git`);
  });

  const push = (objects: readonly PackedObject[], ...updates: readonly RefUpdate[]) =>
    remote.push({ objects, updates, signal });

  /** A work tree with everything that git can hold, pushed by git itself; its commit. */
  async function pushWorkTree(): Promise<ObjectId> {
    const work = join(folder.path, `work${count}`);
    const files: Record<string, string | Buffer> = {
      'go.mod': 'module example.com/lib\n',
      'a/b/c.go': 'package c\r\n',
      'a.go': 'package a\n',
      'a-b': '',
      'ünïcode/世界.txt': '世界\n',
      'with space and "quotes"': '\\',
      'binary.bin': Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 7919) % 251)),
    };
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(work, path)), { recursive: true });
      writeFileSync(join(work, path), content);
    }
    writeFileSync(join(work, 'run.sh'), '#!/bin/sh\n', { mode: 0o755 });
    symlinkSync('a.go', join(work, 'link'));
    const git = gitIn(work);
    await git('init', '-q', '-b', 'main');
    await git('add', '.');
    await git('update-index', '--add', '--cacheinfo', `160000,${absent},module`);
    await git('commit', '-q', '-m', 'first');
    for (let i = 0; i < 5; i += 1) {
      writeFileSync(
        join(work, 'binary.bin'),
        Buffer.concat([Buffer.from(`${i}`), Buffer.from(files['binary.bin'] ?? '')]),
      );
      await git('commit', '-q', '-a', '-m', `change ${i}`);
    }
    await git('tag', '-a', '-m', 'annotated', 'v1.0.0');
    await git('tag', 'v1.1.0');
    await git('push', '-q', gitdir, 'main', '--tags');
    gitBytes(gitdir, ['repack', '-adfq', '--depth=50']);
    return parseObjectId(await git('rev-parse', 'HEAD'));
  }

  test('refs come with one request: peeled, filtered by prefix, with the branch of HEAD', async () => {
    const commit = await pushWorkTree();
    const tag = parseObjectId(await gitIn(gitdir)('rev-parse', 'refs/tags/v1.0.0'));
    await gitIn(gitdir)('update-ref', 'refs/modforge/module', commit);
    const { byName, head } = await remote.refs({ prefixes: ['refs/tags/', 'refs/modforge/'], signal });
    const v100 = tagRef('v1.0.0');
    assert.deepEqual(
      [...byName.values()],
      [
        { name: parseRefName('refs/modforge/module'), id: commit },
        { name: v100, id: tag, peeled: commit },
        { name: tagRef('v1.1.0'), id: commit },
      ],
    );
    assert.equal(head, main);
    assert.deepEqual([...(await remote.refs({ prefixes: ['refs/tags/v1.0'], signal })).byName.keys()], [v100]);
    assert.equal((await remote.refs({ prefixes: [], signal })).byName.size, 0);
    assert.deepEqual(
      server.requests.map(({ method, file }) => `${method} ${file}`),
      Array(3).fill('POST git-upload-pack'),
    );
  });

  test('an empty repository has no refs, and a HEAD that is yet to be born', async () => {
    const { byName, head } = await remote.refs({ prefixes: ['refs/'], signal });
    assert.equal(byName.size, 0);
    assert.equal(head, main);
  });

  test('5,000 tags come with one request', async () => {
    const { id, objects } = commitOf({ 'go.mod': 'module m\n' });
    await push(objects, create(main, id));
    const tags = Array.from({ length: 5000 }, (_, i) => `${id} refs/tags/v1.${i}.0\n`).sort();
    writeFileSync(join(gitdir, 'packed-refs'), `# pack-refs with: peeled fully-peeled sorted \n${tags.join('')}`);
    server.requests.length = 0;
    const { byName } = await remote.refs({ prefixes: ['refs/tags/'], signal });
    assert.equal(byName.size, 5000);
    assert.deepEqual(byName.get(tagRef('v1.4999.0')), { name: tagRef('v1.4999.0'), id });
    assert.equal(server.requests.length, 1);
  });

  test('a snapshot is one request and faithful: bytes, modes, names, order', async () => {
    const commit = await pushWorkTree();
    server.requests.length = 0;
    const files = await filesOf(remote, commit);
    assert.equal(server.requests.length, 1);
    const listed = gitBytes(gitdir, ['ls-tree', '-rz', commit]).toString().split('\0').filter(Boolean);
    assert.deepEqual(
      files.map(({ mode, id, path }) => `${mode} ${mode === '160000' ? 'commit' : 'blob'} ${id}\t${path}`),
      listed,
    );
    assert.ok(files.some(file => file.mode === '120000') && files.some(file => file.mode === '100755'));
    for (const { mode, id, blob } of files) {
      const expected = mode === '160000' ? Buffer.alloc(0) : gitBytes(gitdir, ['cat-file', 'blob', id]);
      assert.deepEqual(await inflateBlob(blob), expected);
    }
  });

  const textsOf = async (remote: Remote, commit: ObjectId, ...paths: string[]) =>
    Array.from((await remote.files(commit, paths, signal)).files, ([path, content]) => [path, content.toString()]);

  test('a commit comes without the rest', async () => {
    const commit = await pushWorkTree();
    server.requests.length = 0;
    const { message, parents, author } = await remote.commit(commit, signal);
    assert.equal(message, 'change 4\n');
    assert.equal(parents.length, 1);
    assert.equal(author.name, 'Eve');
    const [request] = server.requests;
    assert.ok(server.requests.length === 1 && request && request.responseBytes < 600);
  });

  test('small files near the root come with their commit in one request, others in a second', async () => {
    const commit = await pushWorkTree();
    const binary = gitBytes(gitdir, ['cat-file', 'blob', `${commit}:binary.bin`]).toString();
    const goMod = ['go.mod', 'module example.com/lib\n'];
    const { poster, taken } = watchFilters();
    const remote = remoteAt(`${server.url}/acme/lib${count}.git`, { poster });
    const none = ['none', 'a', 'a/b', 'a.go/b', 'module', 'a/none', ''];
    const cases: readonly [paths: string[], expected: string[][], filters: string[]][] = [
      [['go.mod'], [goMod], [combined(2)]],
      [['a-b', 'link', 'go.mod', 'none'], [['a-b', ''], ['link', 'a.go'], goMod], [combined(2)]],
      [['ünïcode/世界.txt', 'go.mod'], [['ünïcode/世界.txt', '世界\n'], goMod], [combined(3)]],
      [none, [], [combined(3)]],
      [
        ['binary.bin', 'go.mod'],
        [['binary.bin', binary], goMod],
        [combined(2), '-'],
      ],
      [
        ['a/b/c.go', 'go.mod'],
        [['a/b/c.go', 'package c\r\n'], goMod],
        ['blob:none', '-'],
      ],
      [['a/b/none'], [], ['blob:none']],
      [[], [], ['tree:0']],
    ];
    for (const [paths, expected, filters] of cases) {
      server.requests.length = 0;
      assert.deepEqual(await textsOf(remote, commit, ...paths), expected);
      assert.deepEqual(taken(), filters, paths.join(' '));
      assert.equal(server.requests.length, filters.length);
      const bytes = server.requests.reduce((sum, { responseBytes }) => sum + responseBytes, 0);
      assert.ok(bytes < (paths.includes('binary.bin') ? 100_000 : 2500), `${bytes}`);
    }
  });

  for (const [name, config, first, later, ofCommit] of [
    [
      'no deep trees',
      { 'uploadpackfilter.tree.maxDepth': '0' },
      [combined(2), 'blob:none', '-'],
      ['blob:none', '-'],
      ['tree:0'],
    ],
    [
      'no combinations',
      { 'uploadpackfilter.combine.allow': 'false' },
      [combined(2), 'blob:none', '-'],
      ['blob:none', '-'],
      ['tree:0'],
    ],
    [
      'no trees',
      { 'uploadpackfilter.tree.allow': 'false' },
      [combined(2), 'blob:none', '-'],
      ['blob:none', '-'],
      ['tree:0', 'blob:none'],
    ],
    ['none of these', { 'uploadpackfilter.allow': 'false' }, [combined(2), 'blob:none', '-'], ['-'], ['tree:0', '-']],
    ['none', { 'uploadpack.allowFilter': 'false' }, [combined(2), 'blob:none', '-'], ['-'], ['tree:0', '-']],
  ] as const) {
    test(`a server that takes of filters ${name} is asked for what it refused once`, async () => {
      const commit = await pushWorkTree();
      await using old = await startGitHttpServer({ directory: folder.path, config });
      const { poster, taken } = watchFilters();
      const refusedFilters = createRefusedFilters();
      const another = () => remoteAt(`${old.url}/acme/lib${count}.git`, { poster, refusedFilters });
      const goMod = [['go.mod', 'module example.com/lib\n']];
      assert.deepEqual(await textsOf(another(), commit, 'go.mod'), goMod);
      assert.deepEqual(taken(), first);
      assert.deepEqual(await textsOf(another(), commit, 'go.mod'), goMod);
      assert.deepEqual(taken(), later);
      assert.ok((await faultOf(another().commit(absent, signal))) instanceof ObjectMissing);
      taken();
      assert.equal((await another().commit(commit, signal)).message, 'change 4\n');
      assert.deepEqual(taken(), ofCommit);
      assert.equal((await another().commit(commit, signal)).message, 'change 4\n');
      assert.deepEqual(taken(), ofCommit.slice(-1));
    });
  }

  test('without a filter for it no history is fetched', async () => {
    const commit = await pushWorkTree();
    for (const config of [{ 'uploadpackfilter.allow': 'false' }, { 'uploadpack.allowFilter': 'false' }]) {
      await using old = await startGitHttpServer({ directory: folder.path, config });
      const { poster, taken } = watchFilters();
      const remote = remoteAt(`${old.url}/acme/lib${count}.git`, { poster });
      const fault = await faultOf(remote.history({ tips: [commit], known: [], signal }));
      assert.ok(fault instanceof GitUnavailable);
      assert.match(fault.message, /refuses the filter tree:0.*uploadpack\.allowFilter/);
      assert.deepEqual(taken(), ['tree:0']);
      await remote.commit(commit, signal);
      taken();
      assert.ok((await faultOf(remote.history({ tips: [commit], known: [], signal }))) instanceof GitUnavailable);
      assert.deepEqual(taken(), []);
    }
  });

  /** Made by `git fast-import`; every twentieth commit brings 8 KB that can't be compressed, every hundredth is a merge. */
  function importHistory(commits: number): void {
    const stream: string[] = [];
    for (let i = 1; i <= commits; i += 1) {
      const message = `change ${i}\n\nfor a reason that takes ${i} words to explain\n`;
      const content = i % 20 > 0 ? `${i}` : randomBytes(6000).toString('base64');
      stream.push(
        `commit refs/heads/main\nmark :${i}\ncommitter Eve <eve@example.com> ${1_700_000_000 + i} +0100\n`,
        `data ${message.length}\n${message}`,
        i % 100 > 0 || i < 200 ? '' : `from :${i - 1}\nmerge :${i - 50}\n`,
        `M 100644 inline d${i % 7}/f${i % 10}\ndata ${content.length}\n${content}\n`,
      );
    }
    gitBytes(gitdir, ['fast-import', '--quiet'], stream.join(''));
  }

  /** As `history` gives it, by what git says of it. */
  const loggedHistory = async (...revisions: string[]) => {
    const lines = await gitIn(gitdir)('log', '--format=%H %ct %P', ...revisions);
    return new Set(lines.split('\n'));
  };
  const historyOf = async (remote: Remote, tips: readonly ObjectId[], known: readonly ObjectId[]) => {
    const commits = await remote.history({ tips, known, signal });
    return new Set(commits.map(({ id, time, parents }) => `${id} ${time} ${parents.join(' ')}`));
  };

  test('a history of 20,000 commits is one request, and brings no files', async () => {
    importHistory(20_000);
    const tip = parseObjectId(await gitIn(gitdir)('rev-parse', 'main'));
    const older = parseObjectId(await gitIn(gitdir)('rev-parse', 'main~10'));
    const commits = await historyOf(remote, [tip], []);
    assert.equal(commits.size, 20_000);
    assert.deepEqual(commits, await loggedHistory('main'));
    const [request] = server.requests;
    assert.ok(server.requests.length === 1 && request && request.responseBytes < 250 * commits.size);

    server.requests.length = 0;
    assert.deepEqual(await historyOf(remote, [tip], [absent, older]), await loggedHistory('main', '--not', older));
    assert.ok(server.requests.length === 1 && (server.requests[0]?.responseBytes ?? 0) < 5000);
  });

  test('a history is cut where the server’s own is', async () => {
    const source = gitdir;
    await pushWorkTree();
    count += 1;
    gitdir = join(folder.path, `acme/lib${count}.git`);
    await gitIn(folder.path)('clone', '-q', '--bare', '--depth=3', `file://${source}`, gitdir);
    const tip = parseObjectId(await gitIn(gitdir)('rev-parse', 'main'));
    const commits = await historyOf(remoteAt(`${server.url}/acme/lib${count}.git`), [tip], []);
    assert.equal(commits.size, 3);
    assert.deepEqual(commits, await loggedHistory('main'));
  });

  test('in a history other objects count for nothing, and a commit that is not there is missing', async () => {
    const commit = await pushWorkTree();
    const of = async (name: string) => parseObjectId(await gitIn(gitdir)('rev-parse', name));
    const others = [await of('main:go.mod'), await of('main:a')];
    assert.deepEqual(await historyOf(remote, others, []), new Set());
    assert.deepEqual(await historyOf(remote, [...others, commit], others), await loggedHistory('main'));
    const fault = await faultOf(remote.history({ tips: [commit, absent], known: [], signal }));
    assert.ok(fault instanceof ObjectMissing && fault.id === absent);
    server.requests.length = 0;
    assert.deepEqual(await historyOf(remote, [], [commit]), new Set());
    assert.equal(server.requests.length, 0);
  });

  test('an object that is not there, and one that is no commit', async () => {
    const { id, objects } = commitOf({ 'go.mod': 'module m\n' });
    await push(objects, create(main, id));
    const { tree } = await remote.commit(id, signal);
    assert.ok((await faultOf(remote.commit(absent, signal))) instanceof ObjectMissing);
    assert.ok((await faultOf(remote.commit(tree, signal))) instanceof CorruptObject);
    assert.ok((await faultOf(remote.snapshot(absent, inMemory, signal))) instanceof ObjectMissing);
    assert.ok((await faultOf(remote.snapshot(tree, inMemory, signal))) instanceof CorruptObject);
    assert.ok((await faultOf(remote.files(absent, ['go.mod'], signal))) instanceof ObjectMissing);
    assert.ok((await faultOf(remote.files(tree, ['go.mod'], signal))) instanceof CorruptObject);
  });

  test('a commit of the empty tree has no files', async () => {
    const { id, objects } = commitOf({});
    await push(objects.slice(-1), create(main, id));
    assert.deepEqual(await filesOf(remote, id), []);
    assert.deepEqual(await textsOf(remote, id, 'go.mod', 'a/b'), []);
  });

  test('a push is one request, several refs with it are atomic, and git finds nothing wrong', async () => {
    const first = commitOf({ 'go.mod': 'module m\n', 'a/b.go': 'package b\n' });
    await push(first.objects, create(main, first.id), create(tagRef('v1.0.0'), first.id));
    assert.deepEqual(
      server.requests.map(({ method, file }) => `${method} ${file}`),
      ['POST git-receive-pack'],
    );
    const second = commitOf({ 'go.mod': 'module m\n', 'large.txt': 'x'.repeat(3_000_000) }, [first.id]);
    await push(second.objects, { name: main, from: first.id, to: second.id });
    assert.equal(await fsck(gitdir), '');
    assert.equal(await gitIn(gitdir)('rev-parse', 'main'), second.id);

    const fault = await faultOf(push([], create(tagRef('v1.1.0'), second.id), create(tagRef('v1.0.0'), second.id)));
    assert.ok(fault instanceof RefMoved);
    assert.equal((await remote.refs({ prefixes: ['refs/tags/'], signal })).byName.size, 1);
    await push([], create(tagRef('v1.1.0'), second.id));
  });

  test('a large push is streamed, and read back as it was', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 1500 }, (_, i) => [`d${i % 10}/f${i}`, `${i} ${Math.sin(i)} `.repeat(200)]),
    );
    const noise = Array.from({ length: 50_000 }, (_, i) => createHash('sha1').update(`${i}`).digest('hex')).join('');
    const { id, objects } = commitOf({ ...files, noise });
    await push(objects, create(tagRef('v1.0.0'), id));
    assert.ok((server.requests[0]?.requestBytes ?? 0) > 2 ** 20);
    const read = new Map<string, string>();
    for (const { path, blob } of await filesOf(remote, id)) read.set(path, (await inflateBlob(blob)).toString());
    assert.equal(read.size, 1501);
    for (const [path, text] of Object.entries(files)) assert.equal(read.get(path), text);
  });

  test('of many publishers of one version exactly one wins', async () => {
    const commits = Array.from({ length: 8 }, (_, i) => commitOf({ 'go.mod': `module m${i}\n` }));
    const results = await Promise.allSettled(
      commits.map(({ id, objects }) => push(objects, create(tagRef('v1.0.0'), id))),
    );
    const won = commits.filter((_, i) => results[i]?.status === 'fulfilled');
    assert.equal(won.length, 1);
    for (const result of results) {
      if (result.status === 'rejected') assert.ok(result.reason instanceof RefMoved, String(result.reason));
    }
    assert.equal(await gitIn(gitdir)('rev-parse', 'refs/tags/v1.0.0'), won[0]?.id);
  });

  test('a ref is changed and deleted only where it is what it must be', async () => {
    const [first, second] = [commitOf({ a: '1' }), commitOf({ a: '2' })];
    await push([...first.objects, ...second.objects], create(tagRef('v1.0.0'), first.id), create(main, second.id));
    for (const update of [
      { name: tagRef('v1.0.0'), from: second.id, to: undefined },
      { name: tagRef('v1.0.0'), from: undefined, to: first.id },
      { name: tagRef('v9.0.0'), from: second.id, to: undefined },
      { name: tagRef('v9.0.0'), from: second.id, to: first.id },
    ]) {
      const fault = await faultOf(push([], update));
      assert.ok(fault instanceof RefMoved, String(fault));
      assert.equal(fault.ref, update.name);
    }
    const { objects, id } = commitOf({}, []);
    await push(
      objects.slice(-1),
      { name: tagRef('v1.0.0'), from: first.id, to: undefined },
      create(parseRefName('refs/modforge/deleted/v1.0.0'), id),
    );
    assert.deepEqual([...(await remote.refs({ prefixes: ['refs/tags/'], signal })).byName], []);
    await push([], { name: parseRefName('refs/modforge/deleted/v1.0.0'), from: id, to: undefined });
  });

  test('what git finds wrong with the content is told in its words', async () => {
    const bad = commitOf({ '.git': 'x' });
    const fault = await faultOf(push(bad.objects, create(tagRef('v1.0.0'), bad.id)));
    assert.ok(fault instanceof PushRefused);
    assert.match(fault.message, /hasDotgit/);
    const good = commitOf({ a: '1' });
    await push(good.objects, create(tagRef('v1.0.0'), good.id));
    const collision = await faultOf(push([], create(tagRef('v1.0.0/x/v0.1.0'), good.id)));
    assert.ok(collision instanceof PushRefused);
    assert.match(collision.message, /'refs\/tags\/v1.0.0' exists/);

    await using limited = await startGitHttpServer({
      directory: folder.path,
      config: { 'receive.maxInputSize': '100' },
    });
    const large = remoteAt(`${limited.url}/acme/lib${count}.git`).push({
      objects: bad.objects,
      updates: [create(tagRef('v2.0.0'), bad.id)],
      signal,
    });
    const tooLarge = await faultOf(large);
    assert.ok(tooLarge instanceof PushRefused);
    assert.match(tooLarge.message, /maximum allowed size/);
  });

  test('a parent that is gone is a race, whether git unpacks the objects or keeps the pack', async () => {
    for (const files of [{ a: '1' }, Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`f${i}`, `${i}`]))]) {
      const { id, objects } = commitOf(files, [absent]);
      const fault = await faultOf(push(objects, create(tagRef('v1.0.0'), id)));
      assert.ok(fault instanceof RefMoved, String(fault));
    }
    assert.ok((await faultOf(push([], create(tagRef('v1.0.0'), absent)))) instanceof RefMoved);
  });

  for (const [name, script, expected] of [
    ['a protected tag', 'echo "tags are \\033[31mprotected\\033[0m\\a" >&2; exit 1', WriteRefused],
    ['a large file at GitHub', 'echo "error: GH001: Large files detected." >&2; exit 1', PushRefused],
    [
      'a private address at GitHub',
      'echo "error: GH007: Your push would publish a private email address" >&2; exit 1',
      PushRefused,
    ],
    ['a secret at GitHub', 'echo "error: GH013: Push cannot contain secrets" >&2; exit 1', PushRefused],
    [
      'a ruleset at GitHub',
      'echo "error: GH013: Cannot create ref due to creations being restricted." >&2; exit 1',
      WriteRefused,
    ],
    ['a failure within Gitea', 'echo "Gitea: Internal Server Error" >&2; exit 1', GitUnavailable],
  ] as const) {
    test(`${name}: a hook's refusal is ${expected.name}, in its own words`, async () => {
      const hook = join(gitdir, 'hooks/pre-receive');
      mkdirSync(dirname(hook), { recursive: true });
      writeFileSync(hook, `#!/bin/sh\n${script.replace('echo', 'printf "%b\\n"')}\n`, { mode: 0o755 });
      const { id, objects } = commitOf({ a: '1' });
      const fault = await faultOf(push(objects, create(tagRef('v1.0.0'), id)));
      assert.equal(fault.name, expected.name, String(fault));
      if (name === 'a protected tag') assert.match(fault.message, /tags are protected\npre-receive hook declined$/);
      assert.equal((await remote.refs({ prefixes: ['refs/'], signal })).byName.size, 0);
    });
  }

  test('credentials come up front, as Basic, and their refusal is told from an absence', async () => {
    const seen: GitRequest[] = [];
    const authorize = (request: GitRequest) => {
      seen.push(request);
      if (request.credentials === undefined) return 401;
      return request.credentials.kind === 'basic' && request.credentials.password === 'sécret:1' ? 200 : 401;
    };
    await using closed = await startGitHttpServer({ directory: folder.path, authorize });
    const url = `${closed.url}/acme/lib${count}.git`;
    const ask = (options: Partial<SmartHttpRemoteOptions>) => remoteAt(url, options).refs({ prefixes: [], signal });
    await ask({});
    assert.equal(seen.length, 1);
    assert.ok((await faultOf(ask({ credentials: undefined }))) instanceof RepositoryNotFound);
    assert.ok((await faultOf(ask({ credentials: { user: 'eve', password: 'wrong' } }))) instanceof CredentialsRefused);
    const shown = remoteAt(url.replace('//', '//user:hidden@'));
    assert.equal(shown.url, url);
    assert.ok(
      (await faultOf(remoteAt(`${closed.url}/acme/none.git`).refs({ prefixes: [], signal }))) instanceof
        RepositoryNotFound,
    );
  });
});

/** A server that answers as it is told to; what was sent to it. */
interface FakeServer extends AsyncDisposable {
  readonly url: string;
  readonly seen: { readonly path: string; readonly authorization: string | undefined; readonly body: Buffer }[];
}

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

async function startFake(answer: Answer): Promise<FakeServer> {
  const seen: { path: string; authorization: string | undefined; body: Buffer }[] = [];
  const server = createServer(async (request, response) => {
    const body: Buffer[] = [];
    for await (const piece of request) body.push(piece);
    seen.push({ path: request.url ?? '', authorization: request.headers.authorization, body: Buffer.concat(body) });
    answer(response, request);
  });
  return { ...(await listenOnLoopback(server)), seen };
}

const someCommit = commitOf({ 'go.mod': 'module m\n', 'a.go': 'package a\n' });
const refsOf = (remote: Remote, by = signal) => remote.refs({ prefixes: ['refs/'], signal: by });
const pushTo = (remote: Remote, by = signal) =>
  remote.push({ objects: someCommit.objects, updates: [create(tagRef('v1.0.0'), someCommit.id)], signal: by });
const typeOf = (request: IncomingMessage) => `application/x-${request.url?.split('/').at(-1)}-result`;

const line = (bytes: string | Uint8Array) => {
  const content = Buffer.from(bytes);
  return Buffer.concat([Buffer.from((content.byteLength + 4).toString(16).padStart(4, '0')), content]);
};
const band = (number: number, bytes: string | Uint8Array) =>
  line(Buffer.concat([Buffer.from([number]), Buffer.from(bytes)]));
const flush = Buffer.from('0000');
const emptyPack = await packOf([]);
const packWithoutBlob = await packOf(someCommit.objects.slice(1));
const goodRefs = Buffer.concat([
  line('unborn HEAD symref-target:refs/heads/main\n'),
  line(`${absent} refs/tags/v1.0.0 peeled:${someCommit.id}\n`),
  flush,
]);
const goodFetch = Buffer.concat([
  line('shallow-info\n'),
  line(`shallow ${someCommit.id}\n`),
  Buffer.from('0001'),
  line('packfile\n'),
  band(2, 'Counting objects\n'),
  band(1, ''),
  band(1, await packOf(someCommit.objects)),
  flush,
]);
const report = Buffer.concat([line('unpack ok\n'), line('ok refs/tags/v1.0.0\n'), flush]);
const goodPush = Buffer.concat([
  band(2, 'thanks\n'),
  band(1, report.subarray(0, 9)),
  band(1, report.subarray(9)),
  flush,
]);

describe('in front of a server that is not well', () => {
  for (const [name, status, headers, expected] of [
    ['401', 401, {}, { anonymous: RepositoryNotFound, read: CredentialsRefused, push: CredentialsRefused }],
    ['403', 403, {}, { anonymous: RepositoryNotFound, read: RepositoryNotFound, push: WriteRefused }],
    ['403 with Retry-After', 403, { 'Retry-After': '17' }, GitUnavailable],
    ['403 without quota', 403, { 'X-RateLimit-Remaining': '0', 'X-RateLimit-Reset': '1' }, GitUnavailable],
    ['403 with a page', 403, { 'Content-Type': 'text/html; charset=utf-8' }, GitUnavailable],
    ['404', 404, {}, RepositoryNotFound],
    ['404 with a page', 404, { 'Content-Type': 'text/html' }, GitUnavailable],
    ['429', 429, { 'Retry-After': '17' }, GitUnavailable],
    ['413', 413, {}, { anonymous: GitUnavailable, read: GitUnavailable, push: PushRefused }],
    ['400', 400, {}, GitUnavailable],
    ['451', 451, {}, GitUnavailable],
    ['500', 500, {}, GitUnavailable],
    ['502', 502, {}, GitUnavailable],
    ['503 with a date', 503, { 'Retry-After': new Date(Date.now() + 3_000_000).toUTCString() }, GitUnavailable],
    ['200 with a page', 200, { 'Content-Type': 'text/html' }, GitUnavailable],
    ['200 with another type', 200, { 'Content-Type': 'application/octet-stream' }, GitUnavailable],
    ['200 without a type', 200, {}, GitUnavailable],
    ['204', 204, {}, GitUnavailable],
    ['304', 304, {}, GitUnavailable],
  ] as const) {
    test(`${name} is what it is, and nothing else`, async () => {
      await using fake = await startFake(response => response.writeHead(status, headers).end(goodRefs));
      const url = `${fake.url}/acme/lib.git`;
      const types = 'read' in expected ? expected : { anonymous: expected, read: expected, push: expected };
      const read = await faultOf(refsOf(remoteAt(url)));
      assert.equal(read.name, types.read.name, String(read));
      assert.equal((await faultOf(refsOf(remoteAt(url, { credentials: undefined })))).name, types.anonymous.name);
      assert.equal((await faultOf(pushTo(remoteAt(url)))).name, types.push.name);
      assert.equal((await faultOf(remoteAt(url).snapshot(absent, inMemory, signal))).name, types.read.name);
      assert.equal(fake.seen.length, 4);
      if (!('Retry-After' in headers)) return;
      assert.ok(read instanceof GitUnavailable);
      const seconds = read.retryAfterSeconds ?? 0;
      assert.ok(headers['Retry-After'] === '17' ? seconds === 17 : seconds > 2900 && seconds <= 3000);
    });
  }

  test('an outage is not taken for a refusal of filters, neither then nor later', async () => {
    await using fake = await startFake((response, request) => {
      response.writeHead(200, { 'Content-Type': typeOf(request) }).end(fake.seen.length <= 3 ? '' : goodFetch);
    });
    const remote = remoteAt(`${fake.url}/acme/lib.git`);
    assert.ok((await faultOf(remote.files(someCommit.id, ['go.mod'], signal))) instanceof GitUnavailable);
    await remote.files(someCommit.id, ['go.mod'], signal);
    const filters = fake.seen.map(({ body }) => /filter (\S+)/.exec(body.toString())?.[1]);
    assert.deepEqual(filters, [combined(2), 'blob:none', undefined, combined(2)]);
  });

  test('the reason of a 403 to a push is told, without control characters and without end', async () => {
    const words = `remote: Permission to acme/lib\u0007 denied\u001b[31m to eve.\n${'x'.repeat(5000)}`;
    await using fake = await startFake(response =>
      response.writeHead(403, { 'Content-Type': 'text/plain' }).end(words),
    );
    const fault = await faultOf(pushTo(remoteAt(`${fake.url}/acme/lib.git`)));
    assert.match(
      fault.message,
      /^the forge does not let these credentials push: Permission to acme\/lib denied to eve\.\nx{700,800}…$/,
    );
  });

  test('what is well is read, over one connection, and pushed over another', async () => {
    const sockets = new Set<unknown>();
    await using fake = await startFake((response, request) => {
      sockets.add(request.socket);
      const answer = typeOf(request).includes('receive') ? goodPush : fake.seen.length === 1 ? goodRefs : goodFetch;
      response.writeHead(200, { 'Content-Type': typeOf(request) }).end(answer);
    });
    using own = createHttpPoster();
    const remote = remoteAt(`${fake.url}/acme/lib.git`, { poster: own });
    const { byName, head } = await refsOf(remote);
    assert.equal(byName.get(tagRef('v1.0.0'))?.peeled, someCommit.id);
    assert.equal(head, main);
    assert.equal((await filesOf(remote, someCommit.id)).length, 2);
    assert.equal(sockets.size, 1);
    await pushTo(remote);
    assert.equal(sockets.size, 2);
  });

  for (const [name, whole, ask] of [
    ['refs', goodRefs, refsOf],
    ['a snapshot', goodFetch, (remote: Remote) => filesOf(remote, someCommit.id)],
    ['a push', goodPush, pushTo],
  ] as const) {
    test(`the answer to ${name}, cut off anywhere, is no answer`, async () => {
      let length = 0;
      await using fake = await startFake((response, request) => {
        response.writeHead(200, { 'Content-Type': typeOf(request) });
        const cut = whole.subarray(0, length);
        if (length % 5 > 0) response.end(cut);
        else response.write(cut, () => response.destroy());
      });
      const remote = remoteAt(`${fake.url}/acme/lib.git`);
      for (length = 0; length < whole.byteLength; length += 1) {
        const fault = await faultOf(ask(remote));
        assert.ok(fault instanceof GitUnavailable, `${length}: ${fault}`);
      }
    });
  }

  for (const [name, answer] of [
    ['a fault in band 3', Buffer.concat([line('packfile\n'), band(3, 'possible repository corruption')])],
    ['an error line', line('ERR upload-pack: something is wrong\n')],
    ['no pack', Buffer.concat([line('shallow-info\n'), flush])],
    ['an unknown band', Buffer.concat([line('packfile\n'), band(4, 'x'), flush])],
    ['another object', Buffer.concat([line('packfile\n'), band(1, emptyPack), flush])],
    ['a missing blob', Buffer.concat([line('packfile\n'), band(1, packWithoutBlob), flush])],
    ['what git would not send', Buffer.from('<html>sign in</html>')],
  ] as const) {
    test(`${name} in the answer to a fetch is no absence`, async () => {
      await using fake = await startFake((response, request) => {
        response.writeHead(200, { 'Content-Type': typeOf(request) }).end(answer);
      });
      const fault = await faultOf(filesOf(remoteAt(`${fake.url}/acme/lib.git`), someCommit.id));
      assert.ok(fault instanceof GitUnavailable, String(fault));
    });
  }

  for (const [reason, text, expected] of [
    ['User permission denied for writing.', '', WriteRefused],
    ['protected branch hook declined', 'error: GH006: Protected branch update failed', WriteRefused],
    ['push declined due to repository rule violations', 'error: GH013: Cannot create ref', WriteRefused],
    ['push declined due to repository rule violations', 'GH013: - GITHUB PUSH PROTECTION', PushRefused],
    ['push declined due to email privacy restrictions', '', PushRefused],
    ['refusing to allow an OAuth App to create or update workflow `a.yml`', '', WriteRefused],
    ['reference already exists', '', RefMoved],
    ['incorrect old value provided', '', RefMoved],
    [
      'failed to update ref',
      "error: cannot lock ref 'refs/tags/v1.0.0': Unable to create 'x.lock': File exists",
      RefMoved,
    ],
    ['unable to migrate objects to permanent storage', '', GitUnavailable],
    ['funny refname', '', PushRefused],
    ['whatever a forge may think of', '', WriteRefused],
  ] as const) {
    test(`${reason}${text && ` (${text})`}: ${expected.name}`, async () => {
      await using fake = await startFake((response, request) => {
        const told = Buffer.concat([line('unpack ok\n'), line(`ng refs/tags/v1.0.0 ${reason}\n`), flush]);
        const answer = Buffer.concat([...(text === '' ? [] : [band(2, text)]), band(1, told), flush]);
        response.writeHead(200, { 'Content-Type': typeOf(request) }).end(answer);
      });
      const fault = await faultOf(pushTo(remoteAt(`${fake.url}/acme/lib.git`)));
      assert.equal(fault.name, expected.name, String(fault));
      if (!(fault instanceof RefMoved)) assert.ok(fault.message.includes(reason) && fault.message.includes(text));
    });
  }

  test('refs that nobody asked for are left out', async () => {
    await using fake = await startFake((response, request) => {
      response.writeHead(200, { 'Content-Type': typeOf(request) }).end(goodRefs);
    });
    const { byName } = await remoteAt(`${fake.url}/acme/lib.git`).refs({ prefixes: ['refs/tags/v2'], signal });
    assert.equal(byName.size, 0);
  });

  test('a stream that ends within a line is cut off, also for who only reads on', async () => {
    for (const bytes of ['00', '0008abc', '0000001']) {
      async function* stream() {
        yield* Array.from(bytes, character => Buffer.from(character));
      }
      const readOn = async () => {
        for await (const _ of readPackets(stream()));
      };
      await assert.rejects(readOn(), ProtocolError);
    }
  });

  test('a report that leaves out a ref is no success', async () => {
    const answer = Buffer.concat([band(1, Buffer.concat([line('unpack ok\n'), flush])), flush]);
    await using fake = await startFake((response, request) => {
      response.writeHead(200, { 'Content-Type': typeOf(request) }).end(answer);
    });
    assert.ok((await faultOf(pushTo(remoteAt(`${fake.url}/acme/lib.git`)))) instanceof GitUnavailable);
  });

  test('a renamed repository is followed on the same host, with body and credentials', async () => {
    for (const status of [301, 302, 307, 308]) {
      await using fake = await startFake((response, request) => {
        if (request.url?.startsWith('/acme/old')) {
          const location = request.url.replace('old', 'new');
          response.writeHead(status, { Location: status < 305 ? `${fake.url}${location}` : location }).end();
        } else {
          const answer = typeOf(request).includes('receive') ? goodPush : goodRefs;
          response.writeHead(200, { 'Content-Type': typeOf(request) }).end(answer);
        }
      });
      const remote = remoteAt(`${fake.url}/acme/old.git`);
      assert.equal((await refsOf(remote)).byName.size, 1);
      await pushTo(remote);
      const [first, second, third, fourth] = fake.seen;
      assert.deepEqual(second, { ...first, path: '/acme/new.git/git-upload-pack' });
      assert.deepEqual(fourth, { ...third, path: '/acme/new.git/git-receive-pack' });
      assert.ok(second?.authorization && fourth && fourth.body.byteLength > 300);
    }
  });

  test('credentials go to no other host, port or page, and no further than five redirects', async () => {
    await using other = await startFake(response => response.end());
    let location = '';
    await using fake = await startFake(response => response.writeHead(307, { Location: location }).end());
    for (const [to, requests] of [
      [`${other.url}/acme/lib.git/git-upload-pack`, 1],
      [`${fake.url.replace('127.0.0.1', 'localhost')}/acme/lib.git/git-upload-pack`, 1],
      [`${fake.url.replace('http', 'https')}/acme/lib.git/git-upload-pack`, 1],
      ['ftp://127.0.0.1/acme/lib.git/git-upload-pack', 1],
      ['/user/login?redirect_to=%2Fgit-upload-pack', 1],
      ['http://[', 1],
      ['', 6],
      [`${fake.url}/acme/lib.git/git-upload-pack`, 6],
    ] as const) {
      location = to;
      fake.seen.length = 0;
      const fault = await faultOf(refsOf(remoteAt(`${fake.url}/acme/lib.git`)));
      assert.ok(fault instanceof GitUnavailable, `${to}: ${fault}`);
      assert.equal(fake.seen.length, requests, to);
    }
    assert.equal(other.seen.length, 0);
  });

  test('a server that falls silent is given up, before its answer and within it', { timeout: 10_000 }, async () => {
    for (const begin of [undefined, goodRefs.subarray(0, 30)]) {
      await using fake = await startFake((response, request) => {
        if (begin) response.writeHead(200, { 'Content-Type': typeOf(request) }).write(begin);
      });
      const remote = remoteAt(`${fake.url}/acme/lib.git`, { timeoutMs: 150 });
      for (const ask of [refsOf, pushTo]) {
        const fault = await faultOf(ask(remote));
        assert.ok(fault instanceof GitUnavailable, String(fault));
        assert.match(fault.message, /nothing was sent or received for 150 ms/);
      }
    }
  });

  test('a refusal ends a push that is still being sent', { timeout: 10_000 }, async () => {
    let received = 0;
    const server = createServer((request, response) => {
      request.on('data', (piece: Buffer) => {
        received += piece.byteLength;
        request.pause();
        setTimeout(() => request.resume(), 5);
      });
      request.on('error', () => {});
      response.writeHead(401).end();
    });
    await using listening = await listenOnLoopback(server);
    const blob = Buffer.alloc(30_000_000);
    const objects = [{ ...packObject('blob', blob), zlib: [blob] }];
    const remote = remoteAt(`${listening.url}/acme/lib.git`);
    const closed = new Promise(resolve => server.once('connection', socket => socket.once('close', resolve)));
    const fault = await faultOf(remote.push({ objects, updates: [create(main, absent)], signal }));
    assert.ok(fault instanceof CredentialsRefused, String(fault));
    await closed;
    assert.ok(received < blob.byteLength / 2);
  });

  test('a slow answer that goes on is waited for', async () => {
    await using fake = await startFake(async (response, request) => {
      response.writeHead(200, { 'Content-Type': typeOf(request) });
      for (let at = 0; at < goodRefs.byteLength; at += 10) {
        response.write(goodRefs.subarray(at, at + 10));
        await sleep(60);
      }
      response.end();
    });
    assert.equal((await refsOf(remoteAt(`${fake.url}/acme/lib.git`, { timeoutMs: 500 }))).byName.size, 1);
  });

  test('an answer without end is given up', { timeout: 10_000 }, async () => {
    await using fake = await startFake((response, request) => {
      response.writeHead(200, { 'Content-Type': typeOf(request) });
      const more = () => {
        while (!response.destroyed && response.write(goodRefs.subarray(0, -4)));
      };
      response.on('drain', more);
      more();
    });
    const fault = await faultOf(refsOf(remoteAt(`${fake.url}/acme/lib.git`, { maxAnswerBytes: 100_000 })));
    assert.ok(fault instanceof GitUnavailable);
    assert.match(fault.message, /larger than 100000 bytes/);
  });

  test('nobody at home is no absence', async () => {
    const { url, ...fake } = await startFake(() => {});
    await fake[Symbol.asyncDispose]();
    for (const ask of [refsOf, pushTo]) {
      assert.ok((await faultOf(ask(remoteAt(`${url}/acme/lib.git`)))) instanceof GitUnavailable);
    }
  });

  test('a connection that the server has just closed costs a reader nothing', async () => {
    await using fake = await startFake((response, request) => {
      if (fake.seen.length === 2) return request.socket.destroy();
      response.writeHead(200, { 'Content-Type': typeOf(request) }).end(goodRefs);
    });
    const remote = remoteAt(`${fake.url}/acme/lib.git`);
    await refsOf(remote);
    assert.equal((await refsOf(remote)).byName.size, 1);
    assert.equal(fake.seen.length, 3);
  });

  test('a push that was reported as done is done, whatever becomes of the connection', async () => {
    await using fake = await startFake((response, request) => {
      response.writeHead(200, { 'Content-Type': typeOf(request) }).write(goodPush, () => response.destroy());
    });
    await pushTo(remoteAt(`${fake.url}/acme/lib.git`));
  });

  test('a push is sent once, whatever becomes of the connection', async () => {
    await using fake = await startFake((_, request) => request.socket.destroy());
    assert.ok((await faultOf(pushTo(remoteAt(`${fake.url}/acme/lib.git`)))) instanceof GitUnavailable);
    assert.equal(fake.seen.length, 1);
  });

  test('who goes away stops the request, and gets the reason back', { timeout: 10_000 }, async () => {
    const reason = new Error('the client went away');
    let answered: (() => void) | undefined;
    const closed: Promise<unknown>[] = [];
    await using fake = await startFake((response, request) => {
      closed.push(new Promise(resolve => response.once('close', resolve)));
      response.writeHead(200, { 'Content-Type': typeOf(request) }).write(goodRefs.subarray(0, 30), () => answered?.());
    });
    for (const ask of [refsOf, pushTo]) {
      const controller = new AbortController();
      answered = () => controller.abort(reason);
      assert.equal(await faultOf(ask(remoteAt(`${fake.url}/acme/lib.git`), controller.signal)), reason);
      assert.equal(await faultOf(ask(remoteAt(`${fake.url}/acme/lib.git`), AbortSignal.abort(reason))), reason);
    }
    await Promise.all(closed);
    assert.equal(fake.seen.length, 2);
  });
});
