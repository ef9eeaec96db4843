/** From a tag to a zip: the first who asks modforge for a version waits for it to be fetched, hashed and zipped. */
import { outputOf } from '../test/support/run-command.ts';
import type { BenchModule } from './bench-module.ts';
import { fetchAndArchive } from './git-reference.ts';
import { interleave, type Round } from './interleave.ts';
import { peakMemory } from './peak-memory.ts';
import { publishedVersion, type Testbed } from './testbed.ts';
import { timeDownload } from './transfer.ts';

export interface Rebuilding {
  readonly ms: number;
  readonly peakBytes: number;
}

export async function measureRebuild(testbed: Testbed, module: BenchModule): Promise<Round<Rebuilding, number>[]> {
  const { forge, newFolder, startModforge, publishOnce } = testbed;
  await publishOnce([module]);
  return await interleave({
    async ours() {
      await using modforge = await startModforge();
      let ms = 0;
      const peakBytes = await peakMemory(modforge.pid, async () => {
        ms = await timeDownload(`${modforge.proxyUrl}/${module.path}/@v/${publishedVersion}.zip`);
      });
      return { ms, peakBytes };
    },
    reference: async () =>
      fetchAndArchive({
        remoteUrl: forge.remoteUrl(module.repository),
        tag: publishedVersion,
        folder: await newFolder(),
      }),
  });
}

/** `gc --aggressive` takes its time. */
const gcMs = 600_000;

/** The same from a repository whose objects are deltas of one another, as forges pack them in time. */
export async function measureRebuildOfDeltas(
  testbed: Testbed,
  module: BenchModule,
): Promise<Round<Rebuilding, number>[]> {
  await testbed.publishOnce([module]);
  const cwd = testbed.forge.gitdir(module.repository);
  await outputOf('git', ['gc', '--quiet', '--aggressive', '--prune=now'], { cwd, timeoutMs: gcMs });
  return await measureRebuild(testbed, module);
}
