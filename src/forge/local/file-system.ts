/** What the local forge needs of node:fs, which memfs has too, and the few steps that make a change outlive a power cut. */

export interface FileStats {
  readonly ino: number | bigint;
  readonly mtime: Date;
  isDirectory(): boolean;
}

export interface FileHandle {
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
  writev(buffers: NodeJS.ArrayBufferView[], position: number): Promise<{ bytesWritten: number }>;
  stat(): Promise<FileStats>;
  /** Of an open directory it writes the directory to disk. */
  datasync(): Promise<void>;
  close(): Promise<void>;
}

export interface FileSystem {
  readonly promises: {
    open(path: string, flags: 'r' | 'wx'): Promise<FileHandle>;
    readFile(path: string): Promise<Buffer>;
    writeFile(path: string, content: string, options?: { flag: 'wx' }): Promise<void>;
    readdir(path: string): Promise<readonly unknown[]>;
    mkdir(path: string, options?: { recursive: true }): Promise<string | undefined>;
    rmdir(path: string): Promise<void>;
    stat(path: string): Promise<FileStats>;
    lstat(path: string): Promise<FileStats>;
    rename(from: string, to: string): Promise<void>;
    unlink(path: string): Promise<void>;
    chmod(path: string, mode: number): Promise<void>;
    access(path: string, mode?: number): Promise<void>;
  };
}

/** The `code` of a system error, `ENOENT` and so on; undefined for any other error. */
export function systemErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return /^E[A-Z0-9]+$|^ERR_FS_/.test(error.code) ? error.code : undefined;
}

/** Whether a path led nowhere: it, or a folder above it, is not there or is a file. */
export function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '');
}

/** Runs `action`, giving undefined where it finds that a path leads nowhere. */
export async function ifThere<T>(action: Promise<T>): Promise<T | undefined> {
  try {
    return await action;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** Names in a folder, sorted; none where it is not there. */
export async function namesIn(fs: FileSystem, directory: string): Promise<string[]> {
  const names = (await ifThere(fs.promises.readdir(directory))) ?? [];
  return names.map(String).sort();
}

export const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/';

/** Writes what happened in a directory (files made, renamed, removed) to disk, where the platform can. */
export async function syncDirectory(fs: FileSystem, directory: string): Promise<void> {
  const handle = await fs.promises.open(directory, 'r').catch(ignoreUnsupported);
  if (handle === undefined) return;
  try {
    await handle.datasync().catch(ignoreUnsupported);
  } finally {
    await handle.close();
  }
}

/** Windows can neither open nor sync a directory, some network file systems can't sync one. */
function ignoreUnsupported(error: unknown): undefined {
  if (!['EISDIR', 'EPERM', 'EACCES', 'EINVAL', 'ENOTSUP'].includes(systemErrorCode(error) ?? '')) throw error;
}

/** Makes a directory and those above it, synced; fine if it is there. */
export async function makeDirectory(fs: FileSystem, directory: string): Promise<void> {
  const first = await fs.promises.mkdir(directory, { recursive: true });
  if (first === undefined) return;
  for (let made = directory; made.length >= first.length; made = parentOf(made))
    await syncDirectory(fs, parentOf(made));
}

const batchBytes = 1024 * 1024;

type Pieces<T> = Iterator<Uint8Array, T> | AsyncIterator<Uint8Array, T>;

/**
 * Writes all that `pieces` yields to a new file and syncs it; `meanwhile` gets what `pieces` returns, to make use of the time that the disk takes.
 * Throws EEXIST where there is such a file.
 */
export async function writeNewFile<T>(
  fs: FileSystem,
  path: string,
  pieces: Pieces<T>,
  meanwhile: (returned: T) => Promise<void> = async () => {},
): Promise<void> {
  const handle = await fs.promises.open(path, 'wx');
  // A sync that fails may be the only one that is told of it, so each waits for the one before; one that has not begun is enough for all.
  let synced = Promise.resolve();
  let isNextWaiting = false;
  const sync = () => {
    if (isNextWaiting) return;
    isNextWaiting = true;
    synced = synced.then(() => {
      isNextWaiting = false;
      return handle.datasync();
    });
    synced.catch(() => {});
  };
  try {
    const returned = await writePieces(handle, pieces, sync);
    sync();
    await meanwhile(returned);
    await synced;
  } finally {
    await handle.close();
  }
}

/** Writes what `pieces` yields from the file's start on, and gives what it returns; `onBatch` hears of each megabyte of a longer file. */
export async function writePieces<T>(
  handle: FileHandle,
  pieces: Pieces<T>,
  onBatch: () => void = () => {},
): Promise<T> {
  let position = 0;
  let batch: Uint8Array[] = [];
  let batched = 0;
  const flush = async () => {
    if (batched === 0) return;
    const { bytesWritten } = await handle.writev(batch, position);
    if (bytesWritten !== batched) {
      const message = `wrote ${bytesWritten} of ${batched} bytes: the disk is full`;
      throw Object.assign(new Error(message), { code: 'ENOSPC' });
    }
    position += batched;
    batch = [];
    batched = 0;
  };
  for (;;) {
    const step = await pieces.next();
    if (step.done) {
      await flush();
      return step.value;
    }
    batch.push(step.value);
    batched += step.value.byteLength;
    if (batched < batchBytes) continue;
    await flush();
    onBatch();
  }
}
