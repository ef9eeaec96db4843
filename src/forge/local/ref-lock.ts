/**
 * Git's lock files: whoever makes `{file}.lock`, which must not exist, may change `{file}`, by renaming the lock over it or otherwise;
 * everyone else waits. A lock outlives the process that made it, so one that has grown old is removed, and this must never hit a younger lock of
 * the same name: only who makes the guard file named after the very lock seen (its inode and time) may remove it, and looks again first.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { GitUnavailable } from '../../git/errors.ts';
import type { Log } from '../log.ts';
import { type FileHandle, type FileStats, type FileSystem, ifThere, systemErrorCode, writeAll } from './file-system.ts';

export interface LockOptions {
  readonly fs: FileSystem;
  /** A lock of this age was left behind by a process that is gone. */
  readonly staleLockMs: number;
  readonly log: Log;
}

/** A held lock. After `commit` or `release` it is gone, and a second call does nothing. */
export interface Lock {
  /** Throws GitUnavailable where somebody took the lock away, as one that was left behind. */
  confirm(): Promise<void>;
  /** Sets and syncs what the file will hold. */
  write(content: Uint8Array): Promise<void>;
  /** Puts what was written in the file's place; its folder is not synced yet. Throws as `confirm`. */
  commit(): Promise<void>;
  release(): Promise<void>;
}

export const lockPathOf = (path: string): string => `${path}.lock`;

/**
 * Locks `path`; undefined where another holds it, or held it for so long that the lock is removed and the next try gets it. Nobody waits here: who needs
 * several locks must let go of those it has before it waits, or they would grow old with it. Throws as `open` does where the lock can't be made (ENOENT, ENOTDIR).
 */
export async function tryLock(path: string, options: LockOptions): Promise<Lock | undefined> {
  const handle = await createExclusively(options.fs, lockPathOf(path));
  if (handle !== undefined) return heldLock(options.fs, path, handle);
  await removeIfStale(lockPathOf(path), options);
  return undefined;
}

/** Waits a little longer after each attempt, up to about 100 ms, never the same time as another process. */
export async function backOff(attempt: number, signal: AbortSignal): Promise<void> {
  const ms = Math.random() * Math.min(100, 2 * 2 ** Math.min(attempt, 10));
  await sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}

/** Removes the lock file if it is stale, or has another process do so. */
export async function removeIfStale(lockPath: string, options: LockOptions): Promise<void> {
  const { fs, staleLockMs, log } = options;
  const seen = await ifThere(fs.promises.lstat(lockPath));
  if (seen === undefined) return;
  const ageMs = Date.now() - seen.mtime.getTime();
  if (ageMs < staleLockMs) return;

  const guardPath = `${lockPath}.${identityOf(seen)}.lock`;
  const guard = await ifThere(createExclusively(fs, guardPath));
  if (guard === undefined) return await removeIfStale(guardPath, options);
  try {
    const now = await ifThere(fs.promises.lstat(lockPath));
    if (now !== undefined && identityOf(now) === identityOf(seen)) {
      log.warn({ lock: lockPath, ageMs }, 'removed a lock that a process left behind');
      await fs.promises.unlink(lockPath);
    }
  } finally {
    await guard.close();
    await ifThere(fs.promises.unlink(guardPath));
  }
}

const identityOf = (stats: FileStats): string => `${stats.ino}-${stats.mtime.getTime()}`;

/** Opens a new file; undefined where there is one of that name. */
async function createExclusively(fs: FileSystem, path: string): Promise<FileHandle | undefined> {
  try {
    return await fs.promises.open(path, 'wx');
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') return undefined;
    throw error;
  }
}

/** The handle stays open while the lock is held, so that its inode can't become another file's. */
function heldLock(fs: FileSystem, path: string, handle: FileHandle): Lock {
  const lockPath = lockPathOf(path);
  let isHeld = true;
  const isStillOurs = async () => {
    const [ours, there] = await Promise.all([handle.stat(), ifThere(fs.promises.lstat(lockPath))]);
    return ours.ino === there?.ino;
  };
  const confirm = async () => {
    if (isHeld && !(await isStillOurs()))
      throw new GitUnavailable('another process removed a lock of ours; try again', { cause: new Error(lockPath) });
  };
  return {
    confirm,
    async write(content) {
      await writeAll(handle, [content], 0);
      await handle.datasync();
    },
    async commit() {
      await confirm();
      await fs.promises.rename(lockPath, path);
      isHeld = false;
      // The change has happened and its content is synced: an error now would say the opposite.
      await handle.close().catch(() => {});
    },
    async release() {
      if (!isHeld) return;
      isHeld = false;
      try {
        if (await isStillOurs()) await fs.promises.unlink(lockPath);
      } finally {
        await handle.close();
      }
    },
  };
}
