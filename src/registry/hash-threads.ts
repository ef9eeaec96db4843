/** Threads that hash files; this module is also what runs on them. */
import type { ObjectId } from '../git/object-id.ts';
import { answerQuestions, type OrderedThread, startOrderedThread } from '../ordered-thread.ts';
import { readSlice, type Slice, sliceOf } from '../spool/slice.ts';
import { InvalidZip, type ZipFault } from '../zip/errors.ts';
import { findFiles } from '../zip/find-files.ts';
import type { CompressedFile } from '../zip/inflate-entry.ts';
import { type FileHashes, type HashedEntry, hashFile } from './hash-file.ts';
import { Limiter } from './limiter.ts';

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
  /** For each file `fileNumbers`; else it is to find files itself, whose headers begin before `headersBefore`. */
  readonly numbers?: Uint32Array;
  readonly headersBefore?: number;
}

/** Method, declared bytes and checksum, where its data begins and ends, and whether its content is wanted. */
const fileNumbers = 6;

/** From the thread; for each file its id in hexadecimal and its SHA-256, and `hashNumbers`. */
interface Answer {
  readonly hashes: Uint8Array;
  readonly numbers: Uint32Array;
  /** As in the question, or of what was found. */
  readonly files: Uint32Array;
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

/** So many batches of all uploads are on threads, which have a copy of each: enough that none is idle while an answer is looked at. */
const batchesOnThreads = new Limiter(8);

/** And so many parts: one that is hashed and one that comes next. More of them would wait for one thread while the other has nothing to do. */
const partsOnThreads = new Limiter(2 * threads.length);

const ask = (question: Question): Promise<Answer> =>
  startHashThreads()
    .reduce((a, b) => (b.waiting < a.waiting ? b : a))
    .ask(question, [question.bytes.buffer]);

/** Resolves to the hashes of the batch's files, in their order, or what is wrong with them. A deflate stream that is not in the archive is in memory. */
export function hashOnThread<File extends CompressedFile>(
  batch: Batch<File>,
  signal: AbortSignal,
): Promise<HashedEntry<File>[]> {
  return batchesOnThreads.run(async () => {
    // A copy, since it is lost here once it is sent.
    const bytes = new Uint8Array(await readSlice(batch.span));
    const answer = await ask({ bytes, numbers: numbersOf(batch) });
    return batch.files.map((file, i) => ({ file, hashes: readAnswer(answer, i, file.name, batch.span) }));
  }, signal);
}

/** Parts of zips that are with threads or wait for them, of all uploads: more are hashed later, as what they are. */
const maxWaitingParts = 16;
let waitingParts = 0;

/** Of a part of a zip: bytes of contents that are inflated, and files, since what is known of them is kept until the directory is there. */
const maxContentBytesAhead = 4 * 1024 * 1024;
const maxFilesAhead = 1_000;

/**
 * Resolves to the hashes of the files that a part of a zip seems to have; `bytes` are lost to the caller. Undefined where the threads have enough
 * to do.
 */
export function hashPartOnThread(
  bytes: Uint8Array<ArrayBuffer>,
  { start, headersBefore }: { start: number; headersBefore: number },
  signal: AbortSignal,
): Promise<HashedPart> | undefined {
  if (waitingParts >= maxWaitingParts) return undefined;
  waitingParts += 1;
  return partsOnThreads
    .run(async () => new HashedPart(await ask({ bytes, headersBefore }), start), signal)
    .finally(() => {
      waitingParts -= 1;
    });
}

/** What may be files in a part of a zip that begins at `start`, hashed. */
export class HashedPart {
  readonly #answer: Answer;
  readonly #start: number;
  /** By where their data begin. */
  readonly #places = new Map<number, number>();

  constructor(answer: Answer, start: number) {
    this.#answer = answer;
    this.#start = start;
    for (let i = 0; i * fileNumbers < answer.files.length; i++) {
      this.#places.set(start + (answer.files[i * fileNumbers + 3] ?? 0), i);
    }
  }

  /** The hashes of a file that the directory has, if it says of it what was found; as if hashOnThread had been given it. */
  hashesOf({ name, method, bytes, crc32, data }: CompressedFile): FileHashes | undefined {
    const i = this.#places.get(data.start);
    if (i === undefined) return undefined;
    const { files } = this.#answer;
    const at = i * fileNumbers;
    if (method !== files[at] || bytes !== files[at + 1] || crc32 !== files[at + 2]) return undefined;
    const hashes = readAnswer(this.#answer, i, name, { ...data, start: this.#start });
    return hashes instanceof InvalidZip || hashes.deflated.end > data.end ? undefined : hashes;
  }
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

async function answer({ bytes, numbers, headersBefore = 0 }: Question): Promise<Answer> {
  const hashing = new BatchHashing(bytes, numbers ?? findNumbers(bytes, headersBefore));
  for (let i = 0; i < hashing.count; i++) {
    const waited = hashing.hash(i);
    if (waited !== undefined) await waited;
  }
  if (numbers === undefined) hashing.forgetFaults();
  return hashing.answer;
}

function findNumbers(bytes: Uint8Array<ArrayBuffer>, headersBefore: number): Uint32Array {
  const bulk = Buffer.from(bytes.buffer);
  const limits = { maxContentBytes: maxContentBytesAhead, maxFiles: maxFilesAhead };
  const files = findFiles({ bytes: bulk, headersBefore, ...limits });
  return numbersOf({ files, span: sliceOf(bulk), isContentWanted: () => false });
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
    this.answer = {
      hashes: this.#hashes,
      numbers: new Uint32Array(this.count * hashNumbers),
      files: numbers,
      others: this.#others,
    };
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

  /** That there are some is enough to know of what may be no files. */
  forgetFaults(): void {
    for (const [i, { faults }] of this.#others) if (faults !== undefined) this.#others.set(i, { faults: [] });
  }

  #fail(i: number, error: unknown): void {
    if (!(error instanceof InvalidZip)) throw error;
    this.#others.set(i, { faults: error.problems });
  }
}

await answerQuestions(role, answer);
