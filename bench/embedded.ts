/** Publishing on the embedded forge, whose 201 means that the version is on the disk, against a push that syncs as much. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { gitIn } from '../test/support/plain-git.ts';
import { type BenchModule, zipOf } from './bench-module.ts';
import { interleave, type Round, timeOf } from './interleave.ts';
import type { Testbed } from './testbed.ts';
import { upload } from './transfer.ts';

/** Downwards, so that no version's commit has a parent, which a push would send as well. */
const versionOf = (round: number): string => `v0.${99 - round}.0`;

export async function measureEmbeddedPublish(
  { newFolder, startEmbeddedModforge }: Testbed,
  module: BenchModule,
): Promise<Round<number, number>[]> {
  const data = await newFolder();
  await using modforge = await startEmbeddedModforge(data);
  // The first version makes the repository, which is more than a push.
  await upload(modforge.proxyUrl, zipOf(module, versionOf(-1)));
  return await interleave({
    ours: round => upload(modforge.proxyUrl, zipOf(module, versionOf(round))),
    reference: async round =>
      pushDurably({
        from: join(data, 'acme', `${module.repository}.git`),
        tag: versionOf(round),
        folder: await newFolder(),
      }),
  });
}

interface DurablePush {
  readonly from: string;
  readonly tag: string;
  /** Empty. */
  readonly folder: string;
}

/** The time of `git push` of a tag's commit to an empty repository that syncs everything. */
async function pushDurably({ from, tag, folder }: DurablePush): Promise<number> {
  const [source, target] = [join(folder, 'source.git'), join(folder, 'target.git')];
  await Promise.all([mkdir(source), mkdir(target)]);
  const git = gitIn(source);
  await git('init', '--quiet', '--bare', '.');
  await git('fetch', '--quiet', from, `refs/tags/${tag}:refs/tags/${tag}`);
  await gitIn(target)('init', '--quiet', '--bare', '.');
  await gitIn(target)('config', 'core.fsync', 'all');
  return await timeOf(() => git('push', '--quiet', target, `refs/tags/${tag}`));
}
