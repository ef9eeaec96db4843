/** Threads that hash files; this module is also what runs on them. */
import type { ObjectId } from '../git/object-id.ts';
import { answerQuestions, type OrderedThread, startOrderedThread } from '../ordered-thread.ts';
import type { Slice } from '../spool/slice.ts';
import { InvalidZip, type ZipFault } from '../zip/errors.ts';
import type { CompressedFile } from '../zip/inflate-entry.ts';
import { type FileHashes, hashFile } from './hash-file.ts';

/** Files that are neighbours in an archive, and the bytes that they lie in: those go to the thread and are lost to the sender. */
export interface Batch {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly files: readonly BatchedFile[];
}

export interface BatchedFile {
  readonly file: CompressedFile;
  /** Where its data begins in the batch's bytes. */
  readonly start: number;
  readonly isContentWanted: boolean;
}

/** What was learned of a file, its deflate stream as a range of the batch's bytes unless it is not in them; or what is wrong with it. */
export type BatchedHashes =
  | (Omit<FileHashes, 'deflated'> & { readonly deflated: Range | Uint8Array })
  | readonly ZipFault[];

/** Bytes from `start` up to `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** To the thread. What is said of each file is numbers in a row: objects take longer to send than files take to hash. */
interface Question {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** For each file `fileNumbers`. */
  readonly numbers: Uint32Array;
}

/** Method, declared bytes and checksum, where its data begins and ends, and whether its content is wanted. */
const fileNumbers = 6;

/** From the thread; for each file its id in hexadecimal and its SHA-256, and `hashNumbers`. */
interface Answer {
  readonly hashes: Uint8Array;
  readonly numbers: Uint32Array;
  /** By the file's place in the batch. */
  readonly others: ReadonlyMap<number, Other>;
}

const idBytes = 40;
const sha256Bytes = 32;
const hashBytes = idBytes + sha256Bytes;
/** Its Adler-32, and where its deflate stream begins and ends. */
const hashNumbers = 3;

/** What most files don't have. */
interface Other {
  readonly faults?: readonly ZipFault[];
  readonly content?: Uint8Array | undefined;
  /** A deflate stream that is not in the archive. */
  readonly deflated?: Uint8Array | undefined;
}

const role = 'the files of uploads';

/** All uploads share the threads, which stay: to start one takes as long as to hash some megabytes. */
const threads: (OrderedThread<Question, Answer> | undefined)[] = [undefined, undefined];

/** The threads; those that do not run yet, or no longer, are started. */
export function startHashThreads(): OrderedThread<Question, Answer>[] {
  return threads.map((running, i) => {
    const thread =
      running ??
      startOrderedThread<Question, Answer>(import.meta.url, role, () => {
        threads[i] = undefined;
      });
    threads[i] = thread;
    return thread;
  });
}

/** Resolves to the hashes of the batch's files, in their order. */
export async function hashOnThread({ bytes, files }: Batch): Promise<readonly BatchedHashes[]> {
  const numbers = new Uint32Array(files.length * fileNumbers);
  for (const [i, { file, start, isContentWanted }] of files.entries()) {
    const end = start + file.data.end - file.data.start;
    numbers.set([file.method, file.bytes, file.crc32, start, end, Number(isContentWanted)], i * fileNumbers);
  }
  const thread = startHashThreads().reduce((a, b) => (b.waiting < a.waiting ? b : a));
  const answer = await thread.ask({ bytes, numbers }, [bytes.buffer]);
  return files.map(({ file }, i) => readAnswer(answer, i, file));
}

function readAnswer({ hashes, numbers, others }: Answer, i: number, file: CompressedFile): BatchedHashes {
  const { faults, content, deflated } = others.get(i) ?? {};
  if (faults !== undefined) return faults.map(fault => ({ ...fault, file: file.name }));
  const at = hashes.byteOffset + i * hashBytes;
  const [adler32 = 0, start = 0, end = 0] = numbers.subarray(i * hashNumbers, (i + 1) * hashNumbers);
  return {
    id: Buffer.from(hashes.buffer, at, idBytes).toString('latin1') as ObjectId,
    sha256: new Uint8Array(hashes.buffer, at + idBytes, sha256Bytes),
    adler32,
    deflated: deflated ?? { start, end },
    content: content && Buffer.from(content.buffer, content.byteOffset, content.byteLength),
  };
}

async function answer({ bytes, numbers }: Question): Promise<Answer> {
  const held = Buffer.from(bytes.buffer);
  const count = numbers.length / fileNumbers;
  const hashes = Buffer.alloc(count * hashBytes);
  const found = new Uint32Array(count * hashNumbers);
  const others = new Map<number, Other>();
  for (let i = 0; i < count; i++) {
    const [method = 0, declared = 0, crc32 = 0, start = 0, end = 0, isContentWanted = 0] = numbers.subarray(
      i * fileNumbers,
      (i + 1) * fileNumbers,
    );
    const data: Slice = { bulk: held, start, end };
    try {
      const file = { name: '', method, bytes: declared, crc32, data };
      const { id, sha256, adler32, deflated, content } = await hashFile(file, isContentWanted === 1);
      hashes.write(id, i * hashBytes, 'latin1');
      hashes.set(sha256, i * hashBytes + idBytes);
      found.set([adler32, deflated.start, deflated.end], i * hashNumbers);
      const elsewhere = deflated.bulk !== held && Buffer.isBuffer(deflated.bulk) ? deflated.bulk : undefined;
      if (content !== undefined || elsewhere !== undefined) others.set(i, { content, deflated: elsewhere });
    } catch (error) {
      if (!(error instanceof InvalidZip)) throw error;
      others.set(i, { faults: error.problems });
    }
  }
  return { hashes, numbers: found, others };
}

await answerQuestions(role, answer);
