/** A thread that hashes the contents of blobs; this module is also what runs on it. */
import { answerQuestions, startOrderedThread } from '../ordered-thread.ts';
import { type Digested, digestObject } from './deflated-blob.ts';
import type { ObjectId } from './object-id.ts';

/** To the thread: contents one behind the other at the beginning of `bytes`, and how long each is. */
interface Contents {
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

export interface DigestThread {
  /** Resolves to what is known of blobs with these contents, in their order. */
  digest(contents: readonly Buffer[]): Promise<readonly Digested[]>;
}

const sha256Bytes = 32;
/** What comes back is kept, if it is not too large and not too many. */
const maxReturnedBytes = 2 ** 21;
const maxReturned = 5;
const role = 'the contents of blobs';

/** `onEnd` is called when it is of no use any more. */
export function startDigestThread(onEnd: () => void): DigestThread {
  const thread = startOrderedThread<Contents, Answer>(import.meta.url, role, onEnd);
  let returned: Uint8Array<ArrayBuffer>[] = [];
  return {
    async digest(contents) {
      const sizes = contents.map(content => content.byteLength);
      const bytes = concat(contents, returned.pop());
      const answer = await thread.ask({ bytes, sizes }, [bytes.buffer]);
      if (answer.bytes.byteLength <= maxReturnedBytes) returned = [answer.bytes, ...returned].slice(0, maxReturned);
      return digestedOf(answer, sizes);
    },
  };
}

/** The contents one behind the other, in `used` where it has room for them. */
function concat(contents: readonly Buffer[], used: Uint8Array<ArrayBuffer> | undefined): Uint8Array<ArrayBuffer> {
  const size = contents.reduce((sum, content) => sum + content.byteLength, 0);
  const bytes = used !== undefined && used.byteLength >= size ? used : new Uint8Array(size);
  let at = 0;
  for (const content of contents) {
    bytes.set(content, at);
    at += content.byteLength;
  }
  return bytes;
}

const digestedOf = ({ ids, crc32s, sha256s }: Answer, sizes: readonly number[]): Digested[] =>
  ids.map((id, i) => {
    const sha256 = Buffer.from(sha256s.buffer, sha256s.byteOffset + i * sha256Bytes, sha256Bytes);
    return { id, digests: { size: sizes[i] ?? 0, crc32: crc32s[i] ?? 0, sha256 } };
  });

async function answer({ bytes, sizes }: Contents): Promise<Answer> {
  const ids: ObjectId[] = [];
  const crc32s: number[] = [];
  const sha256s = new Uint8Array(sizes.length * sha256Bytes);
  let at = 0;
  for (const size of sizes) {
    const { id, digests } = await digestObject('blob', Buffer.from(bytes.buffer, at, size));
    sha256s.set(digests.sha256, ids.length * sha256Bytes);
    ids.push(id);
    crc32s.push(digests.crc32);
    at += size;
  }
  return { ids, crc32s, sha256s, bytes };
}

await answerQuestions(role, answer, ({ bytes }) => [bytes.buffer]);
