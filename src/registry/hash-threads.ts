/** Threads that hash files; this module is also what runs on them. */
import { on } from 'node:events';
import { parentPort, Worker, workerData } from 'node:worker_threads';
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

const role = 'modforge: uploads';

export function startHashThreads(count: number): HashThreads {
  const threads = Array.from({ length: count }, startThread);
  return {
    hash: batch => threads.reduce((a, b) => (b.answers.length < a.answers.length ? b : a)).hash(batch),
    async [Symbol.asyncDispose]() {
      await Promise.all(threads.map(({ worker }) => worker.terminate()));
    },
  };
}

type Answer = readonly BatchedHashes[];

function startThread() {
  const worker = new Worker(new URL(import.meta.url), { workerData: role });
  const failed = new Promise<never>((_, reject) => {
    worker.once('error', reject).once('exit', () => reject(new Error('a thread that hashes has ended')));
  });
  failed.catch(() => {});
  /** Of those who wait; it answers in the order in which it is asked. */
  const answers: ((answer: Answer) => void)[] = [];
  worker.on('message', (answer: Answer) => answers.shift()?.(answer));
  const hash = (batch: Batch): Promise<Answer> => {
    const answer = new Promise<Answer>(resolve => answers.push(resolve));
    worker.postMessage(batch, [batch.bytes.buffer]);
    return Promise.race([answer, failed]);
  };
  return { worker, answers, hash };
}

if (parentPort && workerData === role) {
  // One after the other, so that the answers keep the order.
  for await (const [{ bytes, files }] of on(parentPort, 'message') as AsyncIterable<[Batch]>) {
    const held = Buffer.from(bytes.buffer);
    const hashes: BatchedHashes[] = [];
    for (const file of files) hashes.push(await hashBatched(file, held));
    parentPort.postMessage(hashes);
  }
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
