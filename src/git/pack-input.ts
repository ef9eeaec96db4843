import { createHash } from 'node:crypto';
import { CorruptPack } from './errors.ts';

/** Bytes. Small packs need little, and in large ones what is moved to the window's beginning counts for nothing. */
const minWindowBytes = 64 * 1024;
const maxWindowBytes = 1024 * 1024;

/**
 * A pack on its way in, through a window: what is taken has to be copied before the window is filled again. A pack that is there whole
 * is its own window.
 */
export class PackInput implements AsyncDisposable {
  /** What is there; all before `at` was taken. */
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  /** Of the pack, where `bytes` begin. */
  #offset = 0;
  /** Whether nothing more comes. */
  isComplete = false;
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #maxBytes: number;
  readonly #hash = createHash('sha1');
  #window: Buffer = Buffer.alloc(0);
  /** How much of what was taken is hashed. */
  #hashed = 0;
  #received = 0;
  /** What came and had no room in the window. */
  #rest: Uint8Array = Buffer.alloc(0);

  constructor(source: Buffer | AsyncIterable<Uint8Array>, maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#source = Buffer.isBuffer(source) ? nothing() : source[Symbol.asyncIterator]();
    if (!Buffer.isBuffer(source)) return;
    this.#count(source);
    this.bytes = source;
    this.isComplete = true;
  }

  /** How many bytes of the pack were taken. */
  get offset(): number {
    return this.#offset + this.at;
  }

  /** How many bytes are there and not taken yet. */
  get available(): number {
    return this.bytes.byteLength - this.at;
  }

  /** Waits until `size` bytes are there, or the end. Slices of what was there before are of no use afterwards. */
  async fill(size: number): Promise<void> {
    if (this.isComplete || this.available >= size) return;
    this.#hashTaken();
    const room = Math.max(size, this.available * 2, clamp(this.#received, minWindowBytes, maxWindowBytes));
    const window = room > this.#window.byteLength ? Buffer.allocUnsafeSlow(room) : this.#window;
    let filled = this.bytes.copy(window, 0, this.at);
    while (filled < window.byteLength && !this.isComplete) {
      if (this.#rest.byteLength === 0) await this.#receive();
      window.set(this.#rest.subarray(0, window.byteLength - filled), filled);
      const taken = Math.min(this.#rest.byteLength, window.byteLength - filled);
      this.#rest = this.#rest.subarray(taken);
      filled += taken;
    }
    this.#offset += this.at;
    this.#window = window;
    this.bytes = window.subarray(0, filled);
    this.at = 0;
    this.#hashed = 0;
  }

  /** The next bytes, as a slice; fewer where there are not so many. */
  take(size: number): Buffer {
    const taken = this.bytes.subarray(this.at, this.at + size);
    this.at += taken.byteLength;
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
    const { done, value = new Uint8Array() } = await this.#source.next();
    this.isComplete = done === true;
    this.#count(value);
    this.#rest = value;
  }

  #count(received: Uint8Array): void {
    this.#received += received.byteLength;
    if (this.#received > this.#maxBytes) throw new CorruptPack(`the pack is larger than ${this.#maxBytes} bytes`);
  }

  #hashTaken(): void {
    this.#hash.update(this.bytes.subarray(this.#hashed, this.at));
    this.#hashed = this.at;
  }
}

const clamp = (value: number, min: number, max: number): number => Math.min(Math.max(value, min), max);

async function* nothing(): AsyncGenerator<Uint8Array> {}
