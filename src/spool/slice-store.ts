import { type Slice, sliceOf } from './slice.ts';
import { createSpool, type Spool } from './spool.ts';

/** Keeps pieces for a while: as they are up to a size of all together, further ones on the disk. They are gone with the disposal. */
export class SliceStore implements AsyncDisposable {
  readonly #spoolAboveBytes: number;
  #bytes = 0;
  #spool: Spool | undefined;

  constructor(spoolAboveBytes: number) {
    this.#spoolAboveBytes = spoolAboveBytes;
  }

  /** The calls must wait for each other. Throws SpoolFault. */
  keep(piece: Buffer): Slice | Promise<Slice> {
    this.#bytes += piece.byteLength;
    return this.#bytes <= this.#spoolAboveBytes ? sliceOf(piece) : this.#append(piece);
  }

  async #append(piece: Buffer): Promise<Slice> {
    this.#spool ??= await createSpool();
    const start = this.#spool.byteLength;
    await this.#spool.append(piece);
    return { bulk: this.#spool, start, end: this.#spool.byteLength };
  }

  async [Symbol.asyncDispose]() {
    await this.#spool?.[Symbol.asyncDispose]();
  }
}
