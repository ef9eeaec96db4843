/** Threads that hash files; this module is also what runs on them. */
import type { ObjectId } from '../git/object-id.ts';
import { answerQuestions, type OrderedThread, startOrderedThread } from '../ordered-thread.ts';
import { readSlice, type Slice, sliceOf } from '../spool/slice.ts';
import { InvalidZip, type ZipFault } from '../zip/errors.ts';
import type { CompressedFile } from '../zip/inflate-entry.ts';
import { type FileHashes, type HashedEntry, hashFile } from './hash-file.ts';

/** Files that are neighbours in an archive, each small enough to be held. */
export interface Batch<File extends CompressedFile> {
  readonly files: readonly File[];
  /** The part of the archive that they lie in. */
  readonly span: Slice;
  readonly isContentWanted: (file: File) => boolean;
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

/** Resolves to the hashes of the batch's files, in their order, or what is wrong with them. A deflate stream that is not in the archive is in memory. */
export async function hashOnThread<File extends CompressedFile>(batch: Batch<File>): Promise<HashedEntry<File>[]> {
  // A copy, since it is lost here once it is sent.
  const bytes = new Uint8Array(await readSlice(batch.span));
  const thread = startHashThreads().reduce((a, b) => (b.waiting < a.waiting ? b : a));
  const answer = await thread.ask({ bytes, numbers: numbersOf(batch) }, [bytes.buffer]);
  return batch.files.map((file, i) => ({ file, hashes: readAnswer(answer, i, file.name, batch.span) }));
}

function numbersOf<File extends CompressedFile>({ files, span, isContentWanted }: Batch<File>): Uint32Array {
  const numbers = new Uint32Array(files.length * fileNumbers);
  let at = 0;
  for (const file of files) {
    numbers[at] = file.method;
    numbers[at + 1] = file.bytes;
    numbers[at + 2] = file.crc32;
    numbers[at + 3] = file.data.start - span.start;
    numbers[at + 4] = file.data.end - span.start;
    numbers[at + 5] = Number(isContentWanted(file));
    at += fileNumbers;
  }
  return numbers;
}

function readAnswer(
  { hashes, numbers, others }: Answer,
  i: number,
  name: string,
  { bulk, start }: Slice,
): FileHashes | InvalidZip {
  const other = others.get(i);
  if (other?.faults !== undefined) return new InvalidZip(other.faults.map(fault => ({ ...fault, file: name })));
  const number = (place: number) => numbers[i * hashNumbers + place] ?? 0;
  const at = hashes.byteOffset + i * hashBytes;
  return {
    id: Buffer.from(hashes.buffer, at, idBytes).toString('latin1') as ObjectId,
    sha256: new Uint8Array(hashes.buffer, at + idBytes, sha256Bytes),
    adler32: number(0),
    deflated: other?.deflated
      ? sliceOf(toBuffer(other.deflated))
      : { bulk, start: start + number(1), end: start + number(2) },
    content: other?.content && toBuffer(other.content),
  };
}

const toBuffer = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);

async function answer({ bytes, numbers }: Question): Promise<Answer> {
  const hashing = new BatchHashing(bytes, numbers);
  for (let i = 0; i < hashing.count; i++) {
    const waited = hashing.hash(i);
    if (waited !== undefined) await waited;
  }
  return hashing.answer;
}

/** The work on one question. Its methods wait for nothing that is at hand: V8 optimizes no function that waits. */
class BatchHashing {
  readonly count: number;
  readonly answer: Answer;
  readonly #held: Buffer;
  readonly #numbers: Uint32Array;
  readonly #hashes: Buffer;
  readonly #others = new Map<number, Other>();

  constructor(bytes: Uint8Array<ArrayBuffer>, numbers: Uint32Array) {
    this.count = numbers.length / fileNumbers;
    this.#held = Buffer.from(bytes.buffer);
    this.#numbers = numbers;
    this.#hashes = Buffer.alloc(this.count * hashBytes);
    this.answer = { hashes: this.#hashes, numbers: new Uint32Array(this.count * hashNumbers), others: this.#others };
  }

  /** Hashes the file at this place. */
  hash(i: number): Promise<void> | undefined {
    try {
      const hashes = hashFile(this.#file(i), this.#number(i, 5) === 1);
      if (hashes instanceof Promise)
        return hashes.then(found => this.#tell(i, found)).catch(error => this.#fail(i, error));
      this.#tell(i, hashes);
    } catch (error) {
      this.#fail(i, error);
    }
    return undefined;
  }

  #number(i: number, place: number): number {
    return this.#numbers[i * fileNumbers + place] ?? 0;
  }

  #file(i: number): CompressedFile {
    const data = { bulk: this.#held, start: this.#number(i, 3), end: this.#number(i, 4) };
    return { name: '', method: this.#number(i, 0), bytes: this.#number(i, 1), crc32: this.#number(i, 2), data };
  }

  #tell(i: number, { id, sha256, adler32, deflated, content }: FileHashes): void {
    const { numbers } = this.answer;
    this.#hashes.write(id, i * hashBytes, 'latin1');
    this.#hashes.set(sha256, i * hashBytes + idBytes);
    numbers[i * hashNumbers] = adler32;
    numbers[i * hashNumbers + 1] = deflated.start;
    numbers[i * hashNumbers + 2] = deflated.end;
    const elsewhere = deflated.bulk !== this.#held && Buffer.isBuffer(deflated.bulk) ? deflated.bulk : undefined;
    if (content !== undefined || elsewhere !== undefined) this.#others.set(i, { content, deflated: elsewhere });
  }

  #fail(i: number, error: unknown): void {
    if (!(error instanceof InvalidZip)) throw error;
    this.#others.set(i, { faults: error.problems });
  }
}

await answerQuestions(role, answer);
