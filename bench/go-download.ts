/** What the `go` command waits for, with a module cache that is empty each time. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGo, type GoOptions } from '../test/support/go-command.ts';
import { makeTemporaryFolder } from '../test/support/temporary-folder.ts';
import type { BenchModule } from './bench-module.ts';
import { interleave, type Round, timeOf } from './interleave.ts';
import { longestChain } from './longest-chain.ts';
import { startNginx } from './nginx.ts';
import { publishedVersion, type Testbed } from './testbed.ts';

/** One large module, through a modforge that has not read it, and past modforge from the git server. */
export async function measureColdDownload(testbed: Testbed, module: BenchModule): Promise<Round<number, number>[]> {
  await testbed.publishOnce([module]);
  const gitConfig = join(await testbed.newFolder(), 'gitconfig');
  await writeFile(gitConfig, `[url "${testbed.forge.url}/"]\n\tinsteadOf = https://github.com/\n`);
  return await interleave({
    async ours() {
      await using modforge = await testbed.startModforge();
      return await downloadAll([module], { proxy: modforge.proxyUrl });
    },
    reference: () => downloadAll([module], { proxy: 'direct', env: { GIT_CONFIG_GLOBAL: gitConfig } }),
  });
}

/** For so long modforge believes refs (`refsTtlMs` of src/app.ts): older ones are asked for again by a download that is not timed, not by the one that is. */
const refsMs = 5_000;

/** Many modules that modforge has at hand, and the same files from nginx. */
export async function measureWarmDownload(
  testbed: Testbed,
  modules: readonly BenchModule[],
): Promise<Round<number, number>[]> {
  await testbed.publishOnce(modules);
  await using modforge = await testbed.startModforge();
  await downloadAll(modules, { proxy: modforge.proxyUrl });
  const { pathname } = new URL(modforge.proxyUrl);
  const files = ['list', ...['info', 'mod', 'zip'].map(kind => `${publishedVersion}.${kind}`)];
  const paths = modules.flatMap(({ path }) => files.map(file => `${pathname}/${path}/@v/${file}`));
  await using nginx = await startNginx({ paths, modforge, folder: await testbed.newFolder() });
  const downloadWarm = async (proxy: string) => {
    await sleep(refsMs);
    await downloadAll(modules, { proxy });
    return await downloadAll(modules, { proxy });
  };
  return await interleave({
    rounds: 15,
    ours: () => downloadWarm(modforge.proxyUrl),
    reference: () => downloadWarm(`${nginx.url}${pathname}`),
  });
}

const delayMs = 20;

/**
 * What a forge that is `delayMs` away adds to the download of many modules that modforge has not read, and what it must add:
 * the delay of each request to the forge that had to wait for another one.
 */
export async function measureDelay(
  testbed: Testbed,
  modules: readonly BenchModule[],
): Promise<Round<number, number>[]> {
  const { forge, startModforge, publishOnce } = testbed;
  await publishOnce(modules);
  // go runs as many downloads at a time as it has processors, which would make one chain of all modules.
  const env = { GOMAXPROCS: String(modules.length) };

  const download = async (some: readonly BenchModule[], addedMs: number) => {
    await using modforge = await startModforge();
    await forge.takeRequests();
    await forge.setDelay(addedMs);
    const ms = await downloadAll(some, { proxy: modforge.proxyUrl, env }).finally(() => forge.setDelay(0));
    return { ms, requests: await forge.takeRequests() };
  };

  return await interleave({
    async ours() {
      const far = await download(modules, delayMs);
      const near = await download(modules, 0);
      return far.ms - near.ms;
    },
    async reference() {
      const { requests } = await download(modules.slice(0, 1), delayMs);
      return longestChain(requests) * delayMs;
    },
  });
}

const requirement = ({ path }: BenchModule): string => `\t${path} ${publishedVersion}\n`;

/** Files in memory: on a disk the time in which go unpacks 10,000 files is the disk's, and differs by seconds from run to run. */
const memory = '/dev/shm';

/** The time of `go mod download` in a module that requires all of them, into a module cache in memory. */
async function downloadAll(modules: readonly BenchModule[], options: GoOptions): Promise<number> {
  await using cache = await makeTemporaryFolder(memory);
  await using go = await createGo({ ...options, env: { ...options.env, GOMODCACHE: cache.path, TMPDIR: cache.path } });
  await go.write({
    'go.mod': `module example.com/main\n\ngo 1.21\n\nrequire (\n${modules.map(requirement).join('')})\n`,
  });
  return await timeOf(() => go.output('mod', 'download'));
}
