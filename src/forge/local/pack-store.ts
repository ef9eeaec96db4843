/**
 * Packs in a bare repository. A pack gets a name of its own, not its checksum: two pushes of the same content then share nothing, and the one that
 * fails may remove its pack. Until the refs are set a `.keep` file, there before the index is, holds `git gc` and `git repack` off.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { ObjectId } from '../../git/object-id.ts';
import { encodePackHeader, encodePackIndex, PackBody, PackEntries } from '../../git/pack.ts';
import type { PackedObject } from '../../git/packed-object.ts';
import {
  type FileSystem,
  ifThere,
  makeDirectory,
  NewFile,
  namesIn,
  syncDirectory,
  writeNewFile,
} from './file-system.ts';

/** A pack that is being written. */
export interface NewPack {
  /** Writes those of the objects that it has not yet. Each may come once in a call, and the calls must wait for each other. */
  add(objects: readonly PackedObject[]): Promise<void>;
  /** Ends it, synced; nothing collects it yet. `meanwhile` is called while the disk is busy; what it throws is thrown. */
  store(meanwhile: () => void): Promise<void>;
  /** The refs are set: git may do with the stored pack what it likes. The second time it only waits for the first. */
  release(): Promise<void>;
  /** Nothing came of it, stored or not. Does nothing the second time, or after a release. */
  discard(): Promise<void>;
}

export async function beginPack(fs: FileSystem, gitdir: string): Promise<NewPack> {
  const directory = `${gitdir}/objects/pack`;
  await makeDirectory(fs, directory);
  await removeLeftovers(fs, directory);

  const name = randomBytes(20).toString('hex');
  const path = `${directory}/pack-${name}`;
  // Not git's own `tmp_`: `git gc --prune=now` removes those, whoever is writing them.
  const temporaryPack = `${directory}/${temporaryPrefix}${name}.new-pack`;
  const temporaryIndex = `${directory}/${temporaryPrefix}${name}.new-idx`;
  const remove = async (...paths: string[]) => {
    for (const each of paths) await ifThere(fs.promises.unlink(each));
  };
  let keeping = Promise.resolve();
  let failure: { readonly reason: unknown } | undefined;
  let isOver = false;
  let releasing: Promise<void> | undefined;
  const file = await NewFile.create(fs, temporaryPack);
  const ids = new Set<ObjectId>();
  const entries = new PackEntries();
  const body = new PackBody(entries);
  // How many objects there will be is told at the end.
  file.append([encodePackHeader(0)]);

  const finish = async (meanwhile: () => void) => {
    await file.append(body.takeRest());
    await file.written();
    await file.overwrite(encodePackHeader(entries.all.length), 0);
    const hashing = hashAll(file);
    hashing.catch(() => {});
    meanwhile();
    await using index = await NewFile.create(fs, temporaryIndex);
    await Promise.all([temporaryPack, temporaryIndex].map(path => fs.promises.chmod(path, 0o444)));
    const checksum = await hashing;
    file.append([checksum]);
    const synced = file.synced();
    synced.catch(() => {});
    await index.append([encodePackIndex(entries.all, checksum)]);
    await index.synced();
    await synced;
  };
  return {
    async add(objects) {
      const added = objects.filter(({ id }) => !ids.has(id));
      for (const { id } of added) ids.add(id);
      try {
        for await (const full of body.add(added)) await file.append(full);
      } catch (error) {
        failure = { reason: error };
        throw error;
      }
    },
    async store(meanwhile) {
      if (failure !== undefined) throw failure.reason;
      keeping = writeNewFile(fs, `${path}.keep`, Buffer.from(keepNote));
      keeping.catch(() => {});
      await finish(meanwhile);
      await Promise.all([keeping, file[Symbol.asyncDispose]()]);
      await fs.promises.rename(temporaryPack, `${path}.pack`);
      await fs.promises.rename(temporaryIndex, `${path}.idx`);
      await syncDirectory(fs, directory);
    },
    release() {
      isOver = true;
      releasing ??= remove(`${path}.keep`);
      return releasing;
    },
    async discard() {
      if (isOver) return;
      isOver = true;
      await Promise.allSettled([keeping]);
      await file[Symbol.asyncDispose]();
      await remove(`${path}.idx`, `${path}.pack`, `${path}.keep`, temporaryIndex, temporaryPack);
    },
  };
}

async function hashAll(file: NewFile): Promise<Buffer> {
  const hash = createHash('sha1');
  for await (const bytes of file.read()) hash.update(bytes);
  return hash.digest();
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
