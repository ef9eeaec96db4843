import type { Bulk } from './slice.ts';
import { createSpool, type Spool } from './spool.ts';

/** Bytes that come piece by piece: kept in memory up to a size, and beyond it on the disk. What was not taken is gone with the disposal. */
export class Gatherer implements AsyncDisposable {
  readonly #spoolAboveBytes: number;
  readonly #expectedBytes: number;
  #held: Uint8Array[] = [];
  #bytes = 0;
  #spool: Promise<Spool> | undefined;

  /** Where more than `spoolAboveBytes` are expected, none are held in memory. */
  constructor(spoolAboveBytes: number, expectedBytes = 0) {
    this.#spoolAboveBytes = spoolAboveBytes;
    this.#expectedBytes = expectedBytes;
  }

  /** The calls must wait for each other. Throws SpoolFault. */
  async add(piece: Uint8Array): Promise<void> {
    this.#bytes += piece.byteLength;
    this.#held.push(piece);
    if (Math.max(this.#bytes, this.#expectedBytes) <= this.#spoolAboveBytes) return;
    this.#spool ??= createSpool();
    const spool = await this.#spool;
    for (const held of this.#held.splice(0)) await spool.append(held);
  }

  /** All that was added, which is the caller's from now on. */
  async take(): Promise<Bulk> {
    const bulk = (await this.#spool) ?? Buffer.concat(this.#held);
    this.#spool = undefined;
    this.#held = [];
    return bulk;
  }

  async [Symbol.asyncDispose]() {
    this.#held = [];
    // One that could not be made has said so already; one that is being made is waited for.
    const spool = await this.#spool?.catch(() => undefined);
    await spool?.[Symbol.asyncDispose]();
  }
}
