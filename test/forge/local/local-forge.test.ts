/** What only the local forge promises: it lives beside real git and other processes, and survives being killed. The contract of all forges is in ../local-forge.test.ts. */
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import * as nodeFs from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createFsFromVolume, Volume } from 'memfs';
import { ForgeUnavailable } from '../../../src/forge/errors.ts';
import type { Forge, RepositoryName } from '../../../src/forge/forge.ts';
import { diskFileSystem, type FileSystem } from '../../../src/forge/local/file-system.ts';
import { createLocalForge } from '../../../src/forge/local/local-forge.ts';
import { inflateBlob } from '../../../src/git/deflated-blob.ts';
import {
  CorruptObject,
  GitUnavailable,
  PushRefused,
  RefMoved,
  RepositoryNotFound,
  WriteRefused,
} from '../../../src/git/errors.ts';
import { type ObjectId, parseObjectId } from '../../../src/git/object-id.ts';
import { encodePackIndex, PackEntries, writePack } from '../../../src/git/pack.ts';
import { packObject } from '../../../src/git/packed-object.ts';
import { parseRefName, tagRef } from '../../../src/git/ref-name.ts';
import type { BegunPush, Remote } from '../../../src/git/remote.ts';
import { eachFile } from '../../support/each-file.ts';
import { dyingFileSystem, watchedFileSystem } from '../../support/faulty-file-system.ts';
import { gitBytes } from '../../support/git-bytes.ts';
import { inMemory } from '../../support/in-memory.ts';
import { type CommitSketch, makeCommit } from '../../support/make-commit.ts';
import { fsck, gitIn } from '../../support/plain-git.ts';
import { skipWithout } from '../../support/skip-without.ts';
import { makeTemporaryFolder } from '../../support/temporary-folder.ts';

const skip = skipWithout('git');
const caller = { kind: 'service' } as const;
const name: RepositoryName = { owner: 'acme', repo: 'lib' };
const main = parseRefName('refs/heads/main');
const inTime = () => AbortSignal.timeout(60_000);
const everything = () => ({ prefixes: ['refs/'], signal: inTime() });

function forgeIn(directory: string, fs: FileSystem = diskFileSystem, staleLockMs = 60_000, warn = () => {}): Forge {
  return createLocalForge({ fs, directory, users: new Map(), visibility: 'private', log: { warn }, staleLockMs });
}

async function newRemote(forge: Forge, repository = name): Promise<Remote> {
  await forge.createRepository(repository, caller, inTime());
  return forge.remote(repository, caller);
}

async function pushTag(remote: Remote, tag: string, sketch: CommitSketch = {}): Promise<ObjectId> {
  const { id, objects } = makeCommit({ files: { 'go.mod': `module ${tag}\n`, same: 'same' }, ...sketch });
  await remote.push({ objects, updates: [{ name: tagRef(tag), from: undefined, to: id }], signal: inTime() });
  return id;
}

const tagsOf = async (remote: Remote): Promise<string[]> =>
  [...(await remote.refs({ prefixes: ['refs/tags/'], signal: inTime() })).byName.keys()].sort();

