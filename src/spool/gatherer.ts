import { type Bulk, release } from './slice.ts';
import { createSpool, type Spool } from './spool.ts';

/**
 * Memory of what was let go of, for what comes next: what is new of the system's memory costs a fault for each page, which takes longer than to fill
 * it.
 */
let spareRoom: Buffer = Buffer.alloc(0);

/** Bytes; larger rooms are not kept. */
const maxSpareBytes = 4 * 1024 * 1024;

function takeRoom(bytes: number): Buffer {
  if (bytes > spareRoom.byteLength) return Buffer.allocUnsafeSlow(bytes);
  const room = spareRoom;
  spareRoom = Buffer.alloc(0);
  return room;
}

/** Lets go of what a Gatherer gave, once: nobody may look at it any more, since others will write to its memory. */
export async function recycle(bulk: Bulk): Promise<void> {
  if (!Buffer.isBuffer(bulk)) return await release(bulk);
  const room = Buffer.from(bulk.buffer);
  if (room.byteLength > spareRoom.byteLength && room.byteLength <= maxSpareBytes) spareRoom = room;
}

/** Bytes that come piece by piece: kept in memory up to a size, and beyond it on the disk. What was not taken is gone with the disposal. */
export class Gatherer implements AsyncDisposable {
  readonly #spoolAboveBytes: number;
  readonly #expectedBytes: number;
  /** What is in memory is the beginning of this. */
  #room: Buffer = Buffer.alloc(0);
  #held = 0;
  #bytes = 0;
  #spool: Promise<Spool> | undefined;

  /** Where more than `spoolAboveBytes` are expected, none are held in memory. */
  constructor(spoolAboveBytes: number, expectedBytes = 0) {
    this.#spoolAboveBytes = spoolAboveBytes;
    this.#expectedBytes = expectedBytes;
  }

  /** To be waited for before the next call, unless it gives undefined. Throws SpoolFault. */
  add(piece: Uint8Array): Promise<void> | undefined {
    this.#bytes += piece.byteLength;
    if (Math.max(this.#bytes, this.#expectedBytes) > this.#spoolAboveBytes) return this.#addToSpool(piece);
    if (this.#bytes > this.#room.byteLength) this.#makeRoom();
    this.#room.set(piece, this.#held);
    this.#held = this.#bytes;
    return undefined;
  }

  /** All that was added, which is the caller's from now on. */
  async take(): Promise<Bulk> {
    const bulk = (await this.#spool) ?? this.#takeHeld();
    this.#spool = undefined;
    return bulk;
  }

  async [Symbol.asyncDispose]() {
    this.#takeHeld();
    // One that could not be made has said so already; one that is being made is waited for.
    const spool = await this.#spool?.catch(() => undefined);
    await spool?.[Symbol.asyncDispose]();
  }

  async #addToSpool(piece: Uint8Array): Promise<void> {
    this.#spool ??= createSpool();
    const spool = await this.#spool;
    if (this.#held > 0) await spool.append(this.#takeHeld());
    await spool.append(piece);
  }

  /** For all that is expected; what nobody expected takes twice the room each time, up to what is held at most. */
  #makeRoom(): void {
    const twice = Math.min(2 * this.#held, this.#spoolAboveBytes);
    const room = takeRoom(Math.max(this.#bytes, this.#expectedBytes, twice));
    room.set(this.#room.subarray(0, this.#held));
    this.#room = room;
  }

  #takeHeld(): Buffer {
    const held = this.#room.subarray(0, this.#held);
    this.#room = Buffer.alloc(0);
    this.#held = 0;
    return held;
  }
}
