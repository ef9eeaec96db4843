/** The histories of repositories that real git has written to, in all ways in which it keeps commits. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { createLocalForge } from '../../../src/forge/local/local-forge.ts';
import { createPackedReader } from '../../../src/forge/local/packed-reader.ts';
import { ObjectMissing } from '../../../src/git/errors.ts';
import { hashObject, parseObjectId } from '../../../src/git/object-id.ts';
import { gitBytes } from '../../support/git-bytes.ts';
import { gitIn } from '../../support/plain-git.ts';
import { skipWithout } from '../../support/skip-without.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../../support/temporary-folder.ts';

const { signal } = new AbortController();

describe('a repository that git keeps', { skip: skipWithout('git') }, () => {
  let folder: TemporaryFolder;
  before(async () => {
    folder = await makeTemporaryFolder();
  });
  after(() => folder[Symbol.asyncDispose]());

  const gitdirOf = (name: string) => `${folder.path}/acme/${name}.git`;

  /** Like one by a robot: messages that are nearly the same become deltas; beside some commits lie files of 20 KB, every hundredth is a merge. */
  async function makeRepository(name: string, commits: number): Promise<string> {
    const gitdir = gitdirOf(name);
    await gitIn(folder.path)('init', '--quiet', '--bare', '-b', 'main', gitdir);
    const stream: string[] = [];
    for (let i = 1; i <= commits; i++) {
      const message = `update ${i}\n\n${'It was made by a robot, and nobody has looked at it.\n'.repeat(6)}`;
      const content = i % 20 > 0 ? `${i}` : randomBytes(15_000).toString('base64');
      stream.push(
        `commit refs/heads/main\nmark :${i}\ncommitter Eve <eve@example.com> ${1_700_000_000 + i} -0330\n`,
        `data ${message.length}\n${message}`,
        i % 100 > 0 || i < 200 ? '' : `from :${i - 1}\nmerge :${i - 50}\n`,
        `M 100644 inline f${i % 10}\ndata ${content.length}\n${content}\n`,
      );
    }
    gitBytes(gitdir, ['fast-import', '--quiet'], stream.join(''));
    return gitdir;
  }

  const history = async (
    name: string,
    tips: readonly string[],
    known: readonly string[] = [],
  ): Promise<Set<string>> => {
    const log = { warn() {} };
    const forge = createLocalForge({ fs, directory: folder.path, users: new Map(), visibility: 'private', log });
    const remote = forge.remote({ owner: 'acme', repo: name }, { kind: 'service' });
    const range = { tips: tips.map(parseObjectId), known: known.map(parseObjectId), signal };
    const commits = await remote.history(range);
    return new Set(commits.map(({ id, time, parents }) => [id, time, ...parents].join(' ')));
  };

  /** The same by git itself. */
  const logged = async (name: string, ...revisions: string[]): Promise<Set<string>> => {
    const lines = await gitIn(gitdirOf(name))('log', '--format=%H %ct %P', ...revisions);
    return new Set(lines.split('\n').map(line => line.trim()));
  };

  const repack = (gitdir: string, ...options: string[]) =>
    gitIn(gitdir)(...options, 'repack', '-adfq', '--depth=50', '--window=10');

  for (const [name, pack] of [
    ['imported', async () => {}],
    ['packed as deltas', repack],
    ['packed as deltas to ids', (gitdir: string) => repack(gitdir, '-c', 'repack.useDeltaBaseOffset=false')],
    [
      'packed twice in part',
      async (gitdir: string) => {
        const git = gitIn(gitdir);
        const list = await git('rev-list', '--objects', '--no-object-names', 'main~400');
        await git.with({ input: list })('pack-objects', '-q', `${gitdir}/objects/pack/pack`);
      },
    ],
  ] as const) {
    test(`${name}: 1,000 commits are read as git reads them`, async () => {
      const repository = name.replaceAll(' ', '-');
      const gitdir = await makeRepository(repository, 1000);
      await pack(gitdir);
      const tip = await gitIn(gitdir)('rev-parse', 'main');
      const known = await gitIn(gitdir)('rev-parse', 'main~70');
      assert.deepEqual(await history(repository, [tip]), await logged(repository, 'main'));
      assert.deepEqual(await history(repository, [tip], [known]), await logged(repository, 'main', '--not', known));
    });
  }

  test('commits that lie loose and in several packs are found', async () => {
    await makeRepository('origin', 50);
    await gitIn(folder.path)('clone', '--quiet', '--bare', gitdirOf('origin'), gitdirOf('mixed'));
    const git = gitIn(gitdirOf('mixed'));
    const tree = await git('rev-parse', 'main^{tree}');
    for (let i = 0; i < 9; i++) {
      const commit = await git('commit-tree', '-m', `${i}`, '-p', 'main', ...(i === 4 ? ['-p', 'main~9'] : []), tree);
      await git('update-ref', 'refs/heads/main', commit);
      if (i === 3 || i === 6) await git('repack', '-q', '-d');
    }
    assert.equal(fs.readdirSync(`${gitdirOf('mixed')}/objects/pack`).filter(file => file.endsWith('.idx')).length, 3);
    assert.deepEqual(await history('mixed', [await git('rev-parse', 'main')]), await logged('mixed', 'main'));
  });

  test('a shallow repository’s history ends where it is cut', async () => {
    const origin = await makeRepository('deep', 300);
    await gitIn(folder.path)('clone', '--quiet', '--bare', '--depth=20', `file://${origin}`, gitdirOf('shallow'));
    const tip = await gitIn(origin)('rev-parse', 'main');
    const commits = await history('shallow', [tip]);
    assert.deepEqual(commits, await logged('shallow', 'main'));
    assert.ok(commits.size >= 20 && commits.size < 300);
  });

  test('a commit without its parent, where nothing says that it is cut, is an error', async () => {
    await makeRepository('broken', 3);
    const git = gitIn(gitdirOf('broken'));
    const tree = await git('rev-parse', 'main^{tree}');
    const content = `tree ${tree}\nparent ${'ab'.repeat(20)}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n`;
    const commit = await git.with({ input: content })('hash-object', '-t', 'commit', '-w', '--stdin');
    await assert.rejects(history('broken', [commit]), ObjectMissing);
    assert.deepEqual(await history('broken', [commit], [commit]), new Set());
  });

  test('the reader of packs reads every object of a collected repository, and no loose one', async () => {
    const gitdir = await makeRepository('objects', 600);
    const git = gitIn(gitdir);
    const large = await git.with({ input: 'large'.repeat(20_000) })('hash-object', '-w', '--stdin');
    await git('update-ref', 'refs/tags/large', large);
    const loose = await git.with({ input: 'loose' })('hash-object', '-w', '--stdin');
    await repack(gitdir);
    await using packs = await createPackedReader(fs, gitdir);
    const check = '--batch-check=%(objecttype) %(objectname) %(objectsize) %(deltabase)';
    const objects = (await git('cat-file', '--batch-all-objects', check)).split('\n').map(line => line.split(' '));
    let deltas = 0;
    for (const [kind, name = '', size, base] of objects) {
      const id = parseObjectId(name);
      const object = await packs.read(id);
      if (id === loose) {
        assert.equal(object, undefined);
        continue;
      }
      assert.ok(object !== undefined, `${kind} ${id} ${size}`);
      assert.equal(object.kind, kind);
      assert.equal(hashObject(object.kind, object.content), id);
      if (kind === 'commit' && !/^0+$/.test(base ?? '')) deltas += 1;
    }
    assert.ok(deltas > 400);
  });

  test('of a damaged pack or index, or a pack that is gone, nothing wrong is read', async () => {
    const gitdir = await makeRepository('damaged', 60);
    const git = gitIn(gitdir);
    const ids = (await git('rev-list', '--objects', '--no-object-names', 'main')).split('\n').map(parseObjectId);
    await repack(gitdir);
    const directory = `${gitdir}/objects/pack`;
    const pack = `${directory}/${fs.readdirSync(directory).find(file => file.endsWith('.pack'))}`;
    const sound = fs.readFileSync(pack);
    const readAll = async () => {
      await using packs = await createPackedReader(fs, gitdir);
      const objects = [];
      for (const id of ids) objects.push({ id, object: await packs.read(id) });
      return objects.flatMap(({ id, object }) => (object === undefined ? [] : [{ id, ...object }]));
    };
    assert.equal((await readAll()).length, ids.length);

    const index = pack.replace(/pack$/, 'idx');
    const soundIndex = fs.readFileSync(index);
    const swapped = Buffer.from(soundIndex);
    const offsetsAt = 1032 + 24 * swapped.readUInt32BE(1028);
    soundIndex.copy(swapped, offsetsAt, offsetsAt + 4, offsetsAt + 8);
    soundIndex.copy(swapped, offsetsAt + 4, offsetsAt, offsetsAt + 4);
    fs.chmodSync(index, 0o644);
    fs.writeFileSync(index, swapped);
    assert.equal((await readAll()).length, ids.length - 2);
    fs.writeFileSync(index, soundIndex);

    fs.chmodSync(pack, 0o644);
    let harmed = 0;
    for (let step = 0; step < 40; step++) {
      const damaged = Buffer.from(sound);
      const at = 12 + step * 67;
      damaged.writeUInt8(damaged.readUInt8(at) ^ (1 << (step % 8)), at);
      fs.writeFileSync(pack, step % 6 > 0 ? damaged : damaged.subarray(0, at));
      const objects = await readAll();
      if (objects.length < ids.length) harmed += 1;
      for (const { id, kind, content } of objects) assert.equal(hashObject(kind, content), id);
    }
    // Some bits of an entry mean nothing.
    assert.ok(harmed > 30, `${harmed}`);
    fs.unlinkSync(pack);
    assert.deepEqual(await readAll(), []);
  });
});
