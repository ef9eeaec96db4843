/**
 * The refs of a bare repository, beside any git that reads, pushes, packs and collects there. A ref is a file of its own (loose) or a line of
 * `packed-refs`; the file wins. `git pack-refs` writes the line before it removes the file, so whoever reads files first can't miss a ref.
 * A ref changes only under its `.lock`, a line goes only under `packed-refs.lock`, and the old value is read under the lock.
 */
import { GitUnavailable, PushRefused, RefMoved } from '../../git/errors.ts';
import { isObjectId, type ObjectId } from '../../git/object-id.ts';
import { isRefName, parseRefName, type RefName } from '../../git/ref-name.ts';
import type { RefUpdate } from '../../git/remote.ts';
import {
  type FileSystem,
  ifThere,
  isAbsent,
  makeDirectory,
  namesIn,
  parentOf,
  syncDirectory,
  systemErrorCode,
  writeNewFile,
} from './file-system.ts';
import { type PackedRef, parsePackedRefs, withoutPackedRefs } from './packed-refs.ts';
import { backOff, type Lock, type LockOptions, lockPathOf, removeIfStale, tryLock } from './ref-lock.ts';

export type StoredRef = PackedRef;

/** Open files are a scarce thing. */
const filesAtOnce = 64;

type LooseRef = { readonly id: ObjectId } | { readonly target: RefName };

/** Refs whose full name begins with one of `prefixes`; a symbolic one as what it leads to, one that leads nowhere not at all. */
export async function readRefs(
  fs: FileSystem,
  gitdir: string,
  prefixes: readonly string[],
): Promise<Map<RefName, StoredRef>> {
  const isWanted = (name: string) => prefixes.some(prefix => name.startsWith(prefix));
  const isOnTheWay = (directory: string) => prefixes.some(prefix => prefix.startsWith(directory));
  const loose = new Map<RefName, LooseRef>();

  let folders = ['refs'];
  while (folders.length > 0) {
    const names = await inBatches(folders, async folder =>
      (await namesIn(fs, `${gitdir}/${folder}`)).map(file => `${folder}/${file}`).filter(isRefName),
    );
    folders = [];
    await inBatches(names.flat(), async name => {
      const ref = isWanted(name) ? await readLooseRef(fs, gitdir, name) : undefined;
      if (ref !== undefined) loose.set(name, ref);
      else if (isWanted(name) || isOnTheWay(`${name}/`)) folders.push(name);
    });
  }

  const packed = await readPackedRefs(fs, gitdir);
  const refs = new Map<RefName, StoredRef>();
  for (const [name, ref] of packed) {
    if (isWanted(name) && isRefName(name)) refs.set(name, ref);
  }
  for (const [name, ref] of loose) {
    const resolved = 'id' in ref ? ref : await resolveSymbolicRef(fs, gitdir, ref.target, packed);
    if (resolved === undefined) refs.delete(name);
    else refs.set(name, withPeeled(resolved.id, packed.get(name)));
  }
  return refs;
}

/** What `action` gives for each, in their order; only some are under way at a time. */
async function inBatches<T, R>(all: readonly T[], action: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let i = 0; i < all.length; i += filesAtOnce) {
    results.push(...(await Promise.all(all.slice(i, i + filesAtOnce).map(action))));
  }
  return results;
}

/** What a ref is now, a symbolic one what it leads to; undefined where there is none. */
export async function readRef(fs: FileSystem, gitdir: string, name: RefName): Promise<ObjectId | undefined> {
  const loose = await readLooseRef(fs, gitdir, name);
  if (loose !== undefined && 'id' in loose) return loose.id;
  const packed = await readPackedRefs(fs, gitdir);
  return (loose === undefined ? packed.get(name) : await resolveSymbolicRef(fs, gitdir, loose.target, packed))?.id;
}

/** A file that says what the packed line says too is peeled as that is. */
function withPeeled(id: ObjectId, packed: PackedRef | undefined): StoredRef {
  return packed?.id === id ? packed : { id, peeled: undefined };
}

