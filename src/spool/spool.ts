/** Bytes on the disk instead of in memory: a temporary file without a name, so that it goes with the process, whatever happens to that. */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The disk does not keep what is written to it, or does not give it back. */
export class SpoolFault extends Error {
  override readonly name = 'SpoolFault';
}

/** Throws SpoolFault where the disk does not do its part. */
export interface Spool extends AsyncDisposable {
  /** Of what was appended so far, or is expected. */
  readonly byteLength: number;
  /** Says how much there will be in all: who reads what is not there yet waits for it. What is appended still goes behind what was appended. */
  expect(byteLength: number): void;
  /** Tells those who wait, now or later, why nothing more will come. */
  fail(reason: unknown): void;
  /** Keeps a copy behind all else; the calls must wait for each other. While more than a megabyte at once is being written, readers get the very bytes. */
  append(bytes: Uint8Array): void | Promise<void>;
  /**
   * From `start` up to `end`, both within `byteLength`; at once where they are at hand. They stay as they are, and must be left
   * so: several callers may get the same.
   */
  read(start: number, end: number): Buffer | Promise<Buffer>;
  /** Adds an owner: it is closed when as many have disposed of it. */
  retain(): void;
  /** Gives the file away, to another thread above all; the spool is of no use afterwards. */
  detach(): Promise<SpoolFile>;
}

/** A file handle can be sent to another thread. */
export interface SpoolFile {
  readonly file: FileHandle;
  readonly byteLength: number;
}

/** Written at once. */
const batchBytes = 1024 * 1024;

/** Read at once and kept for the next who wants bytes of it: most reads are of neighbours, and smaller. A window behind another is larger. */
const minWindowBytes = 64 * 1024;
const maxWindowBytes = 1024 * 1024;

/** As many as there are places in a zip that are read in turn: its directory, what is before an entry's data, what is behind it, and what is hashed meanwhile. */
const maxWindows = 4;

interface Window {
  readonly start: number;
  readonly end: number;
  readonly bytes: Buffer;
}

/** Makes one in the system's folder for temporary files; throws SpoolFault. */
export const createSpool = async (): Promise<Spool> => openSpool({ file: await openUnnamed(), byteLength: 0 });

