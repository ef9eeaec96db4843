/**
 * Packs in a bare repository. A pack gets a name of its own, not its checksum: two pushes of the same content then share nothing, and the one that
 * fails may remove its pack. Until the refs are set a `.keep` file, there before the index is, holds `git gc` and `git repack` off.
 */
import { randomBytes } from 'node:crypto';
import { encodePackIndex, writePack } from '../../git/pack.ts';
import type { PackedObject } from '../../git/packed-object.ts';
import {
  type FileSystem,
  ifThere,
  isAbsent,
  makeDirectory,
  namesIn,
  syncDirectory,
  writeNewFile,
} from './file-system.ts';

/** A pack on disk that nothing collects yet; one of the two ends that. */
export interface StoredPack {
  /** The refs are set: git may do with the pack what it likes. */
  keep(): Promise<void>;
  /** Nothing came of it. */
  discard(): Promise<void>;
}

const maxAttempts = 5;

/** Writes the objects as a pack, synced. */
export async function storePack(
  fs: FileSystem,
  gitdir: string,
  objects: readonly PackedObject[],
  signal: AbortSignal,
): Promise<StoredPack> {
  const directory = `${gitdir}/objects/pack`;
  await makeDirectory(fs, directory);
  await removeOldKeeps(fs, directory);
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await storeOnce(fs, directory, objects);
    } catch (error) {
      // `git gc --prune=now` removes every tmp_ file, whoever is writing it.
      if (!isAbsent(error) || attempt === maxAttempts) throw error;
    }
  }
}

async function storeOnce(fs: FileSystem, directory: string, objects: readonly PackedObject[]): Promise<StoredPack> {
  const name = randomBytes(20).toString('hex');
  const path = `${directory}/pack-${name}`;
  const temporaryPack = `${directory}/tmp_pack_${name}`;
  const temporaryIndex = `${directory}/tmp_idx_${name}`;
  const remove = async (...paths: string[]) => {
    for (const each of paths) await ifThere(fs.promises.unlink(each));
  };
  const discard = () => remove(`${path}.idx`, `${path}.pack`, `${path}.keep`, temporaryIndex, temporaryPack);
  try {
    const summary = await writeNewFile(fs, temporaryPack, writePack(objects));
    await writeNewFile(fs, temporaryIndex, [encodePackIndex(summary)].values());
    await writeNewFile(fs, `${path}.keep`, [Buffer.from(keepNote)].values());
    await fs.promises.chmod(temporaryPack, 0o444);
    await fs.promises.chmod(temporaryIndex, 0o444);
    await fs.promises.rename(temporaryPack, `${path}.pack`);
    await fs.promises.rename(temporaryIndex, `${path}.idx`);
    await syncDirectory(fs, directory);
  } catch (error) {
    await discard();
    throw error;
  }
  return { keep: () => remove(`${path}.keep`), discard };
}

const keepNote = 'modforge: a push is under way\n';
const oldKeepMs = 3_600_000;

/** A killed process leaves its `.keep`, which would keep the pack out of every later `git gc`. */
async function removeOldKeeps(fs: FileSystem, directory: string): Promise<void> {
  for (const name of await namesIn(fs, directory)) {
    if (!name.endsWith('.keep')) continue;
    const path = `${directory}/${name}`;
    const stats = await ifThere(fs.promises.stat(path));
    if (stats === undefined || Date.now() - stats.mtime.getTime() < oldKeepMs) continue;
    const note = await ifThere(fs.promises.readFile(path));
    if (note?.toString() === keepNote) await ifThere(fs.promises.unlink(path));
  }
}
