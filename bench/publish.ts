/** Publishing on a hosted forge: from the upload's first byte to the 201, and the memory that it takes. */
import { type BenchModule, zipOf } from './bench-module.ts';
import { importAndPush } from './git-reference.ts';
import { interleave, type Round } from './interleave.ts';
import { peakMemory } from './peak-memory.ts';
import type { Testbed } from './testbed.ts';
import { upload } from './transfer.ts';

export interface Publishing {
  /** Without what the forge took to make the release, which git has no counterpart of. */
  readonly ms: number;
  readonly peakBytes: number;
}

/** Every version goes to a repository that has others; against it stands the time that git takes to push the same files. */
export async function measurePublish(
  { forge, newFolder, nextVersion, startModforge, publishOnce }: Testbed,
  module: BenchModule,
): Promise<Round<Publishing, number>[]> {
  await publishOnce([module]);
  const reference = `git-${module.repository}`;
  await forge.createRepository(reference);

  return await interleave({
    async ours() {
      const zip = zipOf(module, nextVersion());
      await using modforge = await startModforge();
      await forge.takeRequests();
      let ms = 0;
      const peakBytes = await peakMemory(modforge.pid, async () => {
        ms = await upload(modforge.proxyUrl, zip);
      });
      return { ms: ms - (await releaseMs()), peakBytes };
    },
    reference: async () =>
      importAndPush({
        module,
        version: nextVersion(),
        remoteUrl: forge.remoteUrl(reference),
        folder: await newFolder(),
      }),
  });

  async function releaseMs(): Promise<number> {
    const requests = await forge.takeRequests();
    const releases = requests.filter(({ method, url }) => method === 'POST' && url.endsWith('/releases'));
    return releases.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0);
  }
}
