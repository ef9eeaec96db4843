/** What small reads wait for while modforge is busy with something large. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BenchModule, zipOf } from './bench-module.ts';
import { collectGarbage } from './collect-garbage.ts';
import { quantile } from './quantile.ts';
import { publishedVersion, type Testbed } from './testbed.ts';
import { timeDownload, upload } from './transfer.ts';

/** The 99th percentile of the latency of one `.info`, in milliseconds. */
export interface Latencies {
  readonly idle: number;
  readonly whilePublished: number;
  readonly whileRebuilt: number;
}

const rounds = 5;
const idleMs = 2_000;

export async function measureLatency(testbed: Testbed, large: BenchModule): Promise<Latencies[]> {
  const { small } = testbed;
  await testbed.publishOnce([small, large]);
  const measured: Latencies[] = [];
  for (let i = 0; i < rounds; i++) {
    await using modforge = await testbed.startModforge();
    const info = `${modforge.proxyUrl}/${small.path}/@v/${publishedVersion}.info`;
    const largeZip = `${modforge.proxyUrl}/${large.path}/@v/${publishedVersion}.zip`;
    const upcoming = zipOf(large, testbed.nextVersion());
    measured.push({
      idle: await p99While(info, () => sleep(idleMs)),
      whilePublished: await p99While(info, () => upload(modforge.proxyUrl, upcoming)),
      whileRebuilt: await p99While(info, () => timeDownload(largeZip)),
    });
  }
  return measured;
}

/** The 99th percentile of the latencies at `url` of the requests that were due while `work` was done. */
async function p99While(url: string, work: () => Promise<unknown>): Promise<number> {
  collectGarbage();
  const child = fork(join(import.meta.dirname, 'steady-client.ts'), [url], {
    execArgv: ['--import', './scripts/typescript.mjs'],
  });
  const failed = once(child, 'exit').then(() => Promise.reject(new Error('the steady client has ended')));
  failed.catch(() => {});
  const nextMessage = () => Promise.race([once(child, 'message'), failed]);
  try {
    await nextMessage();
    await work();
    const report = nextMessage();
    child.send('stop');
    const [latencies]: number[][] = await report;
    return quantile(latencies ?? [], 0.99);
  } finally {
    child.kill();
  }
}