/** Owns the file from now on. */
export function openSpool({ file, byteLength }: SpoolFile): Spool {
  let owners = 1;
  let writtenBytes = byteLength;
  /** What is being written behind that, and how that ends. */
  let leaving: Buffer = Buffer.alloc(0);
  let written: Promise<void> = Promise.resolve();
  /** What is appended behind that: the beginning of `batch`. */
  let batch: Buffer = Buffer.alloc(0);
  let batched = 0;
  let windows: readonly Window[] = [];
  let expectedBytes: number | undefined;
  let failure: { readonly reason: unknown } | undefined;
  /** Those who wait until what is there reaches `end`. */
  let waiting: { readonly end: number; readonly resolve: () => void }[] = [];

  const wake = () => {
    const isReady = failure !== undefined || waiting.some(({ end }) => end <= heldEnd());
    if (!isReady) return;
    const awake = waiting;
    waiting = [];
    for (const { resolve } of awake) resolve();
  };

  /** What is not on the disk yet. */
  const held = () => {
    const batchStart = writtenBytes + leaving.byteLength;
    return [
      { start: writtenBytes, end: batchStart, bytes: leaving },
      { start: batchStart, end: batchStart + batched, bytes: batch },
    ];
  };

  const heldEnd = () => writtenBytes + leaving.byteLength + batched;

  const write = async () => {
    for (let at = 0; at < leaving.byteLength; ) {
      const { bytesWritten } = await orFault(file.write(leaving, at, leaving.byteLength - at, writtenBytes + at));
      at += bytesWritten;
    }
    writtenBytes += leaving.byteLength;
    leaving = Buffer.alloc(0);
  };

  const startWriting = (bytes: Buffer) => {
    leaving = bytes;
    written = write();
    // Who appends next, or gives the file away, is told.
    written.catch(() => {});
  };

  const startWritingBatch = async () => {
    await written;
    startWriting(batch.subarray(0, batched));
    // Readers may have slices of it.
    batch = Buffer.alloc(0);
    batched = 0;
  };

  const appendToNext = async (bytes: Uint8Array) => {
    await startWritingBatch();
    if (bytes.byteLength < batchBytes) {
      batch = Buffer.allocUnsafeSlow(batchBytes);
      batch.set(bytes);
      batched = bytes.byteLength;
      return;
    }
    await written;
    startWriting(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    // They are the caller's again.
    await written;
  };

  const load = async (start: number, end: number): Promise<Buffer> => {
    const bytes = Buffer.allocUnsafeSlow(end - start);
    // Looked at before any waiting: what is held may be written meanwhile.
    const fileEnd = Math.min(end, writtenBytes);
    for (const piece of held()) {
      const from = Math.max(start, piece.start);
      if (from < end) piece.bytes.copy(bytes, from - start, from - piece.start, Math.min(end, piece.end) - piece.start);
    }
    for (let at = start; at < fileEnd; ) {
      const { bytesRead } = await orFault(file.read(bytes, at - start, fileEnd - at, at));
      if (bytesRead === 0) throw spoolFault('its end is missing');
      at += bytesRead;
    }
    return bytes;
  };

  const openWindow = async (start: number, atLeast: number): Promise<Window> => {
    const before = windows.find(({ end }) => start >= end && start < end + minWindowBytes);
    const bytes = before === undefined ? minWindowBytes : Math.min(2 * (before.end - before.start), maxWindowBytes);
    const end = Math.min(start + Math.max(bytes, atLeast), heldEnd());
    const window = { start, end, bytes: await load(start, end) };
    windows = [window, ...windows].slice(0, maxWindows);
    return window;
  };

  const readHere = ({ start, bytes }: Window, from: number, to: number) => bytes.subarray(from - start, to - start);

  /** Of what is there. */
  const readThere = (start: number, end: number): Buffer | Promise<Buffer> => {
    const piece = end > writtenBytes ? held().find(piece => piece.start <= start && end <= piece.end) : undefined;
    if (piece !== undefined) return readHere(piece, start, end);
    if (end - start > maxWindowBytes) return load(start, end);
    const window = windows.find(window => window.start <= start && end <= window.end);
    if (window === undefined) return openWindow(start, end - start).then(opened => readHere(opened, start, end));
    if (window !== windows[0]) windows = [window, ...windows.filter(other => other !== window)];
    return readHere(window, start, end);
  };

  const readWhenThere = async (start: number, end: number): Promise<Buffer> => {
    while (end > heldEnd()) {
      if (failure !== undefined) throw failure.reason;
      await new Promise<void>(resolve => waiting.push({ end, resolve }));
    }
    return readThere(start, end);
  };

  return {
    get byteLength() {
      return expectedBytes ?? heldEnd();
    },

    expect(byteLength) {
      expectedBytes = byteLength;
    },

    fail(reason) {
      failure = { reason };
      wake();
    },

    append(bytes) {
      if (batched + bytes.byteLength > batch.byteLength) return appendToNext(bytes).then(wake);
      batch.set(bytes, batched);
      batched += bytes.byteLength;
      wake();
    },

    read(start, end) {
      if (start < 0 || start > end || end > this.byteLength)
        throw new RangeError(`${start} to ${end} of ${this.byteLength} bytes`);
      return end > heldEnd() ? readWhenThere(start, end) : readThere(start, end);
    },

    retain() {
      owners += 1;
    },

    async detach() {
      await startWritingBatch();
      await written;
      windows = [];
      return { file, byteLength: writtenBytes };
    },

    async [Symbol.asyncDispose]() {
      owners -= 1;
      if (owners > 0) return;
      windows = [];
      // Nobody wants any more what it held.
      await file.close().catch(() => {});
    },
  };
}

async function openUnnamed(): Promise<FileHandle> {
  const path = join(tmpdir(), `modforge-${randomBytes(12).toString('hex')}`);
  const file = await orFault(open(path, 'wx+', 0o600));
  try {
    await orFault(unlink(path));
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

const spoolFault = (reason: string, options?: ErrorOptions): SpoolFault =>
  new SpoolFault(
    `cannot keep a file in ${tmpdir()}: ${reason}; free space there, or name another folder in TMPDIR`,
    options,
  );

async function orFault<T>(action: Promise<T>): Promise<T> {
  try {
    return await action;
  } catch (error) {
    throw spoolFault(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
