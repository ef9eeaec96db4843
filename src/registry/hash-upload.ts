/** Hashing an upload's files: those of small uploads, and what is too large to be held, on the main thread, which gives way; all others on threads, some of them ahead. */
import { giveWay } from '../give-way.ts';
import { appendTo, type Bulk, readSlice, type Slice } from '../spool/slice.ts';
import type { Spool } from '../spool/spool.ts';
import { InvalidZip } from '../zip/errors.ts';
import { type CompressedFile, isHeld } from '../zip/inflate-entry.ts';
import type { HashAhead } from './hash-ahead.ts';
import { type HashedEntry, hashFile } from './hash-file.ts';
import { type HashedPart, hashOnThread } from './hash-threads.ts';

export interface UploadToHash<File extends CompressedFile> {
  readonly archive: Bulk;
  /** What threads did while the archive came. */
  readonly ahead: HashAhead | undefined;
  /** Whether the content is to come with the hashes. */
  readonly isContentWanted: (file: File) => boolean;
  readonly signal: AbortSignal;
}

/** Bytes of an archive. Below, handing the work to other threads takes longer than the work. */
export const minBytesForThreads = 512 * 1024;

/** So many batches of an upload are begun before the first is asked for, of so many bytes of contents. */
const maxUnderWay = 12;
const maxContentBytesUnderWay = 24 * 1024 * 1024;

export interface Hashing<File extends CompressedFile> extends AsyncDisposable {
  /** Takes a file of the archive; threads begin as soon as there are some. */
  add(file: File): void;
  /**
   * The files when all were added: in their order, but for those that were hashed ahead, which come first. Who iterates is done with one batch before
   * asking for the next, since either may write behind the archive. Throws SpoolFault.
   */
  finish(): AsyncIterable<readonly HashedEntry<File>[]>;
}

/** Hashes files; disposing waits for what is under way, so that who is refused early does not leave work behind. */
export function hashUpload<File extends CompressedFile>(upload: UploadToHash<File>): Hashing<File> {
  const { archive, ahead, isContentWanted, signal } = upload;
  /** Files by the parts that they were hashed with, unless what was found there was not them. */
  const hashedAhead = new Map<Promise<HashedPart | undefined>, File[]>();
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
  const end = () => {
    batcher.end();
    begin();
  };
  return {
    add(file) {
      const part = isContentWanted(file) ? undefined : ahead?.partOf(file);
      if (part === undefined) {
        batcher.add(file);
        begin();
        return;
      }
      const files = hashedAhead.get(part);
      if (files === undefined) hashedAhead.set(part, [file]);
      else files.push(file);
    },
    async *finish() {
      end();
      for await (const [part, files] of asTheyCome(hashedAhead)) {
        signal.throwIfAborted();
        const hashed: HashedEntry<File>[] = [];
        for (const file of files) {
          const turn = giveWay();
          if (turn !== undefined) await turn;
          const hashes = part?.hashesOf(file);
          if (hashes === undefined) batcher.add(file);
          else hashed.push({ file, hashes });
        }
        yield hashed;
      }
      end();
      for (let next = underWay.shift(); next !== undefined; next = underWay.shift()) {
        signal.throwIfAborted();
        const hashed = await next.finish();
        contentBytesUnderWay -= next.batch.contentBytes;
        begin();
        yield hashed;
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.allSettled([...hashedAhead.keys(), ...underWay.map(({ hashing }) => hashing)]);
    },
  };
}

/** What the keys, none of which rejects, resolve to, with their values, in the order in which they do. */
async function* asTheyCome<Key, Value>(all: ReadonlyMap<Promise<Key>, Value>): AsyncGenerator<[Key, Value], void> {
  const come: [Key, Value][] = [];
  let wake = () => {};
  for (const [key, value] of all) {
    key.then(resolved => {
      come.push([resolved, value]);
      wake();
    });
  }
  for (let waiting = all.size; waiting > 0; ) {
    if (come.length === 0) {
      await new Promise<void>(resolve => {
        wake = resolve;
      });
    }
    for (const one of come.splice(0)) {
      waiting -= 1;
      yield one;
    }
  }
}

interface BegunBatch<File extends CompressedFile> {
  readonly batch: Neighbours<File>;
  /** What a thread does for it, if one does. */
  readonly hashing?: Promise<unknown>;
  /** To be called when it is the batch's turn. */
  finish(): Promise<readonly HashedEntry<File>[]>;
}

async function hashHere<File extends CompressedFile>(
  files: readonly File[],
  { isContentWanted, signal }: UploadToHash<File>,
): Promise<HashedEntry<File>[]> {
  const hashed: HashedEntry<File>[] = [];
  for (const file of files) {
    await giveWay();
    signal.throwIfAborted();
    try {
      hashed.push({ file, hashes: await hashFile(file, isContentWanted(file)) });
    } catch (error) {
      if (!(error instanceof InvalidZip)) throw error;
      hashed.push({ file, hashes: error });
    }
  }
  return hashed;
}

function beginOnThread<File extends CompressedFile>(
  batch: Neighbours<File>,
  { isContentWanted, signal }: UploadToHash<File>,
): BegunBatch<File> {
  const { files, span } = batch;
  const hashing = hashOnThread({ files, span, isContentWanted }, signal);
  // Nobody may come to wait for it.
  hashing.catch(() => {});
  const finish = async () => {
    const hashed = await hashing;
    return Buffer.isBuffer(span.bulk) ? hashed : await keepBehind(span.bulk, hashed);
  };
  return { batch, hashing, finish };
}

/** What threads deflated goes where the archive is. */
async function keepBehind<File extends CompressedFile>(
  archive: Spool,
  hashed: readonly HashedEntry<File>[],
): Promise<HashedEntry<File>[]> {
  const kept: HashedEntry<File>[] = [];
  for (const each of hashed) {
    const { file, hashes } = each;
    if (hashes instanceof InvalidZip || hashes.deflated.bulk === archive) {
      kept.push(each);
      continue;
    }
    const deflated = await appendTo(archive, [await readSlice(hashes.deflated)]);
    kept.push({ file, hashes: { ...hashes, deflated } });
  }
  return kept;
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
