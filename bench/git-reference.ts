/** What people do without modforge: plain git, from files to a pushed tag, and from a tag to a zip. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gitIn } from '../test/support/plain-git.ts';
import type { BenchModule } from './bench-module.ts';
import { timeOf } from './interleave.ts';

export interface PushOptions {
  readonly module: BenchModule;
  readonly version: string;
  readonly remoteUrl: string;
  /** Empty. */
  readonly folder: string;
}

/** The time of `git fast-import` of the module's files into an empty repository, and of `git push` of the tag that it makes. */
export async function importAndPush({ module, version, remoteUrl, folder }: PushOptions): Promise<number> {
  const git = gitIn(folder);
  await git('init', '--quiet', '--bare', '.');
  const stream = join(folder, 'fast-import');
  await writeFile(stream, fastImportStream(module, version));
  return await timeOf(async () => {
    await fastImport(folder, stream);
    await git('push', '--quiet', remoteUrl, `refs/tags/${version}`);
  });
}

/** git-fast-import(1): the files as they are, unzipped, then a commit of all of them. */
function fastImportStream({ files }: BenchModule, version: string): Buffer {
  const blobs = files.flatMap(({ content }, i) => [
    Buffer.from(`blob\nmark :${i + 1}\ndata ${content.byteLength}\n`),
    content,
    Buffer.from('\n'),
  ]);
  const commit = [
    `commit refs/tags/${version}`,
    'committer Eve <eve@example.com> 1700000000 +0000',
    `data ${version.length}`,
    version,
    ...files.map(({ path }, i) => `M 100644 :${i + 1} ${path}`),
    '',
  ];
  return Buffer.concat([...blobs, Buffer.from(commit.join('\n'))]);
}

/** Reads its stream from a file, so that nobody has to feed it. */
async function fastImport(gitdir: string, stream: string): Promise<void> {
  const input = await open(stream);
  const child = spawn('git', ['fast-import', '--quiet'], { cwd: gitdir, stdio: [input.fd, 'ignore', 'inherit'] });
  const [code] = await once(child, 'exit');
  await input.close();
  if (code !== 0) throw new Error(`git fast-import ended with ${code}`);
}

export interface ArchiveOptions {
  readonly remoteUrl: string;
  readonly tag: string;
  /** Empty. */
  readonly folder: string;
}

/** The time of `git fetch` of one tag into an empty repository, and of making a zip of it as quickly as git can. */
export async function fetchAndArchive({ remoteUrl, tag, folder }: ArchiveOptions): Promise<number> {
  const git = gitIn(folder);
  await git('init', '--quiet', '--bare', '.');
  return await timeOf(async () => {
    await git('fetch', '--quiet', '--depth', '1', remoteUrl, `refs/tags/${tag}`);
    await git('archive', '-1', '--format=zip', '--output=archive.zip', 'FETCH_HEAD');
  });
}
