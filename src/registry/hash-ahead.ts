import type { CompressedFile } from '../zip/inflate-entry.ts';
import { localHeaderBytes } from '../zip/zip-records.ts';
import { type HashedPart, hashPartOnThread } from './hash-threads.ts';

/** Bytes of a part, and of what comes behind it: most files that begin in a part are whole in these. */
const partBytes = 256 * 1024;
const overlapBytes = 32 * 1024;

const newPart = () => new Uint8Array(partBytes + overlapBytes);

/** Has threads hash files of a zip while it comes, before its directory is there to say which they are. */
export class HashAhead {
  /** By number; not all of them. */
  readonly #parts = new Map<number, Promise<HashedPart | undefined>>();
  #number = 0;
  #bytes: Uint8Array<ArrayBuffer> | undefined;
  #filled = 0;
  readonly #maxBytes: number;
  readonly #signal: AbortSignal;

  /** No more than so many bytes are looked at, and nothing more is begun when the signal says so. */
  constructor(maxBytes: number, signal: AbortSignal) {
    this.#maxBytes = maxBytes;
    this.#signal = signal;
  }

  /** Takes the zip's next bytes, which stay the caller's. */
  take(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.byteLength && this.#number * partBytes < this.#maxBytes; ) {
      this.#bytes ??= newPart();
      const piece = bytes.subarray(at, at + this.#bytes.byteLength - this.#filled);
      this.#bytes.set(piece, this.#filled);
      this.#filled += piece.byteLength;
      at += piece.byteLength;
      if (this.#filled === this.#bytes.byteLength) this.#endPart(this.#bytes);
    }
  }

  /** The part that the file is in, if threads were given it; it resolves to undefined where they failed. */
  partOf({ name, data }: CompressedFile): Promise<HashedPart | undefined> | undefined {
    // Where its header begins, unless that has more than a plain name.
    const number = Math.floor((data.start - localHeaderBytes - name.length) / partBytes);
    return data.end <= (number + 1) * partBytes + overlapBytes ? this.#parts.get(number) : undefined;
  }

  #endPart(bytes: Uint8Array<ArrayBuffer>): void {
    this.#bytes = newPart();
    this.#bytes.set(bytes.subarray(partBytes));
    this.#filled = overlapBytes;
    const hashing = hashPartOnThread(
      bytes,
      { start: this.#number * partBytes, headersBefore: partBytes },
      this.#signal,
    );
    // What a thread could not do is done once more, and fails then.
    const orNothing = hashing?.catch(() => undefined);
    if (orNothing !== undefined) this.#parts.set(this.#number, orNothing);
    this.#number += 1;
  }
}