/** A folder with the forge on disk, one repository in it, and git in that. */
async function onDisk() {
  const folder = await makeTemporaryFolder();
  const forge = forgeIn(folder.path);
  const remote = await newRemote(forge);
  const gitdir = `${folder.path}/acme/lib.git`;
  return {
    directory: folder.path,
    forge,
    remote,
    gitdir,
    git: gitIn(gitdir),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

test('plain git finds a new repository sound, and clones what was pushed', { skip }, async () => {
  await using disk = await onDisk();
  const { remote, gitdir, git, directory } = disk;
  assert.equal(await fsck(gitdir), '');
  assert.equal(await git('symbolic-ref', 'HEAD'), 'refs/heads/main');
  const files = { 'go.mod': 'module x\n', 'dir/bin': Buffer.from([0, 255, 10, 13]), run: '#!/bin/sh\n' };
  const { id, objects } = makeCommit({ files, modes: { run: '100755' }, message: 'x v1.0.0\n\nModule: x\n' });
  const updates = [main, tagRef('v1.0.0')].map(ref => ({ name: ref, from: undefined, to: id }));
  await remote.push({ objects, updates, signal: inTime() });
  assert.equal(await fsck(gitdir), '');
  await gitIn(directory)('clone', '--quiet', gitdir, 'clone');
  const clone = gitIn(`${directory}/clone`);
  assert.equal(await clone('log', '--format=%H %s %(trailers:key=Module,valueonly)'), `${id} x v1.0.0 x\n`);
  assert.equal(await clone('status', '--porcelain'), '');
  assert.deepEqual(nodeFs.readFileSync(`${directory}/clone/dir/bin`), files['dir/bin']);
  assert.ok(nodeFs.statSync(`${directory}/clone/run`).mode & 0o100);
});

test('tags that people push, annotate, pack and collect are read', { skip }, async () => {
  await using disk = await onDisk();
  const { remote, git, directory, gitdir } = disk;
  const first = await pushTag(remote, 'v1.0.0');
  await gitIn(directory)('clone', '--quiet', gitdir, 'clone');
  const clone = gitIn(`${directory}/clone`);
  await clone('checkout', '--quiet', '-b', 'main', 'v1.0.0');
  nodeFs.writeFileSync(`${directory}/clone/large`, 'much the same\n'.repeat(10_000));
  await clone('add', '.');
  await clone('commit', '--quiet', '-m', 'people');
  await clone('tag', 'v1.1.0');
  await clone('tag', '-a', '-m', 'annotated', 'v1.2.0');
  await clone('push', '--quiet', '--tags', 'origin', 'main');
  const head = await clone('rev-parse', 'HEAD');
  const annotated = await clone('rev-parse', 'v1.2.0');
  const check = async () => {
    const { byName } = await remote.refs(everything());
    assert.equal(byName.size, 4);
    assert.deepEqual(byName.get(tagRef('v1.2.0')), { name: 'refs/tags/v1.2.0', id: annotated, peeled: head });
    assert.deepEqual(byName.get(tagRef('v1.0.0')), { name: 'refs/tags/v1.0.0', id: first });
    const tip = byName.get(tagRef('v1.1.0'));
    assert.equal(tip?.id, head);
    assert.deepEqual((await remote.commit(tip.id, inTime())).parents, [first]);
    const { files } = await remote.files(tip.id, ['large'], inTime());
    assert.equal(files.get('large')?.byteLength, 140_000);
  };
  await check();
  await git('pack-refs', '--all');
  await check();
  await git('gc', '--quiet', '--prune=now', '--aggressive');
  assert.deepEqual(await namesOf(`${gitdir}/refs/tags`), []);
  await check();
  await assert.rejects(pushTag(remote, 'v1.2.0'), RefMoved);
  const removal = { name: tagRef('v1.2.0'), from: parseObjectId(annotated), to: undefined };
  await remote.push({ objects: [], updates: [removal], signal: inTime() });
  await pushTag(remote, 'v1.2.0');
  assert.equal(await git('tag', '--list'), 'v1.0.0\nv1.1.0\nv1.2.0');
  assert.equal(await fsck(gitdir), '');
  await git('pack-refs', '--all');
  assert.equal((await tagsOf(remote)).length, 3);
});

test('the kind of many loose tags is known without reading their packs', { skip }, async () => {
  await using disk = await onDisk();
  const { directory, gitdir } = disk;
  for (let i = 0; i < 20; i++) await pushTag(disk.remote, `v1.0.${i}`);
  const { fs, read } = noticingReads();
  const remote = forgeIn(directory, fs).remote(name, caller);
  assert.equal((await remote.refs(everything())).byName.size, 20);
  assert.deepEqual(
    read.filter(path => path.endsWith('.pack')),
    [],
  );
  read.splice(0);
  await pushTag(remote, 'v1.1.0');
  assert.equal((await remote.refs(everything())).byName.size, 21);
  assert.deepEqual(
    read.filter(path => path.includes('/pack/')),
    [],
  );
  assert.equal((await namesOf(`${gitdir}/objects/pack`)).filter(file => file.endsWith('.keep')).length, 0);
});

/** The disk, and which files of it are read whole. */
function noticingReads(): { fs: FileSystem; read: string[] } {
  const read: string[] = [];
  const { promises } = diskFileSystem;
  const readFile = (path: string) => {
    read.push(path);
    return promises.readFile(path);
  };
  return { fs: { promises: Object.assign(Object.create(promises), { readFile }) }, read };
}

test('nothing is lost while git packs, collects, pushes and updates beside us', { skip }, async () => {
  await using disk = await onDisk();
  const { remote, git, gitdir, directory } = disk;
  await pushTag(remote, 'v0.0.0');
  await gitIn(directory)('clone', '--quiet', gitdir, 'clone');
  const clone = gitIn(`${directory}/clone`);
  let isOver = false;
  const theirs: string[] = [];
  const gitBesideUs = async () => {
    for (let i = 0; !isOver; i++) {
      // No objects of its own: those `--prune=now` takes from any git that is about to use them.
      await clone('tag', `v2.0.${i}`, 'v0.0.0');
      // Git gives up where it finds a lock; then its tag is not there, and that is not for us to mend.
      const pushed = await clone.run('push', '--quiet', 'origin', `v2.0.${i}`);
      if (pushed.exitCode === 0) theirs.push(`v2.0.${i}`);
      await git.run('pack-refs', '--all', '--prune');
      const updated = await git.run('update-ref', `refs/tags/v3.0.${i}`, 'v0.0.0', '');
      if (updated.exitCode === 0) theirs.push(`v3.0.${i}`);
      await git.run('gc', '--quiet', '--prune=now');
    }
  };
  const beside = gitBesideUs();
  const ours: string[] = [];
  try {
    for (let i = 0; i < 20; i++) {
      const [id] = await Promise.all([pushTag(remote, `v1.0.${i}`), pushTag(remote, `sub/v1.0.${i}`)]);
      ours.push(`v1.0.${i}`, `sub/v1.0.${i}`);
      const seen = await remote.refs({ prefixes: [`refs/tags/v1.0.${i}`], signal: inTime() });
      assert.equal(seen.byName.get(tagRef(`v1.0.${i}`))?.id, id);
      assert.equal(String((await remote.files(id, ['same'], inTime())).files.get('same')), 'same');
      await assert.rejects(pushTag(remote, `v1.0.${i}`, { message: 'other' }), RefMoved);
      if (i % 5 === 0) {
        const updates = [{ name: tagRef(`v1.0.${i}`), from: id, to: undefined }];
        await remote.push({ objects: [], updates, signal: inTime() });
        ours.splice(ours.indexOf(`v1.0.${i}`), 1);
      }
    }
  } finally {
    isOver = true;
    await beside;
  }
  assert.ok(theirs.length > 0);
  assert.deepEqual(await tagsOf(remote), ['v0.0.0', ...ours, ...theirs].map(tag => `refs/tags/${tag}`).sort());
  assert.equal(await fsck(gitdir), '');
});

test('git may collect and pack before any step of a push, and all is there', { skip }, async () => {
  await using disk = await onDisk();
  const { directory, gitdir, git } = disk;
  let collections = 0;
  const watch = (operation: string, path = '', to = '') => {
    if (operation !== 'rename' && !path.endsWith('.lock') && !to.endsWith('.pack')) return;
    collections += 1;
    // Where it can't have a lock it gives up; what it has collected until then is gone.
    spawnSync('git', ['gc', '--quiet', '--prune=now'], { cwd: gitdir });
  };
  await liveThrough(forgeIn(directory, watchedFileSystem(diskFileSystem, watch)).remote(name, caller));
  assert.ok(collections > 10);
  await pushTag(disk.remote, 'v1.0.0');
  assert.equal(await fsck(gitdir), '');
  assert.equal(
    await git('for-each-ref', '--format=%(refname)'),
    ['refs/heads/main', 'refs/modforge/deleted/v1.0.0', 'refs/modforge/module', 'refs/tags/v1.0.0'].join('\n'),
  );
});

test('a ref that is deleted while git packs refs stays deleted', { skip }, async () => {
  await using disk = await onDisk();
  const { directory, gitdir } = disk;
  const id = await pushTag(disk.remote, 'v1.0.0');
  let packed = 0;
  const watch = (operation: string, path = '') => {
    if (operation !== 'unlink' || !path.endsWith('/refs/tags/v1.0.0')) return;
    packed += 1;
    spawnSync('git', ['pack-refs', '--all'], { cwd: gitdir });
  };
  const remote = forgeIn(directory, watchedFileSystem(diskFileSystem, watch)).remote(name, caller);
  const updates = [{ name: tagRef('v1.0.0'), from: id, to: undefined }];
  await remote.push({ objects: [], updates, signal: inTime() });
  assert.equal(packed, 1);
  assert.deepEqual(await tagsOf(disk.remote), []);
});

/** A process of its own that pushes; see local-pusher.ts. */
async function startPusher(directory: string, staleLockMs: number) {
  const script = fileURLToPath(new URL('../../support/local-pusher.ts', import.meta.url));
  const args = ['--import', './scripts/typescript.mjs', script, directory, String(staleLockMs)];
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn(process.execPath, args, { stdio: 'pipe' });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const exited = once(child, 'exit');
  child.stdin.on('error', () => {});
  child.stderr.resume();
  const nextLine = async (): Promise<string | undefined> => (await lines.next()).value;
  assert.equal(await nextLine(), 'ready');
  return {
    ask: (repo: string, tag: string) => void child.stdin.write(`${repo} ${tag}\n`),
    nextLine,
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

test('of two processes that push one version exactly one wins, of a new module and of an old one', {
  skip,
}, async () => {
  await using folder = await makeTemporaryFolder();
  await using one = await startPusher(folder.path, 60_000);
  await using other = await startPusher(folder.path, 60_000);
  for (let round = 0; round < 20; round++) {
    const [repo, tag] = round % 2 ? ['old', `v1.${round}.0`] : [`new-${round}`, 'v1.0.0'];
    one.ask(repo, tag);
    other.ask(repo, tag);
    const results = await Promise.all([one.nextLine(), other.nextLine()]);
    assert.deepEqual(results.sort(), ['lost', 'won'], `round ${round}`);
    const git = gitIn(`${folder.path}/acme/${repo}.git`);
    assert.ok((await git('tag', '--list', tag)) === tag);
    assert.equal(
      await git('count-objects', '-v').then(text => /^packs: (\d+)/m.exec(text)?.[1]),
      String(round % 2 ? (round + 1) / 2 : 1),
    );
  }
  assert.equal(await fsck(`${folder.path}/acme/old.git`), '');
});

const killRounds = Number(process.env.MODFORGE_KILL_ROUNDS ?? 20);

test(`a process killed while it pushes leaves whole versions, and nothing in the way (${killRounds} rounds)`, {
  skip,
}, async () => {
  await using folder = await makeTemporaryFolder();
  const staleLockMs = 50;
  let next = startPusher(folder.path, staleLockMs);
  try {
    for (let round = 0; round < killRounds; round++) {
      const repo = round % 4 ? 'old' : `new-${round}`;
      const gitdir = `${folder.path}/acme/${repo}.git`;
      await using pusher = await next;
      next = startPusher(folder.path, staleLockMs);
      for (let i = 0; i < 100; i++) pusher.ask(repo, `v1.${round}.${i}`);
      const won: string[] = [];
      // A moment after the first, or before it.
      if (round % 3) {
        assert.equal(await pusher.nextLine(), 'won');
        won.push(`v1.${round}.0`);
      }
      await new Promise(resolve => setTimeout(resolve, Math.random() * 60));
      await pusher.kill();
      for (let line = await pusher.nextLine(); line === 'won'; line = await pusher.nextLine()) {
        won.push(`v1.${round}.${won.length}`);
      }

      const forge = forgeIn(folder.path, diskFileSystem, staleLockMs);
      const remote = await newRemote(forge, { owner: 'acme', repo });
      assert.equal(await fsck(gitdir), '', `round ${round}`);
      const { byName } = await remote.refs({ prefixes: [`refs/tags/v1.${round}.`], signal: inTime() });
      for (const tag of won) assert.ok(byName.has(tagRef(tag)), `${tag} was won and is gone`);
      for (const { id } of byName.values()) {
        let files = 0;
        for await (const _ of eachFile(await remote.snapshot(id, inMemory, inTime()))) files += 1;
        assert.equal(files, 50);
      }
      await pushTag(remote, `v2.${round}.0`);
      const interrupted = `v1.${round}.${won.length}`;
      if (!byName.has(tagRef(interrupted))) await pushTag(remote, interrupted);
      assert.equal(await fsck(gitdir), '', `round ${round}, after`);
    }
  } finally {
    await (await next).kill();
  }
});

/** The pushes of a version's life. */
async function liveThrough(remote: Remote): Promise<void> {
  const mark = makeCommit({ message: 'Module: x\n' });
  const version = makeCommit({ files: { a: 'a', 'b/c': 'c' } });
  const gone = makeCommit({ message: 'deleted\n' });
  const tag = tagRef('v1.0.0');
  const begun = await remote.beginPush?.(inTime());
  await begun?.add(version.objects);
  await (begun ?? remote).push({
    objects: [...mark.objects, ...version.objects],
    updates: [
      { name: parseRefName('refs/modforge/module'), from: undefined, to: mark.id },
      { name: main, from: undefined, to: version.id },
      { name: tag, from: undefined, to: version.id },
    ],
    signal: inTime(),
  });
  await remote.push({
    objects: gone.objects,
    updates: [
      { name: parseRefName('refs/modforge/deleted/v1.0.0'), from: undefined, to: gone.id },
      { name: tag, from: version.id, to: undefined },
    ],
    signal: inTime(),
  });
}

/** A process lives until it is killed before its `steps`-th change; then another finds a whole version or none, and pushes. */
async function killedAfter(
  steps: number,
  fs: FileSystem,
  directory: string,
): Promise<{ tags: number; isDead: boolean }> {
  const dying = dyingFileSystem(fs, steps);
  let warnings = 0;
  const warn = () => {
    warnings += 1;
  };
  const hasLived = newRemote(forgeIn(directory, dying.fs, undefined, warn))
    .then(liveThrough)
    .then(
      () => true,
      () => false,
    );
  // Whoever dies letting go of a lock has done its work, and only says so.
  assert.equal((await hasLived) && warnings === 0, !dying.isDead());
  const gitdir = `${directory}/acme/lib.git`;
  const isThere = (path: string) =>
    fs.promises.stat(`${gitdir}/${path}`).then(
      () => true,
      () => false,
    );
  if (await isThere('HEAD')) {
    for (const part of ['config', 'objects/pack', 'refs/tags']) assert.ok(await isThere(part), `HEAD and no ${part}`);
  }

  const remote = await newRemote(forgeIn(directory, fs, -1));
  const { byName } = await remote.refs(everything());
  const version = byName.get(tagRef('v1.0.0'));
  if (version !== undefined) {
    assert.ok(byName.has(main) && byName.has(parseRefName('refs/modforge/module')));
    const contents: string[] = [];
    for await (const { blob } of eachFile(await remote.snapshot(version.id, inMemory, inTime()))) {
      contents.push(`${await inflateBlob(blob)}`);
    }
    assert.deepEqual(contents, ['a', 'c']);
  }
  const next = makeCommit({ files: { next: 'next' } });
  const names = [main, tagRef('v1.0.0'), tagRef('v1.1.0')];
  const updates = names.map(ref => ({ name: ref, from: byName.get(ref)?.id, to: next.id }));
  await remote.push({ objects: next.objects, updates, signal: inTime() });
  return { tags: version ? 1 : 0, isDead: dying.isDead() };
}

test('a process killed before any one of its steps leaves whole versions, and nothing in the way', async () => {
  let tags = '';
  for (let steps = 0, isDead = true; isDead; steps++) {
    const result = await killedAfter(steps, createFsFromVolume(new Volume()), '/data');
    tags += result.tags;
    isDead = result.isDead;
  }
  // The version comes and goes once.
  assert.match(tags, /^0{40,}1{5,}0+$/);
});

test('what a killed process leaves git finds sound', { skip }, async () => {
  for (let steps = 3, isDead = true; isDead; steps += 7) {
    await using folder = await makeTemporaryFolder();
    ({ isDead } = await killedAfter(steps, diskFileSystem, folder.path));
    assert.equal(await fsck(`${folder.path}/acme/lib.git`), '', `after ${steps} steps`);
  }
});

test('what a push resolves for is on disk: each file before its name, each name before the end', async () => {
  const fs = createFsFromVolume(new Volume());
  const unsynced = new Set<string>();
  const unsyncedFolders = new Set<string>();
  const folderOf = (path: string) => path.replace(/\/[^/]*$/, '') || '/';
  const watch = (operation: string, path = '', to = '') => {
    if (operation === 'create' || operation === 'write') unsynced.add(path);
    if (operation === 'sync') {
      unsynced.delete(path);
      unsyncedFolders.delete(path);
    }
    if (operation === 'unlink') unsynced.delete(path);
    if (operation === 'mkdir' && !fs.existsSync(path)) unsyncedFolders.add(folderOf(path));
    if (operation === 'rename') {
      assert.ok(!unsynced.has(path), `${path} gets its name before it is synced`);
      const isRef = to.includes('/refs/');
      if (isRef)
        assert.deepEqual(
          [...unsyncedFolders].filter(folder => folder.includes('/objects')),
          [],
        );
      unsyncedFolders.add(folderOf(to));
    }
  };
  const forge = forgeIn('/data', watchedFileSystem(fs, watch));
  const remote = await newRemote(forge);
  assert.deepEqual([[...unsynced], [...unsyncedFolders]], [[], []]);
  await liveThrough(remote);
  assert.deepEqual([[...unsynced], [...unsyncedFolders]], [[], []]);
});

test('damage to an object is noticed, wherever it is', { skip }, async () => {
  await using disk = await onDisk();
  const { directory, gitdir, git } = disk;
  const id = await pushTag(disk.remote, 'v1.0.0', {
    files: { a: 'content of a file, long enough to be hit\n'.repeat(50) },
  });
  const [pack = ''] = (await namesOf(`${gitdir}/objects/pack`)).filter(file => file.endsWith('.pack'));
  const path = `${gitdir}/objects/pack/${pack}`;
  const whole = nodeFs.readFileSync(path);
  const readAll = async () => {
    const remote = forgeIn(directory).remote(name, caller);
    for await (const file of eachFile(await remote.snapshot(id, inMemory, inTime()))) assert.ok(file.blob.size > 0);
  };
  nodeFs.chmodSync(path, 0o644);
  // Behind the pack's header and before its checksum lie the objects.
  for (let at = 12; at < whole.byteLength - 20; at += 7) {
    const damaged = Buffer.from(whole);
    // A bit that counts everywhere: of the byte before stored data deflate uses the lowest three.
    damaged.writeUInt8(damaged.readUInt8(at) ^ 0x01, at);
    nodeFs.writeFileSync(path, damaged);
    await assert.rejects(readAll(), CorruptObject, `byte ${at}`);
  }
  nodeFs.writeFileSync(path, whole.subarray(0, -30));
  await assert.rejects(readAll(), CorruptObject);
  nodeFs.writeFileSync(path, whole);
  await readAll();

  // Another object's bytes under a name, in a way that only the id can tell.
  const blob = await git('rev-parse', `${id}:a`);
  nodeFs.rmSync(`${gitdir}/objects/pack`, { recursive: true });
  nodeFs.mkdirSync(`${gitdir}/objects/pack`);
  gitBytes(gitdir, ['unpack-objects', '-q'], whole);
  const loose = `${gitdir}/objects/${blob.slice(0, 2)}/${blob.slice(2)}`;
  nodeFs.rmSync(loose);
  const other = await git.with({ input: 'other content' })('hash-object', '-w', '--stdin');
  nodeFs.copyFileSync(`${gitdir}/objects/${other.slice(0, 2)}/${other.slice(2)}`, loose);
  await assert.rejects(readAll(), CorruptObject);
});

test('an index that leads to another object is noticed', async () => {
  const fs = createFsFromVolume(new Volume());
  const remote = await newRemote(forgeIn('/data', fs));
  const { id, objects } = makeCommit({ files: { a: 'one', b: 'two' } });
  await remote.push({ objects, updates: [{ name: main, from: undefined, to: id }], signal: inTime() });
  const packs = '/data/acme/lib.git/objects/pack';
  const [index = ''] = fs
    .readdirSync(packs)
    .map(String)
    .filter(file => file.endsWith('.idx'));
  const entries = new PackEntries();
  const writing = writePack(objects, entries);
  let step = await writing.next();
  while (!step.done) step = await writing.next();
  const offsets = entries.all.map(entry => entry.offset);
  const swapped = entries.all.map((entry, i) => ({ ...entry, offset: offsets[i < 2 ? 1 - i : i] ?? 0 }));
  fs.unlinkSync(`${packs}/${index}`);
  fs.writeFileSync(`${packs}/${index}`, encodePackIndex(swapped, step.value));
  await assert.rejects(remote.files(id, ['a'], inTime()), CorruptObject);
});

test('the index of a pack that git is removing is not believed', async () => {
  const fs = createFsFromVolume(new Volume());
  const remote = await newRemote(forgeIn('/data', fs));
  const id = await pushTag(remote, 'v1.0.0');
  const packs = '/data/acme/lib.git/objects/pack';
  const [index = ''] = fs.readdirSync(packs).map(String);
  fs.copyFileSync(`${packs}/${index}`, `${packs}/pack-0.idx`);
  assert.equal(String((await remote.files(id, ['same'], inTime())).files.get('same')), 'same');
});

test('a repository that is kept in a way we can’t read is an outage, not an empty one', { skip }, async () => {
  await using disk = await onDisk();
  const { remote, gitdir } = disk;
  await pushTag(remote, 'v1.0.0');
  const sound = nodeFs.readFileSync(`${gitdir}/config`, 'utf8');
  for (const [setting, reason] of [
    ['[extensions]\n\trefStorage = reftable\n', /refs are not kept in files/],
    ['[extensions]\n\tobjectFormat = sha256\n', /not SHA-1/],
    ['[extensions]\n\tpartialClone = origin\n', /partial clone/],
    ['[core]\n\trepositoryFormatVersion = 2\n', /format version/],
  ] as const) {
    nodeFs.writeFileSync(`${gitdir}/config`, sound + setting);
    const isSaid = (error: unknown) => error instanceof GitUnavailable && reason.test(error.message);
    await assert.rejects(remote.refs(everything()), isSaid, setting);
    await assert.rejects(pushTag(remote, 'v1.1.0'), isSaid, setting);
  }
  nodeFs.writeFileSync(`${gitdir}/config`, `${sound}[extensions]\n\tobjectFormat = sha1\n\trefStorage = files\n`);
  assert.equal((await tagsOf(remote)).length, 1);
  nodeFs.writeFileSync(`${gitdir}/objects/info/alternates`, '/elsewhere\n');
  await assert.rejects(remote.refs(everything()), GitUnavailable);
});

test('a data folder that is gone is an outage, not an absence', async () => {
  await using folder = await makeTemporaryFolder();
  const directory = `${folder.path}/data`;
  const forge = forgeIn(directory);
  const remote = forge.remote(name, caller);
  await assert.rejects(remote.refs(everything()), RepositoryNotFound);
  await forge.checkReady(inTime());
  nodeFs.rmSync(directory, { recursive: true });
  await assert.rejects(remote.refs(everything()), GitUnavailable);
  await assert.rejects(forge.checkReady(inTime()), ForgeUnavailable);
  nodeFs.writeFileSync(directory, 'a file');
  await assert.rejects(remote.refs(everything()), GitUnavailable);
  await assert.rejects(forgeIn(directory).checkReady(inTime()), ForgeUnavailable);
  await assert.rejects(forgeIn(directory).createRepository(name, caller, inTime()), ForgeUnavailable);
});

test('names that differ in case are different repositories, and none leads out of the folder', async () => {
  const fs = createFsFromVolume(new Volume());
  const forge = forgeIn('/data', fs);
  await pushTag(await newRemote(forge, { owner: 'acme', repo: 'Lib' }), 'v1.0.0');
  assert.deepEqual(await tagsOf(await newRemote(forge, { owner: 'acme', repo: 'lib' })), []);
  fs.mkdirSync('/elsewhere.git/refs', { recursive: true });
  fs.writeFileSync('/elsewhere.git/HEAD', 'ref: refs/heads/main\n');
  for (const [owner, repo] of [
    ['..', 'elsewhere'],
    ['acme', '../../elsewhere'],
    ['.', '.'],
    ['acme/..', 'x'],
    ['', 'x'],
    ['a\0', 'x'],
    ['acme', ''],
  ] as const) {
    await assert.rejects(forge.remote({ owner, repo }, caller).refs(everything()), RepositoryNotFound);
    await assert.rejects(forge.createRepository({ owner, repo }, caller, inTime()), WriteRefused);
  }
});

test('a loser and a refused push leave no pack behind, and what a dead process left goes in time', async () => {
  const fs = createFsFromVolume(new Volume());
  const forge = forgeIn('/data', fs);
  const remote = await newRemote(forge);
  const packs = '/data/acme/lib.git/objects/pack';
  const results = await Promise.allSettled(
    Array.from({ length: 5 }, (_, i) => pushTag(remote, 'v1.0.0', { files: { i: `${i}` } })),
  );
  assert.equal(results.filter(result => result.status === 'fulfilled').length, 1);
  await assert.rejects(pushTag(remote, 'v1.0.0/x'), PushRefused);
  assert.deepEqual(
    fs
      .readdirSync(packs)
      .map(file => String(file).replace(/.*\./, ''))
      .sort(),
    ['idx', 'pack'],
  );

  const note = 'modforge: a push is under way\n';
  const longAgo = new Date(Date.now() - 2 * 3_600_000);
  for (const [file, content, isOld] of [
    ['pack-1.keep', note, true],
    ['pack-2.keep', 'somebody else’s', true],
    ['pack-3.keep', note, false],
    ['modforge-4.new-pack', 'half a pack', true],
    ['modforge-5.new-pack', 'half a pack', false],
    ['tmp_pack_6', 'git’s own', true],
  ] as const) {
    fs.writeFileSync(`${packs}/${file}`, content);
    if (isOld) fs.utimesSync(`${packs}/${file}`, longAgo, longAgo);
  }
  await pushTag(remote, 'v1.1.0');
  assert.deepEqual(
    fs.readdirSync(packs).filter(file => !/\.(pack|idx)$/.test(String(file))),
    ['modforge-5.new-pack', 'pack-2.keep', 'pack-3.keep', 'tmp_pack_6'],
  );
});

test('a push that the disk fails gives up its locks, and waits for nobody else’s', async () => {
  const fs = createFsFromVolume(new Volume());
  const remote = await newRemote(forgeIn('/data', fs));
  await pushTag(remote, 'v1.0.0');
  const { rename } = fs.promises;
  const filesIn = (folder: string) => fs.readdirSync(`/data/acme/lib.git/${folder}`).map(String);
  const whole = filesIn('objects/pack');
  for (const lock of ['v1.1.0.lock', undefined]) {
    if (lock !== undefined) fs.writeFileSync(`/data/acme/lib.git/refs/tags/${lock}`, '');
    fs.promises.rename = async (from, to) => {
      if (String(to).endsWith('.idx')) throw Object.assign(new Error('the disk is full'), { code: 'ENOSPC' });
      await rename(from, to);
    };
    const late = setTimeout(() => assert.fail('it waits for a lock'), 20_000);
    await assert.rejects(pushTag(remote, 'v1.1.0'), GitUnavailable);
    clearTimeout(late);
    fs.promises.rename = rename;
    assert.deepEqual(filesIn('refs/tags'), ['v1.0.0', ...(lock ? [lock] : [])]);
    assert.deepEqual(filesIn('objects/pack'), whole);
    if (lock !== undefined) fs.unlinkSync(`/data/acme/lib.git/refs/tags/${lock}`);
  }
  await pushTag(remote, 'v1.1.0');
});

describe('a push whose objects come before it', () => {
  const large = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`${i}`, randomBytes(100_000)]));
  const filesIn = (gitdir: string) => nodeFs.readdirSync(`${gitdir}/objects/pack`);

  test('makes one pack of all, each object once, that git finds sound', { skip }, async () => {
    await using disk = await onDisk();
    const { remote, gitdir, git } = disk;
    const { id, objects } = makeCommit({ files: large });
    await using begun = await begin(remote);
    for (const object of objects.slice(0, -3)) await begun.add([object]);
    assert.deepEqual(await tagsOf(remote), []);
    const updates = [{ name: tagRef('v1.0.0'), from: undefined, to: id }];
    await begun.push({ objects, updates, signal: inTime() });
    await begun[Symbol.asyncDispose]();
    assert.equal(await fsck(gitdir), '');
    assert.deepEqual(filesIn(gitdir).map(extension).sort(), ['idx', 'pack']);
    assert.match(await git('count-objects', '-v'), new RegExp(`^in-pack: ${objects.length}$`, 'm'));
  });

  test('leaves nothing where it is not made, is refused or comes too late', async () => {
    await using disk = await onDisk();
    const { remote, gitdir } = disk;
    const { id, objects } = makeCommit({ files: large });
    {
      await using begun = await begin(remote);
      await begun.add(objects);
      assert.deepEqual(filesIn(gitdir).map(extension), ['new-pack']);
    }
    assert.deepEqual(filesIn(gitdir), []);
    const wrong = [{ name: tagRef('v1.0.0'), from: id, to: id }];
    for (const [pushed, updates, error] of [
      [objects, wrong, RefMoved],
      [objects.slice(1), [{ name: tagRef('v1.0.0'), from: undefined, to: id }], PushRefused],
    ] as const) {
      await using begun = await begin(remote);
      await begun.add(objects.slice(1, 5));
      await assert.rejects(begun.push({ objects: pushed, updates, signal: inTime() }), error);
      assert.deepEqual(filesIn(gitdir), []);
    }
  });

  async function begin(remote: Remote): Promise<BegunPush> {
    const begun = await remote.beginPush?.(inTime());
    assert.ok(begun);
    return begun;
  }

  const extension = (file: string) => file.replace(/.*\./, '');
});

test('who goes while the files of a snapshot are read gets no more of them', async () => {
  const forge = forgeIn('/data', createFsFromVolume(new Volume()));
  const remote = await newRemote(forge);
  const id = await pushTag(remote, 'v1.0.0', { files: { a: 'a', b: 'b', c: 'c' } });
  const controller = new AbortController();
  const { files } = await remote.snapshot(id, inMemory, controller.signal);
  const reason = new Error('gone');
  let seen = 0;
  await assert.rejects(async () => {
    for await (const _ of files) {
      seen += 1;
      controller.abort(reason);
    }
  }, reason);
  assert.equal(seen, 1);
});

test('a tree that old tools wrote is read, one that leads out of itself is not', async () => {
  const forge = forgeIn('/data', createFsFromVolume(new Volume()));
  const remote = await newRemote(forge);
  const blob = packObject('blob', Buffer.from('x'));
  const treeWith = (mode: string, entry: string) =>
    packObject('tree', Buffer.concat([Buffer.from(`${mode} ${entry}\0`), Buffer.from(blob.id, 'hex')]));
  for (const [i, [mode, entry, isRead]] of (
    [
      ['100664', 'a\\b', true],
      ['100644', '.git', true],
      ['100644', '..', false],
    ] as const
  ).entries()) {
    const tree = treeWith(mode, entry);
    const commit = packObject(
      'commit',
      Buffer.from(`tree ${tree.id}\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\n${i}`),
    );
    const updates = [{ name: tagRef(`v1.0.${i}`), from: undefined, to: commit.id }];
    if (!isRead) {
      await assert.rejects(remote.push({ objects: [blob, tree, commit], updates, signal: inTime() }), PushRefused);
      continue;
    }
    await remote.push({ objects: [blob, tree, commit], updates, signal: inTime() });
    for await (const file of eachFile(await remote.snapshot(commit.id, inMemory, inTime())))
      assert.equal(file.path, entry);
  }
});

const namesOf = (folder: string) => nodeFs.promises.readdir(folder);
