import { createHash } from 'node:crypto';
import { CorruptPack } from './errors.ts';

/** Bytes. Small packs need little, and in large ones what is read anew at the end of a piece counts for nothing. */
const minPieceBytes = 64 * 1024;
const maxPieceBytes = 4 * 2 ** 20;

/**
 * A pack on its way in. It is kept in large pieces, which slices of it hold on to, and what is not taken yet always lies in one of them: that much is
 * copied when a piece is full. So nothing is held twice, and others can send while we read.
 */
export class PackInput implements AsyncDisposable {
  /** What is there and not taken yet. */
  bytes: Buffer = Buffer.alloc(0);
  /** How many bytes were taken. */
  offset = 0;
  /** Whether nothing more comes. */
  isComplete = false;
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #maxBytes: number;
  readonly #hash = createHash('sha1');
  /** What was taken and is not hashed yet: a part of the piece that `bytes` lies in. */
  #unhashed: Buffer = Buffer.alloc(0);
  #received = 0;
  /** What came and had no room in the piece. */
  #rest: Uint8Array = Buffer.alloc(0);

  constructor(source: Buffer | AsyncIterable<Uint8Array>, maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#source = Buffer.isBuffer(source) ? nothing() : source[Symbol.asyncIterator]();
    if (!Buffer.isBuffer(source)) return;
    this.#count(source);
    this.#unhashed = source;
    this.bytes = source;
    this.isComplete = true;
  }

  /** Waits until `size` bytes are there, or the end. */
  async fill(size: number): Promise<void> {
    if (this.isComplete || this.bytes.byteLength >= size) return;
    const room = Math.max(size, this.bytes.byteLength * 2, clamp(this.#received, minPieceBytes, maxPieceBytes));
    const piece = Buffer.allocUnsafeSlow(room);
    let filled = this.bytes.copy(piece);
    while (filled < room && !this.isComplete) {
      if (this.#rest.byteLength === 0) await this.#receive();
      piece.set(this.#rest.subarray(0, room - filled), filled);
      const taken = Math.min(this.#rest.byteLength, room - filled);
      this.#rest = this.#rest.subarray(taken);
      filled += taken;
    }
    this.#hashTaken();
    this.bytes = piece.subarray(0, filled);
    this.#unhashed = this.bytes;
  }

  /** The next bytes, as a slice. */
  take(size: number): Buffer {
    const taken = this.bytes.subarray(0, size);
    this.bytes = this.bytes.subarray(size);
    this.offset += size;
    return taken;
  }

  /** The SHA-1 of all that was taken; to be asked for once, at the end. */
  checksum(): Buffer {
    this.#hashTaken();
    return this.#hash.digest();
  }

  async [Symbol.asyncDispose]() {
    await this.#source.return?.();
  }

  async #receive(): Promise<void> {
    const { done, value } = await this.#source.next();
    if (done) {
      this.isComplete = true;
      return;
    }
    this.#count(value);
    this.#rest = value;
  }

  #count(received: Uint8Array): void {
    this.#received += received.byteLength;
    if (this.#received > this.#maxBytes) throw new CorruptPack(`the pack is larger than ${this.#maxBytes} bytes`);
  }

  #hashTaken(): void {
    this.#hash.update(this.#unhashed.subarray(0, this.#unhashed.byteLength - this.bytes.byteLength));
  }
}

const clamp = (value: number, min: number, max: number): number => Math.min(Math.max(value, min), max);

async function* nothing(): AsyncGenerator<Uint8Array> {}
