import { type Bulk, release, type Slice } from './slice.ts';
import { createSpool, type Spool, type SpoolFile } from './spool.ts';

/** Bytes. Small stores need little, and in large ones what is left of the last chunk counts for nothing. */
const minChunkBytes = 16 * 1024;
const maxChunkBytes = 1024 * 1024;

/** Keeps copies of pieces for a while: in memory up to a size of all together, further ones on the disk. They are gone with the disposal. */
export class SliceStore implements AsyncDisposable {
  readonly spoolAboveBytes: number;
  /** All that slices of it lie in. */
  readonly #bulks: Bulk[] = [];
  #chunk: Buffer = Buffer.alloc(0);
  #chunkEnd = 0;
  #bytes = 0;
  #spool: Spool | undefined;

  constructor(spoolAboveBytes: number) {
    this.spoolAboveBytes = spoolAboveBytes;
  }

  /** Of all that was kept here, adopted bulks included. */
  get byteLength(): number {
    return this.#bytes;
  }

  get bulks(): readonly Bulk[] {
    return this.#bulks;
  }

  /** The calls must wait for each other. Throws SpoolFault. */
  keep(piece: Uint8Array): Slice | Promise<Slice> {
    this.#bytes += piece.byteLength;
    if (this.#bytes > this.spoolAboveBytes) return this.#append(piece);
    if (piece.byteLength > this.#chunk.byteLength - this.#chunkEnd) this.#startChunk(piece.byteLength);
    const start = this.#chunkEnd;
    this.#chunk.set(piece, start);
    this.#chunkEnd += piece.byteLength;
    return { bulk: this.#chunk, start, end: this.#chunkEnd };
  }

  /** Makes what was kept elsewhere the store's own. */
  adopt(bulks: readonly Bulk[]): void {
    this.#bulks.push(...bulks);
    for (const { byteLength } of bulks) this.#bytes += byteLength;
  }

  /** Gives all of it away, to another thread: the store and its slices are of no use afterwards. */
  async detach(): Promise<(Buffer | SpoolFile)[]> {
    const detached: (Buffer | SpoolFile)[] = [];
    for (const bulk of this.#bulks) detached.push(Buffer.isBuffer(bulk) ? bulk : await bulk.detach());
    this.#bulks.length = 0;
    return detached;
  }

  #startChunk(minBytes: number): void {
    const bytes = Math.max(minBytes, Math.min(Math.max(this.#bytes, minChunkBytes), maxChunkBytes));
    this.#chunk = Buffer.allocUnsafeSlow(bytes);
    this.#chunkEnd = 0;
    this.#bulks.push(this.#chunk);
  }

  async #append(piece: Uint8Array): Promise<Slice> {
    if (this.#spool === undefined) {
      this.#spool = await createSpool();
      this.#bulks.push(this.#spool);
    }
    const start = this.#spool.byteLength;
    await this.#spool.append(piece);
    return { bulk: this.#spool, start, end: this.#spool.byteLength };
  }

  async [Symbol.asyncDispose]() {
    for (const bulk of this.#bulks.splice(0)) await release(bulk);
  }
}