async function readPackedRefs(fs: FileSystem, gitdir: string): Promise<Map<string, PackedRef>> {
  const file = await ifThere(fs.promises.readFile(`${gitdir}/packed-refs`));
  try {
    return parsePackedRefs(file?.toString('utf8') ?? '');
  } catch (error) {
    throw new GitUnavailable('cannot read packed-refs', { cause: error });
  }
}

/** Throws GitUnavailable where the file holds no ref: a broken ref must not look like an absent one. */
async function readLooseRef(fs: FileSystem, gitdir: string, name: RefName): Promise<LooseRef | undefined> {
  const path = `${gitdir}/${name}`;
  const file = await fs.promises.readFile(path).catch((error: unknown) => {
    if (isAbsent(error) || systemErrorCode(error) === 'EISDIR') return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  const text = file.toString('utf8').trimEnd();
  if (isObjectId(text)) return { id: text };
  const target = /^ref:\s*(.+)$/.exec(text)?.[1] ?? '';
  if (isRefName(target)) return { target };
  throw new GitUnavailable(`${name} does not hold an object id; repair it with git update-ref`, {
    cause: new Error(path),
  });
}

const maxSymbolicDepth = 5;

async function resolveSymbolicRef(
  fs: FileSystem,
  gitdir: string,
  first: RefName,
  packed: ReadonlyMap<string, PackedRef>,
): Promise<{ id: ObjectId } | undefined> {
  let name = first;
  for (let depth = 0; depth < maxSymbolicDepth; depth++) {
    const ref = (await readLooseRef(fs, gitdir, name)) ?? packed.get(name);
    if (ref === undefined || 'id' in ref) return ref;
    name = ref.target;
  }
  return undefined;
}

/** Another process holds a lock that excludes ours: all of ours are let go, and after a moment it is tried again. */
class Contended extends Error {}

/** The disk failed, or git made a ref in the way, when some refs of a push were set already; after any other error none is. */
export class RefsPartlySet extends GitUnavailable {}

export interface RefStoreOptions extends LockOptions {
  readonly gitdir: string;
}

/** Updates whose locks are held, checked, and on the disk but for their names. Disposing lets go of the locks. */
export interface PreparedRefs extends AsyncDisposable {
  /**
   * Makes all of the updates or none, visible in their order, and on disk when it resolves. `meanwhile` is called when all are visible.
   * Throws RefsPartlySet, or what says that none is made.
   */
  commit(meanwhile: () => void): Promise<void>;
}

/**
 * Prepares updates, to be committed soon: others wait for the locks, and take old ones for left behind.
 * Throws RefMoved where a ref is not what an update says it must be, and PushRefused where a name can't be had
 * (`v1` and `v1/x` can't both be refs); nothing has changed then.
 */
export async function prepareRefs(
  options: RefStoreOptions,
  updates: readonly RefUpdate[],
  signal: AbortSignal,
): Promise<PreparedRefs> {
  refuseCollisions(updates);
  for (let attempt = 0; ; attempt++) {
    try {
      return await prepareOnce(options, updates, signal);
    } catch (error) {
      if (!(error instanceof Contended)) throw error;
    }
    await backOff(attempt, signal);
  }
}

function refuseCollisions(updates: readonly RefUpdate[]): void {
  const names = updates.map(update => update.name).sort();
  for (const name of names) {
    const other = names.find(other => other.startsWith(`${name}/`));
    if (other !== undefined) throw new PushRefused(`cannot update ${name} and ${other} in one push`);
  }
  if (new Set(names).size < names.length) throw new PushRefused('a push names a ref twice');
}

async function prepareOnce(
  options: RefStoreOptions,
  updates: readonly RefUpdate[],
  signal: AbortSignal,
): Promise<PreparedRefs> {
  const locks = new Map<string, Lock>();
  const dispose = async () => {
    for (const [name, lock] of locks) {
      await lock.release().catch((error: unknown) => options.log.warn({ name, error }, 'cannot release a lock'));
    }
  };
  try {
    for (const { name } of updates) locks.set(name, await lockRef(options, name, signal));
    if (deletedBy(updates).length > 0) {
      const packedPath = `${options.gitdir}/packed-refs`;
      locks.set(packedPath, heldOrContended(await tryLock(packedPath, options)));
    }
    for (const update of updates) await checkUpdate(options, update);
    for (const { name, to } of updates) {
      if (to !== undefined) await locks.get(name)?.write(Buffer.from(`${to}\n`));
    }
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    commit: meanwhile => setRefs(options, updates, { locks, meanwhile, signal }),
    [Symbol.asyncDispose]: dispose,
  };
}

const deletedBy = (updates: readonly RefUpdate[]): RefName[] =>
  updates.filter(update => update.to === undefined).map(update => update.name);

async function setRefs(
  options: RefStoreOptions,
  updates: readonly RefUpdate[],
  { locks, meanwhile, signal }: { locks: ReadonlyMap<string, Lock>; meanwhile: () => void; signal: AbortSignal },
): Promise<void> {
  const { fs, gitdir } = options;
  signal.throwIfAborted();
  // A single one is when it is committed.
  if (locks.size > 1) for (const lock of locks.values()) await lock.confirm();
  let changed = 0;
  try {
    for (const { name, to } of updates) {
      if (to === undefined) await removeRef(fs, gitdir, name, deletedBy(updates));
      else await commitRef(options, name, locks.get(name), signal);
      changed += 1;
      if (changed === updates.length) meanwhile();
      await syncFolders(fs, gitdir, name);
    }
  } catch (error) {
    if (changed === 0) throw error;
    throw new RefsPartlySet(`only ${changed} of ${updates.length} refs of a push could be set`, { cause: error });
  }
}

/** Locks a ref, making its folder; git removes empty ones at any moment, so this is tried until it works. */
async function lockRef(options: RefStoreOptions, name: RefName, signal: AbortSignal): Promise<Lock> {
  const { fs, gitdir } = options;
  const path = `${gitdir}/${name}`;
  for (;;) {
    signal.throwIfAborted();
    try {
      return heldOrContended(await tryLock(path, options));
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
    await refuseFilesAbove(fs, gitdir, name);
    await makeDirectory(fs, parentOf(path)).catch((error: unknown) => {
      if (!isAbsent(error) && systemErrorCode(error) !== 'EEXIST') throw error;
    });
  }
}

function heldOrContended(lock: Lock | undefined): Lock {
  if (lock === undefined) throw new Contended();
  return lock;
}

/** Puts a locked ref in place. Who waits to make a ref below this name may have made its folder, but sees our lock and steps back. */
async function commitRef(
  options: RefStoreOptions,
  name: RefName,
  lock: Lock | undefined,
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await removeFolderAt(options, name);
      return await lock?.commit();
    } catch (error) {
      const isFolderThere = ['EISDIR', 'ENOTEMPTY', 'EEXIST'].includes(systemErrorCode(error) ?? '');
      if (!isFolderThere && !(error instanceof Contended)) throw error;
    }
    await backOff(attempt, signal);
  }
}

async function removeRef(fs: FileSystem, gitdir: string, name: RefName, deleted: readonly RefName[]): Promise<void> {
  await dropPackedRefs(fs, `${gitdir}/packed-refs`, deleted);
  await ifThere(fs.promises.unlink(`${gitdir}/${name}`));
}

/** Throws PushRefused where a folder that `name` needs is a ref. */
async function refuseFilesAbove(fs: FileSystem, gitdir: string, name: RefName): Promise<void> {
  for (const above of namesAbove(name)) {
    const stats = await ifThere(fs.promises.stat(`${gitdir}/${above}`));
    if (stats !== undefined && !stats.isDirectory()) throw collision(name, above);
  }
}

/** `refs/tags/a` and `refs/tags/a/b` for `refs/tags/a/b/c`. */
function namesAbove(name: RefName): string[] {
  const parts = name.split('/');
  return parts.map((_, i) => parts.slice(0, i).join('/')).slice(3);
}

function collision(name: string, other: string): PushRefused {
  const short = (ref: string) => ref.replace(/^refs\/(heads|tags)\//, '');
  return new PushRefused(`git cannot hold ${short(name)} beside ${short(other)}: one name is the other's folder`);
}

/** Whether the update may be made, under its lock. */
async function checkUpdate(options: RefStoreOptions, { name, from, to }: RefUpdate): Promise<void> {
  const { fs, gitdir } = options;
  const loose = await readLooseRef(fs, gitdir, name);
  if (loose !== undefined && 'target' in loose) throw new PushRefused(`${name} is a symbolic ref to ${loose.target}`);
  const packed = await readPackedRefs(fs, gitdir);
  const current = loose ?? packed.get(name);
  if (current?.id !== from) throw new RefMoved(name);
  if (to !== undefined && current === undefined) await checkNameIsFree(options, name, packed);
}

/**
 * Of two processes that make `v1` and `v1/x` each takes its lock before it looks for the other's ref and lock, so at least one sees the other.
 * Throws PushRefused for a ref, Contended for a lock.
 */
async function checkNameIsFree(
  options: RefStoreOptions,
  name: RefName,
  packed: ReadonlyMap<string, PackedRef>,
): Promise<void> {
  const { fs, gitdir } = options;
  for (const above of namesAbove(name)) {
    const isRef = packed.has(above) || (await readLooseRef(fs, gitdir, parseRefName(above))) !== undefined;
    if (isRef) throw collision(name, above);
    const lock = lockPathOf(`${gitdir}/${above}`);
    if ((await ifThere(fs.promises.stat(lock))) !== undefined) {
      await removeIfStale(lock, options);
      throw new Contended();
    }
  }
  for (const other of packed.keys()) {
    if (other.startsWith(`${name}/`)) throw collision(name, other);
  }
  await removeFolderAt(options, name);
}

/** Removes the folder, if there is one, that stands where the ref `name` must go. */
async function removeFolderAt(options: RefStoreOptions, name: RefName): Promise<void> {
  const stats = await ifThere(options.fs.promises.stat(`${options.gitdir}/${name}`));
  if (stats?.isDirectory()) await removeEmptyDirectory(options, name, name);
}

/** Empty folders may go, a ref may not: throws PushRefused for a ref, Contended for a lock. */
async function removeEmptyDirectory(options: RefStoreOptions, name: RefName, directory: string): Promise<void> {
  const { fs, gitdir } = options;
  for (const file of await namesIn(fs, `${gitdir}/${directory}`)) {
    const inside = `${directory}/${file}`;
    const stats = await ifThere(fs.promises.stat(`${gitdir}/${inside}`));
    if (stats?.isDirectory()) {
      await removeEmptyDirectory(options, name, inside);
    } else if (inside.endsWith('.lock')) {
      await removeIfStale(`${gitdir}/${inside}`, options);
      throw new Contended();
    } else {
      throw collision(name, inside);
    }
  }
  try {
    await fs.promises.rmdir(`${gitdir}/${directory}`);
  } catch (error) {
    if (isAbsent(error)) return;
    if (['ENOTEMPTY', 'EEXIST'].includes(systemErrorCode(error) ?? '')) throw new Contended();
    throw error;
  }
}

/**
 * Takes the lines of all deleted refs away, at the first of them. The lock stays, so the new file has another name: without it `git pack-refs`
 * could write a line for a ref whose file is about to go.
 */
async function dropPackedRefs(fs: FileSystem, packedPath: string, names: readonly RefName[]): Promise<void> {
  const file = await ifThere(fs.promises.readFile(packedPath));
  if (file === undefined) return;
  const kept = withoutPackedRefs(file, names);
  if (kept.byteLength === file.byteLength) return;
  const newPath = `${packedPath}.modforge`;
  await ifThere(fs.promises.unlink(newPath));
  await writeNewFile(fs, newPath, kept);
  await fs.promises.rename(newPath, packedPath);
  await syncDirectory(fs, parentOf(packedPath));
}

/** Syncs the ref's folder and those above it, which another process may have made; git may have removed one that was left empty. */
async function syncFolders(fs: FileSystem, gitdir: string, name: RefName): Promise<void> {
  const folders: string[] = [];
  for (let path: string = name; path !== 'refs'; path = parentOf(path)) folders.push(parentOf(path));
  await Promise.all(folders.map(folder => ifThere(syncDirectory(fs, `${gitdir}/${folder}`))));
}
