/** Hashing an upload's files: those of small uploads, and what is too large to be held, on the main thread, which gives way; all others on threads. */
import { appendTo, type Bulk, readSlice, type Slice, subslice } from '../spool/slice.ts';
import { InvalidZip } from '../zip/errors.ts';
import { type CompressedFile, isHeld } from '../zip/inflate-entry.ts';
import { type FileHashes, hashFile } from './hash-file.ts';
import { type BatchedHashes, hashOnThread } from './hash-threads.ts';
import { Limiter } from './limiter.ts';

export interface HashedFile<File extends CompressedFile> {
  readonly file: File;
  /** Or what is wrong with the file, so that it can't be inflated. */
  readonly hashes: FileHashes | InvalidZip;
}

export interface UploadToHash<File extends CompressedFile> {
  readonly archive: Bulk;
  /** Whether the content is to come with the hashes. */
  readonly isContentWanted: (file: File) => boolean;
  readonly signal: AbortSignal;
}

/** Bytes of an archive. Below, handing the work to other threads takes longer than the work. */
export const minBytesForThreads = 512 * 1024;

/** So many batches of an upload are begun before the first is asked for, of so many bytes of contents. */
const maxUnderWay = 12;
const maxContentBytesUnderWay = 24 * 1024 * 1024;

/** And so many of all uploads are on threads, which have a copy of each: enough that none is idle while an answer is looked at. */
const batchesOnThreads = new Limiter(8);

export interface Hashing<File extends CompressedFile> extends AsyncDisposable {
  /** Takes a file of the archive; threads begin as soon as there are some. */
  add(file: File): void;
  /**
   * The files in their order, when all were added. Who iterates is done with one batch before asking for the next, since either may write behind
   * the archive. Throws SpoolFault.
   */
  finish(): AsyncIterable<readonly HashedFile<File>[]>;
}

/** Hashes files; disposing waits for what is under way, so that who is refused early does not leave work behind. */
export function hashUpload<File extends CompressedFile>(upload: UploadToHash<File>): Hashing<File> {
  const { archive, signal } = upload;
  const batcher = new Batcher<File>();
  const underWay: BegunBatch<File>[] = [];
  let contentBytesUnderWay = 0;
  const begin = () => {
    while (underWay.length < maxUnderWay && contentBytesUnderWay < maxContentBytesUnderWay) {
      const batch = batcher.take();
      if (batch === undefined) return;
      const isForThreads = archive.byteLength >= minBytesForThreads && batch.files.every(isHeld);
      underWay.push(
        isForThreads ? beginOnThread(batch, upload) : { batch, finish: () => hashHere(batch.files, upload) },
      );
      contentBytesUnderWay += batch.contentBytes;
    }
  };
  return {
    add(file) {
      batcher.add(file);
      begin();
    },
    async *finish() {
      batcher.end();
      begin();
      for (let next = underWay.shift(); next !== undefined; next = underWay.shift()) {
        signal.throwIfAborted();
        const hashed = await next.finish();
        contentBytesUnderWay -= next.batch.contentBytes;
        begin();
        yield hashed;
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.allSettled(underWay.map(({ hashing }) => hashing));
    },
  };
}

interface BegunBatch<File extends CompressedFile> {
  readonly batch: Neighbours<File>;
  /** What a thread does for it, if one does. */
  readonly hashing?: Promise<unknown>;
  /** To be called when it is the batch's turn. */
  finish(): Promise<HashedFile<File>[]>;
}

async function hashHere<File extends CompressedFile>(
  files: readonly File[],
  { isContentWanted, signal }: UploadToHash<File>,
): Promise<HashedFile<File>[]> {
  const hashed: HashedFile<File>[] = [];
  for (const file of files) {
    signal.throwIfAborted();
    const hashes = await hashFile(file, isContentWanted(file)).catch((error: unknown) => {
      if (error instanceof InvalidZip) return error;
      throw error;
    });
    hashed.push({ file, hashes });
  }
  return hashed;
}

function beginOnThread<File extends CompressedFile>(
  batch: Neighbours<File>,
  { isContentWanted, signal }: UploadToHash<File>,
): BegunBatch<File> {
  const { files, span } = batch;
  const hash = async () => {
    // A copy, since it is lost here once it is sent.
    const bytes = new Uint8Array(await readSlice(span));
    const batched = files.map(file => ({
      file,
      start: file.data.start - span.start,
      isContentWanted: isContentWanted(file),
    }));
    return await hashOnThread({ bytes, files: batched });
  };
  const hashing = batchesOnThreads.run(hash, signal);
  // Nobody may come to wait for it.
  hashing.catch(() => {});
  const finish = async () => {
    const found = await hashing;
    const hashed: HashedFile<File>[] = [];
    for (const [i, file] of files.entries()) {
      const hashes = inSpan(found[i], span);
      hashed.push({ file, hashes: hashes instanceof Promise ? await hashes : hashes });
    }
    return hashed;
  };
  return { batch, hashing, finish };
}

/** Bytes of an archive that are sent at once, and of the contents in them; one file may have more. */
const batchBytes = 256 * 1024;
const batchContentBytes = 4 * 1024 * 1024;

/** Files that are neighbours in the archive, and the bytes that they lie in. */
interface Neighbours<File extends CompressedFile> {
  readonly files: File[];
  span: Slice;
  /** As declared. */
  contentBytes: number;
}

class Batcher<File extends CompressedFile> {
  readonly #full: Neighbours<File>[] = [];
  /** So many of them: there may be one for each of 200,000 files, too many for an array to be shifted. */
  #taken = 0;
  #batch: Neighbours<File> | undefined;

  add(file: File): void {
    const { start, end } = file.data;
    const batch = this.#batch;
    const isFull =
      batch !== undefined &&
      (start < batch.span.end ||
        end - batch.span.start > batchBytes ||
        batch.contentBytes + file.bytes > batchContentBytes);
    if (isFull) this.end();
    this.#batch ??= { files: [], span: file.data, contentBytes: 0 };
    this.#batch.files.push(file);
    this.#batch.span = { ...file.data, start: this.#batch.span.start };
    this.#batch.contentBytes += file.bytes;
  }

  end(): void {
    if (this.#batch !== undefined) this.#full.push(this.#batch);
    this.#batch = undefined;
  }

  /** The next one that is full. */
  take(): Neighbours<File> | undefined {
    const batch = this.#full[this.#taken];
    if (batch !== undefined) this.#taken += 1;
    return batch;
  }
}

/** As hashFile gives them: a thread knows only the bytes that were sent, and what it has deflated goes behind the archive. */
function inSpan(found: BatchedHashes | undefined, span: Slice): FileHashes | InvalidZip | Promise<FileHashes> {
  if (found === undefined) throw new TypeError('a file was not hashed');
  if (!('id' in found)) return new InvalidZip(found);
  const { deflated } = found;
  if ('start' in deflated) return { ...found, deflated: subslice(span, deflated.start, deflated.end) };
  const bytes = Buffer.from(deflated.buffer, deflated.byteOffset, deflated.byteLength);
  return appendTo(span.bulk, [bytes]).then(kept => ({ ...found, deflated: kept }));
}
