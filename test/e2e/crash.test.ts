/** Processes that end in the middle of a publish, and processes that publish the same version at the same time. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { access, readdir, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { hashFiles } from '../../src/gomod/h1.ts';
import { createGo, type DownloadedModule, downloadModules } from '../support/go-command.ts';
import { type ModforgeProcess, startModforgeProcess } from '../support/modforge-process.ts';
import { moduleZip } from '../support/module-zip.ts';
import { fsck } from '../support/plain-git.ts';
import { publish, type Reply, upload } from '../support/publish.ts';
import { skipWithout } from '../support/skip-without.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';

const skip = skipWithout('go', 'git');
const killRounds = Number(process.env.TEST_KILL_ROUNDS ?? 20);
const raceRounds = 10;

/** A version to publish. */
interface Candidate {
  /** `path@version`. */
  readonly name: string;
  readonly zip: Buffer;
  readonly sum: string;
}

async function makeCandidate(module: string, version: string, text = version): Promise<Candidate> {
  const files: Record<string, string> = { 'go.mod': `module ${module}\n` };
  for (let i = 0; i < 40; i++) files[`dir${i % 7}/file${i}.txt`] = `${text} ${i}\n`.repeat(50);
  const hashes = Object.entries(files).map(([path, content]) => {
    return { name: `${module}@${version}/${path}`, sha256: createHash('sha256').update(content).digest() };
  });
  return { name: `${module}@${version}`, zip: await moduleZip(module, version, files), sum: hashFiles(hashes) };
}

/** What a `go` that has never seen them gets of these versions, by name. */
async function download(
  modforge: ModforgeProcess,
  candidates: readonly Candidate[],
): Promise<Map<string, DownloadedModule>> {
  await using go = await createGo({ proxy: modforge.proxyUrl });
  const names = candidates.map(({ name }) => name);
  const downloaded = await downloadModules(go, names);
  return new Map(downloaded.map(module => [`${module.Path}@${module.Version}`, module]));
}

async function checkDownload(modforge: ModforgeProcess, candidates: readonly Candidate[]): Promise<void> {
  const downloaded = await download(modforge, candidates);
  for (const { name, sum } of candidates) assert.equal(downloaded.get(name)?.Sum, sum, name);
}

/** What a minute of waiting does to the locks of a process that is gone: they grow old enough to be removed. */
async function ageLocks(data: string): Promise<number> {
  const minuteAgo = Date.now() / 1000 - 61;
  const locks = (await readdir(data, { recursive: true })).filter(name => name.endsWith('.lock'));
  for (const lock of locks) await utimes(join(data, lock), minuteAgo, minuteAgo);
  return locks.length;
}

/** Asserts that git finds nothing wrong with the repository, if it is one yet. */
async function checkRepository(data: string, name: string): Promise<void> {
  const repository = join(data, 'acme', `${name}.git`);
  const isThere = await access(join(repository, 'HEAD')).then(
    () => true,
    () => false,
  );
  if (isThere) assert.equal(await fsck(repository), '');
}

