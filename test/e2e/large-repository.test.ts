/** What large repositories cost: thousands of tags are listed with one look at the refs, a long history is walked without its files. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ForgeDouble } from '../support/doubles/forge-double.ts';
import { hostedKinds, startHostedApp, startHostedDouble } from '../support/doubles/hosted-app.ts';
import { fillIds, type MadeCommits, makeBareRepository } from '../support/make-bare-repository.ts';
import { gitIn } from '../support/plain-git.ts';
import { skipWithout } from '../support/skip-without.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';

const tagCount = 5_000;
const commitCount = 20_000;
const env = { MODFORGE_PATHS: 'git.acme.dev/{repo}=acme/{repo}', MODFORGE_ANONYMOUS_READ: 'all' };

/** Half a kilobyte that does not compress, as file contents of that age differ. */
const noise = (i: number): Buffer =>
  Buffer.concat(Array.from({ length: 8 }, (_, part) => createHash('sha512').update(`${i} ${part}`).digest()));

/** The tags are packed, as those of a repository that lives are. */
async function makeTags(gitdir: string): Promise<void> {
  const commits = await makeBareRepository(gitdir, {
    commits: { one: { files: { 'go.mod': 'module git.acme.dev/tags\n' } }, two: {} },
    branches: { main: 'two' },
  });
  const tags = Array.from({ length: tagCount }, (_, i) => `refs/tags/v1.${Math.floor(i / 100)}.${i % 100}`).sort();
  const lines = tags.map(tag => fillIds(`<one> ${tag}\n`, commits));
  await writeFile(join(gitdir, 'packed-refs'), `# pack-refs with: peeled fully-peeled sorted \n${lines.join('')}`);
}

function makeHistory(gitdir: string): Promise<MadeCommits> {
  const later = Array.from({ length: commitCount - 1 }, (_, i) => [`c${i + 1}`, { files: { 'data.bin': noise(i) } }]);
  return makeBareRepository(gitdir, {
    commits: { c0: { files: { 'go.mod': 'module git.acme.dev/history\n' } }, ...Object.fromEntries(later) },
    branches: { main: `c${commitCount - 1}` },
    tags: { 'v1.0.0': 'c5' },
  });
}

const skip = skipWithout('git');

let folder: TemporaryFolder;
let history: MadeCommits;
before(async () => {
  folder = await makeTemporaryFolder();
  const directory = join(folder.path, 'acme');
  await makeTags(join(directory, 'tags.git'));
  history = await makeHistory(join(directory, 'history.git'));
});
after(() => folder[Symbol.asyncDispose]());

async function read(app: TestApp, path: string): Promise<string> {
  const response = await fetch(`${app.proxyUrl}/git.acme.dev/${path}`);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return text;
}

async function millisecondsOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/**
 * Reads the list and @latest of 5,000 tags with an app that has seen nothing, by turns with git, and compares the best of each: on a
 * busy machine that takes more turns.
 */
async function compareWithGit(address: string, start: () => Promise<TestApp>): Promise<void> {
  const best = { git: Number.POSITIVE_INFINITY, list: Number.POSITIVE_INFINITY, latest: Number.POSITIVE_INFINITY };
  const isQuick = () => Math.max(best.list, best.latest) <= 3 * best.git;
  for (let turn = 0; turn < 5 || (turn < 20 && !isQuick()); turn++) {
    best.git = Math.min(best.git, await millisecondsOf(() => gitIn(folder.path)('ls-remote', '--tags', address)));
    for (const [kind, path] of [
      ['list', 'tags/@v/list'],
      ['latest', 'tags/@latest'],
    ] as const) {
      await using app = await start();
      best[kind] = Math.min(best[kind], await millisecondsOf(() => read(app, path)));
    }
  }
  assert.ok(isQuick(), JSON.stringify(best));
}

for (const kind of hostedKinds) {
  describe(`large repositories at the ${kind} double`, { skip }, () => {
    let double: ForgeDouble;
    before(async () => {
      double = await startHostedDouble(kind);
      for (const name of ['tags', 'history']) {
        const gitdir = await double.addRepository({ owner: 'acme', name });
        await cp(join(folder.path, 'acme', `${name}.git`), gitdir, { recursive: true });
      }
    });
    after(() => double[Symbol.asyncDispose]());

    it('list and @latest of 5,000 tags take two git requests together', async () => {
      await using app = await startHostedApp({ kind, double, env });
      double.forgetRequests();
      assert.equal((await read(app, 'tags/@v/list')).split('\n').length, tagCount + 1);
      assert.match(await read(app, 'tags/@latest'), /"Version":"v1\.49\.99"/);
      const { git, rest } = double.countRequests();
      assert.ok(git <= 2 && rest === 0, `${git} git requests, ${rest} REST calls`);
    });

    it('list and @latest of 5,000 tags take at most three times what git ls-remote takes', () =>
      compareWithGit(`${double.url}/acme/tags.git`, () => startHostedApp({ kind, double, env })));

    it('a pseudo-version at the end of 20,000 commits costs less than 400 bytes a commit, and no file', async () => {
      await using app = await startHostedApp({ kind, double, env });
      double.forgetRequests();
      const version = fillIds('v1.0.1-0.<c19999/time>-<c19999/12>', history);
      assert.equal(JSON.parse(await read(app, 'history/@v/main.info')).Version, version);
      const bytes = double.log.reduce((sum, { responseBytes }) => sum + responseBytes, 0);
      assert.ok(bytes < 400 * commitCount, `${bytes} bytes`);
      assert.ok(bytes > 100 * commitCount, `${bytes} bytes are no history`);
    });
  });
}

describe('large repositories on disk', { skip }, () => {
  const start = () => startTestApp({ ...env, MODFORGE_FORGE: 'local', MODFORGE_DATA: folder.path });

  it('list and @latest of 5,000 tags take at most three times what git ls-remote takes', () =>
    compareWithGit(join(folder.path, 'acme/tags.git'), start));

  it('a pseudo-version at the end of 20,000 commits is resolved', async () => {
    await using app = await start();
    const version = fillIds('v1.0.1-0.<c19999/time>-<c19999/12>', history);
    assert.equal(JSON.parse(await read(app, 'history/@v/main.info')).Version, version);
  });
});
