/** A thread that hashes the contents of blobs; this module is also what runs on it. */
import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { answerQuestions, startOrderedThread } from '../ordered-thread.ts';
import type { Digested } from './deflated-blob.ts';
import { type ObjectId, objectHeader } from './object-id.ts';

/** To the thread: contents one behind the other at the beginning of `bytes`, each behind what git hashes before it, and how long each is. */
interface Question {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly sizes: readonly number[];
}

/** From the thread, in the order in which it was asked; the SHA-256s one behind the other. */
interface Answer {
  readonly ids: readonly ObjectId[];
  readonly crc32s: readonly number[];
  readonly sha256s: Uint8Array;
  /** As they came, to be filled again. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Contents that are collected for the thread: copies, one behind the other. */
export class ContentBatch {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly sizes: number[] = [];
  readonly #held: Buffer;
  #filled = 0;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.bytes = bytes;
    this.#held = Buffer.from(bytes.buffer);
  }

  hasRoomFor(content: Uint8Array): boolean {
    const bytes = maxHeaderBytes + content.byteLength;
    return this.sizes.length < maxBatchSize && this.#filled + bytes <= this.bytes.byteLength;
  }

  add(content: Uint8Array): void {
    const size = content.byteLength;
    this.#filled += this.#held.write(objectHeader('blob', size), this.#filled, 'latin1');
    this.bytes.set(content, this.#filled);
    this.#filled += size;
    this.sizes.push(size);
  }
}

export interface DigestThread {
  newBatch(): ContentBatch;
  /** Resolves to what is known of blobs with these contents, in their order; the batch is gone then. */
  digest(batch: ContentBatch): Promise<readonly Digested[]>;
}

/** `blob`, a space, a size of a batch at most, and a zero. */
const maxHeaderBytes = 16;
/** Bytes of a batch: as large as the largest content that is not hashed where it is, and what is before that. */
const batchBytes = 2 ** 20 + maxHeaderBytes;
/** Small contents take their time, too. */
const maxBatchSize = 500;
const sha256Bytes = 32;
/** Batches that came back and are kept: as many as are under way for one pack. */
const maxReturned = 5;
const role = 'the contents of blobs';

/** `onEnd` is called when it is of no use any more. */
export function startDigestThread(onEnd: () => void): DigestThread {
  const thread = startOrderedThread<Question, Answer>(import.meta.url, role, onEnd);
  const returned: Uint8Array<ArrayBuffer>[] = [];
  return {
    newBatch: () => new ContentBatch(returned.pop() ?? new Uint8Array(batchBytes)),
    async digest({ bytes, sizes }) {
      const answer = await thread.ask({ bytes, sizes }, [bytes.buffer]);
      if (returned.length < maxReturned) returned.push(answer.bytes);
      return digestedOf(answer, sizes);
    },
  };
}

const digestedOf = ({ ids, crc32s, sha256s }: Answer, sizes: readonly number[]): Digested[] =>
  ids.map((id, i) => {
    const sha256 = Buffer.from(sha256s.buffer, sha256s.byteOffset + i * sha256Bytes, sha256Bytes);
    return { id, digests: { size: sizes[i] ?? 0, crc32: crc32s[i] ?? 0, sha256 } };
  });

async function answer({ bytes, sizes }: Question): Promise<Answer> {
  const ids: ObjectId[] = [];
  const crc32s: number[] = [];
  const sha256s = new Uint8Array(sizes.length * sha256Bytes);
  let at = 0;
  for (const size of sizes) {
    // As digestObject does it, but for the copy behind a header: it is there already.
    const headerBytes = objectHeader('blob', size).length;
    const object = Buffer.from(bytes.buffer, at, headerBytes + size);
    const content = object.subarray(headerBytes);
    sha256s.set(hash('sha256', content, 'buffer'), ids.length * sha256Bytes);
    ids.push(hash('sha1', object) as ObjectId);
    crc32s.push(crc32(content));
    at += headerBytes + size;
  }
  return { ids, crc32s, sha256s, bytes };
}

await answerQuestions(role, answer, ({ bytes }) => [bytes.buffer]);
