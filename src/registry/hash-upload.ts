/** Hashing an upload's files: where it is in memory on the main thread, which gives way, and where it is on the disk on threads of their own. */
import { giveWay } from '../give-way.ts';
import { appendTo, type Bulk, readSlice, type Slice, sliceOf, subslice } from '../spool/slice.ts';
import { InvalidZip } from '../zip/errors.ts';
import { type CompressedFile, isHeld } from '../zip/inflate-entry.ts';
import { type FileHashes, hashFile } from './hash-file.ts';
import { type BatchedHashes, type HashThreads, startHashThreads } from './hash-threads.ts';

export interface HashedFile<File extends CompressedFile> {
  readonly file: File;
  /** Or what is wrong with the file, so that it can't be inflated. */
  readonly hashes: FileHashes | InvalidZip;
}

export interface FilesToHash<File extends CompressedFile> {
  /** Of one archive. */
  readonly files: readonly File[];
  /** Whether the content is to come with the hashes. */
  readonly isContentWanted: (file: File) => boolean;
  readonly signal: AbortSignal;
}

export interface Hasher extends AsyncDisposable {
  /**
   * Hashes files in their order. Who iterates is done with one before asking for the next, since either may write behind the
   * archive. Throws SpoolFault.
   */
  hash<File extends CompressedFile>(files: FilesToHash<File>): AsyncGenerator<HashedFile<File>, void>;
}

/** One archive has threads at a time. One that comes meanwhile is hashed without: slower, but it need not wait. */
let areThreadsTaken = false;

/** Gets ready to hash the files of an archive: threads need some time to start. */
export function startHasher(archive: Bulk): Hasher {
  if (Buffer.isBuffer(archive) || areThreadsTaken) return { hash: hashHere, async [Symbol.asyncDispose]() {} };
  const threads = startHashThreads(2);
  areThreadsTaken = true;
  return {
    hash: files => hashOn(threads, files),
    async [Symbol.asyncDispose]() {
      areThreadsTaken = false;
      await threads[Symbol.asyncDispose]();
    },
  };
}

async function* hashHere<File extends CompressedFile>({
  files,
  isContentWanted,
  signal,
}: FilesToHash<File>): AsyncGenerator<HashedFile<File>, void> {
  for (const file of files) {
    signal.throwIfAborted();
    const hashes = await hashFile(file, isContentWanted(file)).catch((error: unknown) => {
      if (error instanceof InvalidZip) return error;
      throw error;
    });
    yield { file, hashes };
  }
}

/** So many batches are under way at once that no thread is idle while an answer is looked at. */
const maxUnderWay = 4;

async function* hashOn<File extends CompressedFile>(
  threads: HashThreads,
  { files, isContentWanted, signal }: FilesToHash<File>,
): AsyncGenerator<HashedFile<File>, void> {
  const underWay: Promise<HashedFile<File>[]>[] = [];
  async function* finish(rest: number) {
    while (underWay.length > rest) {
      for (const hashed of (await underWay.shift()) ?? []) {
        await giveWay();
        yield await keep(hashed);
      }
    }
  }
  for (const batch of batchesOf(files)) {
    signal.throwIfAborted();
    if (!batch.files.every(isHeld)) {
      yield* finish(0);
      yield* hashHere({ files: batch.files, isContentWanted, signal });
      continue;
    }
    const hashing = hashBatch(batch, threads, isContentWanted);
    // Nobody may come to wait for it.
    hashing.catch(() => {});
    underWay.push(hashing);
    yield* finish(maxUnderWay - 1);
  }
  yield* finish(0);
}

/** A deflate stream that a thread made goes behind the archive, as one that is made here. */
async function keep<File extends CompressedFile>({ file, hashes }: HashedFile<File>): Promise<HashedFile<File>> {
  const { bulk } = file.data;
  if (hashes instanceof InvalidZip || hashes.deflated.bulk === bulk) return { file, hashes };
  const deflated = await appendTo(bulk, [await readSlice(hashes.deflated)]);
  return { file, hashes: { ...hashes, deflated } };
}

/** Bytes of an archive that are sent at once. */
const batchBytes = 1024 * 1024;

/** Files that are neighbours in the archive, and the bytes that they lie in. */
interface Neighbours<File extends CompressedFile> {
  readonly files: readonly File[];
  readonly span: Slice;
}

function* batchesOf<File extends CompressedFile>(files: readonly File[]): Generator<Neighbours<File>, void> {
  let batch: File[] = [];
  let span: Slice | undefined;
  for (const file of files) {
    const { start, end } = file.data;
    if (span && (start < span.end || end - span.start > batchBytes)) {
      yield { files: batch, span };
      batch = [];
      span = undefined;
    }
    batch.push(file);
    span = { ...file.data, start: span?.start ?? start };
  }
  if (span) yield { files: batch, span };
}

async function hashBatch<File extends CompressedFile>(
  { files, span }: Neighbours<File>,
  threads: HashThreads,
  isContentWanted: (file: File) => boolean,
): Promise<HashedFile<File>[]> {
  // A copy, since it is lost here once it is sent.
  const bytes = new Uint8Array(await readSlice(span));
  const batched = files.map(file => ({
    name: file.name,
    method: file.method,
    bytes: file.bytes,
    crc32: file.crc32,
    data: { start: file.data.start - span.start, end: file.data.end - span.start },
    isContentWanted: isContentWanted(file),
  }));
  const hashes = await threads.hash({ bytes, files: batched });
  return files.map((file, i) => ({ file, hashes: fromThread(hashes[i], span) }));
}

/** As hashFile gives them: from a thread come plain bytes, and ranges of those that were sent. */
function fromThread(found: BatchedHashes | undefined, span: Slice): FileHashes | InvalidZip {
  if (found === undefined) throw new TypeError('a file was not hashed');
  if (!('id' in found)) return new InvalidZip(found);
  const { id, sha256, adler32, deflated, content } = found;
  return {
    id,
    sha256,
    adler32,
    deflated: 'start' in deflated ? subslice(span, deflated.start, deflated.end) : sliceOf(asBuffer(deflated)),
    content: content && asBuffer(content),
  };
}

const asBuffer = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);
