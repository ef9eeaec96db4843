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
  const hashes: BatchedHashes[] = [];
  for (const file of files) hashes.push(await hashBatched(file, held));
  return hashes;
}

async function hashBatched({ data, isContentWanted, ...file }: BatchedFile, held: Buffer): Promise<BatchedHashes> {
  try {
    const { deflated, content, ...hashes } = await hashFile({ ...file, data: { bulk: held, ...data } });
    const { bulk, start, end } = deflated;
    return {
      ...hashes,
      deflated: Buffer.isBuffer(bulk) && bulk !== held ? bulk : { start, end },
      content: isContentWanted ? content : undefined,
    };
  } catch (error) {
    if (error instanceof InvalidZip) return error.problems;
    throw error;
  }
}

await answerQuestions(role, hashBatch);
