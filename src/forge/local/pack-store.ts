/**
 * Packs in a bare repository. A pack gets a name of its own, not its checksum: two pushes of the same content then share nothing, and the one that
 * fails may remove its pack. Until the refs are set a `.keep` file, there before the index is, holds `git gc` and `git repack` off.
 */
import { randomBytes } from 'node:crypto';
import { encodePackIndex, PackEntries, writePack } from '../../git/pack.ts';
import type { PackedObject } from '../../git/packed-object.ts';
import { type FileSystem, ifThere, makeDirectory, namesIn, syncDirectory, writeNewFile } from './file-system.ts';

/** A pack on disk that nothing collects yet; one of the two ends that. */
export interface StoredPack {
  /** The refs are set: git may do with the pack what it likes. */
  keep(): Promise<void>;
  /** Nothing came of it. */
  discard(): Promise<void>;
}

export interface ObjectsToStore {
  readonly objects: readonly PackedObject[];
  /** Called while the disk is busy; what it throws is thrown, and nothing stays. */
  readonly meanwhile: () => void;
  readonly signal: AbortSignal;
}

/** Writes the objects as a pack, synced. */
export async function storePack(
  fs: FileSystem,
  gitdir: string,
  { objects, meanwhile, signal }: ObjectsToStore,
): Promise<StoredPack> {
  const directory = `${gitdir}/objects/pack`;
  await makeDirectory(fs, directory);
  await removeLeftovers(fs, directory);
  signal.throwIfAborted();

  const name = randomBytes(20).toString('hex');
  const path = `${directory}/pack-${name}`;
  // Not git's own `tmp_`: `git gc --prune=now` removes those, whoever is writing them.
  const temporaryPack = `${directory}/${temporaryPrefix}${name}.new-pack`;
  const temporaryIndex = `${directory}/${temporaryPrefix}${name}.new-idx`;
  const remove = async (...paths: string[]) => {
    for (const each of paths) await ifThere(fs.promises.unlink(each));
  };
  const discard = () => remove(`${path}.idx`, `${path}.pack`, `${path}.keep`, temporaryIndex, temporaryPack);
  // It is for those who run now: after a power cut there is no need of it.
  const keeping = fs.promises.writeFile(`${path}.keep`, keepNote, { flag: 'wx' });
  keeping.catch(() => {});
  try {
    const entries = new PackEntries();
    await writeNewFile<Buffer>(fs, temporaryPack, writePack(objects, entries), async checksum => {
      meanwhile();
      const index = encodePackIndex(entries.all, checksum);
      await writeNewFile(fs, temporaryIndex, [index].values());
    });
    await Promise.all([keeping, fs.promises.chmod(temporaryPack, 0o444), fs.promises.chmod(temporaryIndex, 0o444)]);
    await fs.promises.rename(temporaryPack, `${path}.pack`);
    await fs.promises.rename(temporaryIndex, `${path}.idx`);
    await syncDirectory(fs, directory);
  } catch (error) {
    await Promise.allSettled([keeping]);
    await discard();
    throw error;
  }
  return { keep: () => remove(`${path}.keep`), discard };
}

const temporaryPrefix = 'modforge-';
const keepNote = 'modforge: a push is under way\n';
const leftoverMs = 3_600_000;

/** A killed process leaves half a pack, or a `.keep` which would hold its pack out of every later `git gc`. */
async function removeLeftovers(fs: FileSystem, directory: string): Promise<void> {
  for (const name of await namesIn(fs, directory)) {
    const path = `${directory}/${name}`;
    if (!name.startsWith(temporaryPrefix) && !name.endsWith('.keep')) continue;
    const stats = await ifThere(fs.promises.stat(path));
    if (stats === undefined || Date.now() - stats.mtime.getTime() < leftoverMs) continue;
    const isOurs = name.startsWith(temporaryPrefix) || String(await ifThere(fs.promises.readFile(path))) === keepNote;
    if (isOurs) await ifThere(fs.promises.unlink(path));
  }
}
