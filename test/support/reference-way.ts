/** The plain way from a module zip to a git tree and back, with nothing of ours in it: yauzl, isomorphic-git and archiver. */
import * as nodeFs from 'node:fs';
import { posix } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { ZipArchive } from 'archiver';
import git from 'isomorphic-git';
import { createFsFromVolume, Volume } from 'memfs';
import { fromBufferPromise } from 'yauzl';

/** By path or name. */
export type Files = ReadonlyMap<string, Buffer>;

/** The files of a zip by their names, in its order. */
export async function unzip(zip: Buffer): Promise<Files> {
  // Names as they are: decoded, those without a flag for UTF-8 would be cp437.
  const opened = await fromBufferPromise(zip, { lazyEntries: true, decodeStrings: false });
  const files = new Map<string, Buffer>();
  for await (const entry of opened.eachEntry()) {
    files.set(entry.fileNameRaw.toString(), await buffer(await opened.openReadStreamPromise(entry)));
  }
  return files;
}

const author = { name: 'Eve', email: 'eve@example.com' };

/** The id of the tree that isomorphic-git commits of these files, from a work tree in memory. */
export async function commitTree(files: Files): Promise<string> {
  const fs = createFsFromVolume(new Volume());
  const repository = { fs, dir: '/work' };
  await git.init(repository);
  for (const [path, content] of files) {
    const file = posix.join(repository.dir, path);
    await fs.promises.mkdir(posix.dirname(file), { recursive: true });
    await fs.promises.writeFile(file, content);
  }
  await git.add({ ...repository, filepath: [...files.keys()], force: true });
  const oid = await git.commit({ ...repository, author, message: 'all of them' });
  return (await git.readCommit({ ...repository, oid })).commit.tree;
}

/** The zip of all that a commit of the repository holds, read by isomorphic-git and written by archiver; `prefix` comes before each name. */
export async function zipCommit(gitdir: string, commit: string, prefix: string): Promise<Buffer> {
  const repository = { fs: nodeFs, gitdir, cache: {} };
  const archive = new ZipArchive({ zlib: { level: 1 } });
  const zip = buffer(archive);
  const append = async (tree: string, folder: string): Promise<void> => {
    for (const { type, oid, path } of (await git.readTree({ ...repository, oid: tree })).tree) {
      if (type === 'tree') await append(oid, `${folder}${path}/`);
      else archive.append(Buffer.from((await git.readBlob({ ...repository, oid })).blob), { name: folder + path });
    }
  };
  await append(commit, prefix);
  await archive.finalize();
  return await zip;
}
