/** Threads that hash files; this module is also what runs on them. */
import { answerQuestions, startOrderedThread } from '../ordered-thread.ts';
import { InvalidZip, type ZipFault } from '../zip/errors.ts';
import type { CompressedFile } from '../zip/inflate-entry.ts';
import { type FileHashes, hashFile } from './hash-file.ts';

/** Bytes from `start` up to `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** Files that are neighbours in an archive, and the bytes that they lie in: those go to the thread and are lost to the sender. */
export interface Batch {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly files: readonly BatchedFile[];
}

export interface BatchedFile extends Omit<CompressedFile, 'data'> {
  /** Of the batch's bytes. */
  readonly data: Range;
  readonly isContentWanted: boolean;
}

/** What was learned of a file, its deflate stream as a range of the batch's bytes where it is in them; or what is wrong with it. */
export type BatchedHashes =
  | (Omit<FileHashes, 'deflated'> & { readonly deflated: Range | Uint8Array })
  | readonly ZipFault[];

export interface HashThreads extends AsyncDisposable {
  /** Resolves to the hashes of the batch's files, in their order. */
  hash(batch: Batch): Promise<readonly BatchedHashes[]>;
}

const role = 'the files of uploads';

export function startHashThreads(count: number): HashThreads {
  const threads = Array.from({ length: count }, () =>
    startOrderedThread<Batch, readonly BatchedHashes[]>(import.meta.url, role),
  );
  return {
    hash: batch => threads.reduce((a, b) => (b.waiting < a.waiting ? b : a)).ask(batch, [batch.bytes.buffer]),
    async [Symbol.asyncDispose]() {
      await Promise.all(threads.map(thread => thread.end()));
    },
  };
}

async function hashBatch({ bytes, files }: Batch): Promise<readonly BatchedHashes[]> {
  const held = Buffer.from(bytes.buffer);
  // In one piece, since each one more takes longer to send.
  const sha256s = new Uint8Array(files.length * sha256Bytes);
  const hashes: BatchedHashes[] = [];
  for (const [i, file] of files.entries()) {
    hashes.push(await hashBatched(file, held, sha256s.subarray(i * sha256Bytes, (i + 1) * sha256Bytes)));
  }
  return hashes;
}

async function hashBatched(file: BatchedFile, held: Buffer, sha256: Uint8Array): Promise<BatchedHashes> {
  const { name, method, bytes, crc32, data, isContentWanted } = file;
  try {
    const compressed = { name, method, bytes, crc32, data: { bulk: held, start: data.start, end: data.end } };
    const hashes = await hashFile(compressed, isContentWanted);
    sha256.set(hashes.sha256);
    const { id, adler32, content } = hashes;
    const { bulk, start, end } = hashes.deflated;
    const deflated = Buffer.isBuffer(bulk) && bulk !== held ? bulk : { start, end };
    return { id, sha256, adler32, deflated, content };
  } catch (error) {
    if (error instanceof InvalidZip) return error.problems;
    throw error;
  }
}

const sha256Bytes = 32;

await answerQuestions(role, hashBatch);
