import { constants } from 'node:buffer';
import { promisify } from 'node:util';
import { inflateRaw, inflateRawSync } from 'node:zlib';
import { inflateWasm } from './inflate-wasm.ts';

export interface Inflated {
  readonly content: Buffer;
  /** How many bytes of the stream it was made of; more may follow them. */
  readonly taken: number;
  /** What `Inflater.contentAt` finds it by, for as long as it does. */
  readonly position: number;
}

/** The stream makes no sense; it, or what is there of it, ends too early; there is more content than was said. */
export type InflateFault = 'damaged' | 'cut off' | 'too long';

export interface InflaterOptions {
  /** Largest content that is inflated here; larger ones are left to zlib. */
  readonly maxBytes: number;
  /** Bytes of contents that stay at hand; by `maxBytes` less at worst, as none is parted at the end of the ring. */
  readonly keptBytes: number;
}

/**
 * Inflates one deflate stream (RFC 1951) after the other in memory that it keeps. For contents of a few kilobytes zlib's own functions
 * take most of their time for making a stream and its buffers, and for collecting them.
 */
export class Inflater {
  readonly #wasm: InflateExports;
  readonly #memory: Buffer;
  readonly #maxBytes: number;
  readonly #slackBytes: number;
  readonly #source: number;
  /** Where the contents lie: a ring, in which each is whole. */
  readonly #ring: number;
  readonly #ringBytes: number;
  /** Where in the ring, as if it had no end, the next content goes if it fits, and up to where it was written to. */
  #next = 0;
  #written = 0;

  constructor({ maxBytes, keptBytes }: InflaterOptions) {
    const memory = new WebAssembly.Memory({ initial: 1 });
    this.#wasm = new WebAssembly.Instance<InflateExports>(wasm, { env: { memory } }).exports;
    this.#maxBytes = maxBytes;
    this.#slackBytes = this.#wasm.slackBytes.value;
    this.#source = this.#wasm.freeFrom();
    this.#ring = this.#source + usualBytes(maxBytes) + this.#slackBytes;
    this.#ringBytes = keptBytes + maxBytes + this.#slackBytes;
    memory.grow(Math.ceil((this.#ring + this.#ringBytes + this.#slackBytes) / memory.buffer.byteLength));
    this.#memory = Buffer.from(memory.buffer);
  }

  /**
   * The content, of at most `maxBytes`, of the stream that `stream` begins with. It lies in memory that is used again: read it before
   * anything else is done.
   */
  inflate(stream: Uint8Array, maxBytes: number): Inflated | InflateFault {
    if (maxBytes > this.#maxBytes) return inflateHere(stream, maxBytes);
    // Its end tells how long the stream is, so what follows is copied as well.
    const sourceBytes = Math.min(stream.byteLength, usualBytes(maxBytes));
    this.#memory.set(stream.subarray(0, sourceBytes), this.#source);
    const position = this.#placeFor(maxBytes);
    // One that failed may have written further.
    this.#written = Math.max(this.#written, position + maxBytes + this.#slackBytes);
    const bytes = this.#wasm.inflate(this.#source, sourceBytes, this.#addressOf(position), maxBytes);
    if (bytes >= 0) {
      this.#next = position + bytes;
      return { content: this.#contentAt(position, bytes), taken: this.#wasm.taken.value, position };
    }
    if (bytes === this.#wasm.damaged.value) return 'damaged';
    if (bytes === this.#wasm.tooLong.value) return 'too long';
    return sourceBytes < stream.byteLength ? inflateHere(stream, maxBytes) : 'cut off';
  }

  /** A content of `bytes` bytes that was inflated here, if it is still at hand. It is to be read at once, too. */
  contentAt(position: number, bytes: number): Buffer | undefined {
    return position + this.#ringBytes < this.#written ? undefined : this.#contentAt(position, bytes);
  }

  #contentAt(position: number, bytes: number): Buffer {
    const start = this.#addressOf(position);
    return this.#memory.subarray(start, start + bytes);
  }

  #addressOf(position: number): number {
    return this.#ring + (position % this.#ringBytes);
  }

  #placeFor(bytes: number): number {
    const rest = this.#ringBytes - (this.#next % this.#ringBytes);
    return bytes <= rest ? this.#next : this.#next + rest;
  }
}

/** One that is made when it is first asked for: for all that a thread inflates in one way. */
export function lazyInflater(options: InflaterOptions): () => Inflater {
  let made: Inflater | undefined;
  return () => {
    made ??= new Inflater(options);
    return made;
  };
}

/** As Inflater.inflate does it, for a large content: in another thread, and in memory of its own. */
export async function inflateAside(stream: Uint8Array, maxBytes: number): Promise<Inflated | InflateFault> {
  try {
    return inflatedOf(await inflateRawAside(stream, optionsFor(stream, maxBytes)));
  } catch (error) {
    return faultOf(error);
  }
}

function inflateHere(stream: Uint8Array, maxBytes: number): Inflated | InflateFault {
  try {
    return inflatedOf(inflateRawSync(stream, optionsFor(stream, maxBytes)));
  } catch (error) {
    return faultOf(error);
  }
}

/** More than the stream of such a content has, unless somebody made it longer than it need be: at worst each byte becomes nine bits. */
const usualBytes = (contentBytes: number): number => contentBytes + Math.ceil(contentBytes / 8) + 64;

const inflateRawAside = promisify(inflateRaw);

function optionsFor(stream: Uint8Array, maxBytes: number) {
  // Deflate makes at most 1032 bytes of one (zlib.net, "Technical Details"), so that a declaration alone takes no memory. There is a byte of
  // room more than the content needs: else zlib is asked once more, with a new buffer, whether that was all.
  const chunkSize = Math.max(64, Math.min(maxBytes, stream.byteLength * 1032) + 1);
  return { info: true, chunkSize, maxOutputLength: Math.min(Math.max(maxBytes, 1), constants.MAX_LENGTH) };
}

/** What zlib gives for the option `info`, which its types don't know. */
function inflatedOf(result: object): Inflated {
  if (!('buffer' in result && 'engine' in result)) throw new TypeError('zlib does not tell how much it read');
  const { buffer: content, engine } = result as { buffer: Buffer; engine: { bytesWritten: number } };
  return { content, taken: engine.bytesWritten, position: Number.NEGATIVE_INFINITY };
}

function faultOf(error: unknown): InflateFault {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'Z_BUF_ERROR') return 'cut off';
  if (code === 'ERR_BUFFER_TOO_LARGE') return 'too long';
  if (code.startsWith('Z_')) return 'damaged';
  throw error;
}

/** As `assembly/inflate.ts` exports them. */
interface InflateExports {
  readonly damaged: { readonly value: number };
  readonly tooLong: { readonly value: number };
  readonly slackBytes: { readonly value: number };
  readonly taken: { readonly value: number };
  freeFrom(): number;
  inflate(source: number, sourceBytes: number, target: number, targetBytes: number): number;
}

const wasm = new WebAssembly.Module(Buffer.from(inflateWasm, 'base64'));
