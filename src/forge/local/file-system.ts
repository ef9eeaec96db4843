/** What the local forge needs of node:fs, which memfs has too, and the few steps that make a change outlive a power cut. */
import fs from 'node:fs';
import { promisify } from 'node:util';

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
    open(path: string, flags: 'r' | 'wx' | 'wx+'): Promise<FileHandle>;
    readFile(path: string): Promise<Buffer>;
    writeFile(path: string, content: string): Promise<void>;
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

/** This machine's. Most of what is read are refs: node's own `promises.readFile` takes five calls for one and needs three times as long. */
export const diskFileSystem: FileSystem = {
  promises: Object.assign(Object.create(fs.promises), { readFile }),
};

const openFile = promisify(fs.open);
const readFrom = promisify(fs.read);
const readRest = promisify(fs.readFile);
const closeFile = promisify(fs.close);

/** Room for any ref, and for most of git's other small files. */
const smallBytes = 2048;

async function readFile(path: string): Promise<Buffer> {
  const file = await openFile(path, 'r');
  try {
    const { bytesRead, buffer } = await readFrom(file, Buffer.allocUnsafe(smallBytes), 0, smallBytes, 0);
    return bytesRead < smallBytes ? buffer.subarray(0, bytesRead) : await readRest(file);
  } finally {
    await closeFile(file);
  }
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

/** Bytes of a write. */
const batchBytes = 1024 * 1024;
/** And of a read: few enough to be hashed in one turn. */
const readBytes = 512 * 1024;

/** A file that is made: what is appended is written, and synced, by the megabyte, while its maker goes on. Disposing closes it. */
export class NewFile implements AsyncDisposable {
  readonly #handle: FileHandle;
  /** Up to where writes have begun. */
  #end = 0;
  #batch: Uint8Array[] = [];
  #batched = 0;
  #writing = Promise.resolve();
  /** A sync that fails may be the only one that is told of it, so each waits for the one before; one that has not begun is enough for all. */
  #syncing = Promise.resolve();
  #isSyncWaiting = false;
  #isClosed = false;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** Throws EEXIST where there is such a file. */
  static async create(fs: FileSystem, path: string): Promise<NewFile> {
    return new NewFile(await fs.promises.open(path, 'wx+'));
  }

  /** Takes pieces, which must not change any more. The calls must wait for each other. */
  append(pieces: readonly Uint8Array[]): Promise<void> | undefined {
    for (const piece of pieces) {
      this.#batch.push(piece);
      this.#batched += piece.byteLength;
    }
    return this.#batched < batchBytes ? undefined : this.#flushAndSync();
  }

  /** Resolves when all is written. */
  async written(): Promise<void> {
    await this.#flush();
    await this.#writing;
  }

  /** Resolves when all is on the disk. */
  async synced(): Promise<void> {
    await this.written();
    this.#sync();
    await this.#syncing;
  }

  /** Writes in place of what was written there. */
  overwrite(bytes: Uint8Array, position: number): Promise<void> {
    return writeAll(this.#handle, [bytes], position);
  }

  /** Yields what was written, for use when it is; each piece stays until the next. What comes after it is read meanwhile. */
  async *read(): AsyncGenerator<Buffer, void> {
    let [buffer, other] = [this.#newReadBuffer(), this.#newReadBuffer()];
    let reading = this.#readAt(0, buffer);
    for (let at = 0; at < this.#end; [buffer, other] = [other, buffer]) {
      const { bytesRead } = await reading;
      if (bytesRead === 0) throw Object.assign(new Error('a new file has become shorter'), { code: 'EIO' });
      at += bytesRead;
      reading = this.#readAt(at, other);
      // Whoever reads may go.
      reading.catch(() => {});
      yield buffer.subarray(0, bytesRead);
    }
  }

  #newReadBuffer(): Buffer {
    return Buffer.allocUnsafeSlow(Math.min(readBytes, this.#end));
  }

  #readAt(position: number, buffer: Buffer): Promise<{ bytesRead: number }> {
    return this.#handle.read(buffer, 0, Math.min(buffer.byteLength, this.#end - position), position);
  }

  async [Symbol.asyncDispose]() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#writing.catch(() => {});
    await this.#handle.close();
  }

  async #flushAndSync(): Promise<void> {
    await this.#flush();
    this.#writing.then(
      () => this.#sync(),
      () => {},
    );
  }

  /** Waits for the write before, and begins the next. */
  async #flush(): Promise<void> {
    await this.#writing;
    if (this.#batched === 0) return;
    this.#writing = writeAll(this.#handle, this.#batch, this.#end);
    // Whoever flushes next is told.
    this.#writing.catch(() => {});
    this.#end += this.#batched;
    this.#batch = [];
    this.#batched = 0;
  }

  #sync(): void {
    if (this.#isSyncWaiting) return;
    this.#isSyncWaiting = true;
    this.#syncing = this.#syncing.then(() => {
      this.#isSyncWaiting = false;
      return this.#handle.datasync();
    });
    this.#syncing.catch(() => {});
  }
}

/** Writes a new file, synced. Throws EEXIST where there is one. */
export async function writeNewFile(fs: FileSystem, path: string, content: Uint8Array): Promise<void> {
  await using file = await NewFile.create(fs, path);
  await file.append([content]);
  await file.synced();
}

/** Writes all of the pieces, from `position` on. */
export async function writeAll(handle: FileHandle, pieces: Uint8Array[], position: number): Promise<void> {
  const bytes = pieces.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const { bytesWritten } = await handle.writev(pieces, position);
  if (bytesWritten === bytes) return;
  throw Object.assign(new Error(`wrote ${bytesWritten} of ${bytes} bytes: the disk is full`), { code: 'ENOSPC' });
}
