/** Hashing an upload's files: small uploads on the main thread, which gives way, all others on threads of their own. */
import { giveWay } from '../give-way.ts';
import { appendTo, type Bulk, readSlice, type Slice, sliceOf, subslice } from '../spool/slice.ts';
import { InvalidZip } from '../zip/errors.ts';
import { type CompressedFile, isHeld } from '../zip/inflate-entry.ts';
import { type FileHashes, hashFile } from './hash-file.ts';
import { type BatchedHashes, hashOnThread } from './hash-threads.ts';

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
const minBytesForThreads = 512 * 1024;

/**
 * Hashes files in their order. Who iterates is done with one before asking for the next, since either may write behind the archive.
 * Throws SpoolFault.
 */
export const hashUpload = <File extends CompressedFile>(
  files: FilesToHash<File>,
): AsyncGenerator<HashedFile<File>, void> =>
  files.archive.byteLength < minBytesForThreads ? hashHere(files) : hashOnThreads(files);

async function* hashHere<File extends CompressedFile>({
  files,
  isContentWanted,
  signal,
}: Omit<FilesToHash<File>, 'archive'>): AsyncGenerator<HashedFile<File>, void> {
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
const maxUnderWay = 6;

async function* hashOnThreads<File extends CompressedFile>({
  files,
  isContentWanted,
  signal,
}: FilesToHash<File>): AsyncGenerator<HashedFile<File>, void> {
  const underWay: Promise<HashedFile<File>[]>[] = [];
  async function* finish(rest: number) {
    while (underWay.length > rest) {
      for (const hashed of (await underWay.shift()) ?? []) {
        const turn = giveWay();
        if (turn !== undefined) await turn;
        yield isInArchive(hashed) ? hashed : await keep(hashed);
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
    const hashing = hashBatch(batch, isContentWanted);
    // Nobody may come to wait for it.
    hashing.catch(() => {});
    underWay.push(hashing);
    yield* finish(maxUnderWay - 1);
  }
  yield* finish(0);
}

const isInArchive = ({ file, hashes }: HashedFile<CompressedFile>): boolean =>
  hashes instanceof InvalidZip || hashes.deflated.bulk === file.data.bulk;

/** A deflate stream that a thread made goes behind the archive, as one that is made here. */
async function keep<File extends CompressedFile>({ file, hashes }: HashedFile<File>): Promise<HashedFile<File>> {
  if (hashes instanceof InvalidZip) return { file, hashes };
  const deflated = await appendTo(file.data.bulk, [await readSlice(hashes.deflated)]);
  return { file, hashes: { ...hashes, deflated } };
}

/** Bytes of an archive that are sent at once. */
const batchBytes = 256 * 1024;

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
  isContentWanted: (file: File) => boolean,
): Promise<HashedFile<File>[]> {
  // A copy, since it is lost here once it is sent.
  const bytes = new Uint8Array(await readSlice(span));
  const hashes = await hashOnThread({
    bytes,
    files: files.map(file => ({
      file,
      start: file.data.start - span.start,
      isContentWanted: isContentWanted(file),
    })),
  });
  return files.map((file, i) => ({ file, hashes: inSpan(hashes[i], span) }));
}

/** As hashFile gives them: a thread knows only the bytes that were sent. */
function inSpan(found: BatchedHashes | undefined, span: Slice): FileHashes | InvalidZip {
  if (found === undefined) throw new TypeError('a file was not hashed');
  if (!('id' in found)) return new InvalidZip(found);
  const { deflated } = found;
  return {
    ...found,
    deflated:
      'start' in deflated
        ? subslice(span, deflated.start, deflated.end)
        : sliceOf(Buffer.from(deflated.buffer, deflated.byteOffset, deflated.byteLength)),
  };
}
