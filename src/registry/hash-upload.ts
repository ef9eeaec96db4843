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

export interface FilesToHash<File extends CompressedFile> {
  readonly archive: Bulk;
  /** Of the archive. */
  readonly files: readonly File[];
  /** Whether the content is to come with the hashes. */
  readonly isContentWanted: (file: File) => boolean;
  readonly signal: AbortSignal;
}

/** Bytes of an archive. Below, handing the work to other threads takes longer than the work. */
export const minBytesForThreads = 512 * 1024;

/** So many batches of an upload are under way at once that no thread is idle while an answer is looked at. */
const maxUnderWay = 6;

/** And so many of all uploads: threads have a copy of each. */
const batchesOnThreads = new Limiter(maxUnderWay + 2);

export interface Hashing<File extends CompressedFile> extends AsyncDisposable {
  /**
   * The files in their order. Who iterates is done with one batch before asking for the next, since either may write behind the archive.
   * Throws SpoolFault.
   */
  readonly batches: AsyncIterable<readonly HashedFile<File>[]>;
}

/** Hashes files; threads begin at once. Disposing waits for what is under way, so that who is refused early does not leave work behind. */
export function hashUpload<File extends CompressedFile>(upload: FilesToHash<File>): Hashing<File> {
  const { archive, files, signal } = upload;
  const batches = batchesOf(files);
  const underWay: BegunBatch<File>[] = [];
  const begin = () => {
    const { value: batch } = batches.next();
    if (batch === undefined) return;
    const isForThreads = archive.byteLength >= minBytesForThreads && batch.files.every(isHeld);
    underWay.push(isForThreads ? beginOnThread(batch, upload) : { finish: () => hashHere(batch.files, upload) });
  };
  for (let i = 0; i < maxUnderWay; i++) begin();
  async function* finish() {
    for (let next = underWay.shift(); next !== undefined; next = underWay.shift()) {
      signal.throwIfAborted();
      const hashed = await next.finish();
      begin();
      yield hashed;
    }
  }
  return {
    batches: finish(),
    async [Symbol.asyncDispose]() {
      await Promise.allSettled(underWay.map(({ hashing }) => hashing));
    },
  };
}

interface BegunBatch<File extends CompressedFile> {
  /** What a thread does for it, if one does. */
  readonly hashing?: Promise<unknown>;
  /** To be called when it is the batch's turn. */
  finish(): Promise<HashedFile<File>[]>;
}

async function hashHere<File extends CompressedFile>(
  files: readonly File[],
  { isContentWanted, signal }: FilesToHash<File>,
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
  { files, span }: Neighbours<File>,
  { isContentWanted, signal }: FilesToHash<File>,
): BegunBatch<File> {
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
  return { hashing, finish };
}

/** Bytes of an archive that are sent at once, and of the contents in them; one file may have more. */
const batchBytes = 256 * 1024;
const batchContentBytes = 4 * 1024 * 1024;

/** Files that are neighbours in the archive, and the bytes that they lie in. */
interface Neighbours<File extends CompressedFile> {
  readonly files: readonly File[];
  readonly span: Slice;
}

function* batchesOf<File extends CompressedFile>(files: readonly File[]): Generator<Neighbours<File>, void> {
  let batch: File[] = [];
  let span: Slice | undefined;
  let contentBytes = 0;
  for (const file of files) {
    const { start, end } = file.data;
    contentBytes += file.bytes;
    if (span && (start < span.end || end - span.start > batchBytes || contentBytes > batchContentBytes)) {
      yield { files: batch, span };
      batch = [];
      span = undefined;
      contentBytes = file.bytes;
    }
    batch.push(file);
    span = { ...file.data, start: span?.start ?? start };
  }
  if (span) yield { files: batch, span };
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