describe('a modforge that is killed while it publishes', { skip }, () => {
  const orders = ['one after another', 'at once'] as const;
  type Order = (typeof orders)[number];

  /** About as many changes to files as it takes to publish the versions below. */
  const changes: Record<Order, number> = { 'one after another': 140, 'at once': 240 };

  /** Names of the versions that got a 201, as long as there is someone to answer. */
  async function publishAll(
    modforge: ModforgeProcess,
    candidates: readonly Candidate[],
    order: Order,
  ): Promise<ReadonlySet<string>> {
    const acknowledged = new Set<string>();
    const publishOne = async ({ name, zip }: Candidate) => {
      const reply = await upload(modforge, zip).catch(() => undefined);
      if (reply === undefined) return;
      assert.equal(reply.status, 201, reply.text);
      acknowledged.add(name);
    };
    if (order === 'at once') await Promise.all(candidates.map(publishOne));
    else for (const candidate of candidates) await publishOne(candidate);
    return acknowledged;
  }

  for (const order of orders) {
    it(`leaves each version whole or absent, and nothing in the way of trying again: ${order}`, async t => {
      await using folder = await makeTemporaryFolder();
      const data = folder.path;
      const all: Candidate[] = [];
      const seen = { acknowledged: 0, whole: 0, absent: 0, locks: 0 };
      const startVictim = (round: number) => {
        const change = 1 + Math.floor(Math.random() * changes[order]);
        t.diagnostic(`round ${round}: killed before change ${change}`);
        return startModforgeProcess(data, { path: `example.com__round${round}.git`, change });
      };

      let modforge = await startVictim(1);
      try {
        for (let round = 1; round <= killRounds / orders.length; round++) {
          const module = `example.com/round${round}`;
          const versions = ['v1.0.0', 'v1.0.1', 'v1.1.0', 'v1.2.0-rc.1'];
          const candidates = await Promise.all(versions.map(version => makeCandidate(module, version)));
          all.push(...candidates);
          const acknowledged = await publishAll(modforge, candidates, order);
          await modforge.kill();
          await checkRepository(data, `example.com__round${round}`);

          modforge = await startVictim(round + 1);
          const downloaded = await download(modforge, candidates);
          seen.locks += await ageLocks(data);
          for (const { name, zip, sum } of candidates) {
            const { Error: failure, Sum } = downloaded.get(name) ?? {};
            const isWhole = failure === undefined;
            if (isWhole) assert.equal(Sum, sum, name);
            else assert.match(failure, /404 Not Found/, name);
            assert.ok(isWhole || !acknowledged.has(name), `${name} was acknowledged and is gone`);
            seen[acknowledged.has(name) ? 'acknowledged' : isWhole ? 'whole' : 'absent']++;

            const { status, text } = await upload(modforge, zip);
            assert.equal(status, isWhole ? 409 : 201, text);
            assert.ok(text.includes(sum), text);
          }
          await checkRepository(data, `example.com__round${round}`);
        }
        await checkDownload(modforge, all);
        assert.ok(seen.absent > 0, 'no process was killed before it was done');
      } finally {
        t.diagnostic(`versions when killed: ${JSON.stringify(seen)}`);
        await modforge.kill();
      }
    });
  }
});

describe('two modforge processes on one folder', { skip }, () => {
  let folder: TemporaryFolder;
  let processes: readonly [ModforgeProcess, ModforgeProcess];
  before(async () => {
    folder = await makeTemporaryFolder();
    processes = await Promise.all([startModforgeProcess(folder.path), startModforgeProcess(folder.path)]);
  });
  after(async () => {
    for (const modforge of processes) await modforge.kill();
    await folder[Symbol.asyncDispose]();
  });

  /** Uploads all at once, through the one process and the other by turns. */
  const uploadAll = (candidates: readonly Candidate[]): Promise<Reply[]> =>
    Promise.all(candidates.map(({ zip }, i) => upload(processes[i % 2 === 0 ? 0 : 1], zip)));

  /** Uploads six contents for one version at once; gives the one that was taken. */
  async function race(module: string, version: string): Promise<Candidate> {
    const candidates = await Promise.all(
      ['a', 'b', 'c', 'd', 'e', 'f'].map(text => makeCandidate(module, version, text)),
    );
    const replies = await uploadAll(candidates);
    assert.deepEqual(replies.map(({ status }) => status).sort(), [201, 409, 409, 409, 409, 409]);
    const winner = candidates[replies.findIndex(({ status }) => status === 201)];
    assert.ok(winner);
    return winner;
  }

  it('one of six who publish the first version of a module gets 201, the others 409', async () => {
    const winners: Candidate[] = [];
    for (let round = 0; round < raceRounds; round++) winners.push(await race(`example.com/new${round}`, 'v1.0.0'));
    for (const modforge of processes) await checkDownload(modforge, winners);
    for (let round = 0; round < raceRounds; round++) await checkRepository(folder.path, `example.com__new${round}`);
  });

  it('one of six who publish a further version of a module gets 201, the others 409', async () => {
    await publish(processes[0], (await makeCandidate('example.com/old', 'v1.0.0')).zip);
    const winners: Candidate[] = [];
    for (let round = 1; round <= raceRounds; round++) winners.push(await race('example.com/old', `v1.${round}.0`));
    for (const modforge of processes) await checkDownload(modforge, winners);
    await checkRepository(folder.path, 'example.com__old');
  });

  it('eight versions of a new module published at once get 201, all of them', async () => {
    const candidates = await Promise.all(
      Array.from({ length: 8 }, (_, i) => makeCandidate('example.com/eight', `v1.${i}.0`)),
    );
    const replies = await uploadAll(candidates);
    assert.deepEqual(
      replies.map(({ status }) => status),
      Array(8).fill(201),
      replies.map(({ text }) => text).join(''),
    );
    for (const modforge of processes) await checkDownload(modforge, candidates);
    await checkRepository(folder.path, 'example.com__eight');
  });
});
