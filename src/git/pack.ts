/** Packs as git stores and sends them: gitformat-pack(5), version 2, whole objects, no deltas. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { AtHand } from '../at-hand.ts';
import { giveWay } from '../give-way.ts';
import { Chunks } from '../spool/chunks.ts';
import { readParts } from '../spool/slice.ts';
import type { ObjectId, ObjectKind } from './object-id.ts';
import type { HeldObject, PackedObject } from './packed-object.ts';

/** Where an object lies in a pack: the offset of its entry and the CRC-32 of the entry's bytes. */
export interface PackEntry {
  readonly id: ObjectId;
  readonly offset: number;
  crc32: number;
}

/** Numbered from 1 in an entry's first byte; 6 and 7 are deltas. */
export const objectKinds: readonly ObjectKind[] = ['commit', 'tree', 'blob', 'tag'];

/**
 * Yields the pack's bytes in chunks, and returns the trailer, the SHA-1 of all before it. An id that comes twice is written once. `entries` gets what an index
 * is made from. Throws what reading kept bytes throws.
 */
export async function* writePack(
  objects: readonly PackedObject[],
  entries?: PackEntries,
): AsyncGenerator<Uint8Array, Buffer, void> {
  const unique = new Map<ObjectId, PackedObject>();
  for (const object of objects) {
    const turn = giveWay();
    if (turn !== undefined) await turn;
    unique.set(object.id, object);
  }
  const hash = createHash('sha1');
  const leave = function* (chunks: readonly Uint8Array[]) {
    for (const chunk of chunks) {
      hash.update(chunk);
      yield chunk;
    }
  };
  const body = new PackBody(entries);
  yield* leave([encodePackHeader(unique.size)]);
  for await (const full of body.add(unique.values())) {
    await giveWay();
    yield* leave(full);
  }
  yield* leave(body.takeRest());
  const checksum = hash.digest();
  yield checksum;
  return checksum;
}

/** What a pack begins with. */
export function encodePackHeader(objectCount: number): Buffer {
  const header = Buffer.from('PACK\0\0\0\x02\0\0\0\0', 'latin1');
  header.writeUInt32BE(objectCount, 8);
  return header;
}

export const packHeaderBytes = 12;

/** The entries of a pack, put together in chunks. `entries` gets what an index is made from. */
export class PackBody {
  readonly #chunks = new Chunks();
  readonly #entries: PackEntries | undefined;

  constructor(entries?: PackEntries) {
    this.#entries = entries;
  }

  /** Adds objects, and yields the chunks that became full. Throws what reading kept bytes throws. */
  async *add(objects: Iterable<PackedObject>): AsyncGenerator<Uint8Array[], void> {
    const chunks = this.#chunks;
    for (const object of objects) {
      this.#entries?.begin(object.id, packHeaderBytes + chunks.byteLength);
      chunks.put(encodeEntryHeader(object.kind, object.size));
      if (isInMemory(object)) {
        putHeld(chunks, object);
      } else {
        for (const part of partsOf(object)) {
          chunks.put(await part);
          if (chunks.hasFull) yield this.#leave(chunks.takeFull());
        }
      }
      if (chunks.hasFull) yield this.#leave(chunks.takeFull());
    }
  }

  /** What is in no full chunk. */
  takeRest(): Uint8Array[] {
    return this.#leave(this.#chunks.takeRest());
  }

  #leave(chunks: Uint8Array[]): Uint8Array[] {
    if (this.#entries !== undefined) for (const chunk of chunks) this.#entries.read(chunk);
    return chunks;
  }
}

const isInMemory = (object: PackedObject): object is HeldObject =>
  object.zlib.every(piece => piece instanceof Uint8Array);

function putHeld(chunks: Chunks, { zlib }: HeldObject): void {
  zlib.forEach(piece => {
    chunks.put(piece);
  });
}

function* partsOf({ zlib }: PackedObject): Generator<AtHand<Uint8Array>, void> {
  for (const piece of zlib) {
    if (piece instanceof Uint8Array) yield piece;
    else yield* readParts(piece);
  }
}

/** The entries of a pack that is being written. */
export class PackEntries {
  readonly all: PackEntry[] = [];
  #bytesRead = packHeaderBytes;
  /** The first one whose end was not read. */
  #next = 0;

  begin(id: ObjectId, offset: number): void {
    this.all.push({ id, offset, crc32: 0 });
  }

  /** Takes the next bytes behind the pack's header, which belong to entries that have begun. An entry of many pieces takes one call here, or two. */
  read(chunk: Uint8Array): void {
    const start = this.#bytesRead;
    const end = start + chunk.byteLength;
    this.#bytesRead = end;
    for (;;) {
      const entry = this.all[this.#next];
      if (entry === undefined || entry.offset >= end) return;
      const entryEnd = this.all[this.#next + 1]?.offset ?? Number.POSITIVE_INFINITY;
      const part = chunk.subarray(Math.max(entry.offset - start, 0), Math.min(entryEnd, end) - start);
      entry.crc32 = crc32(part, entry.crc32);
      if (entryEnd > end) return;
      this.#next += 1;
    }
  }
}

/** Four bits of the size beside the kind, then seven a byte, lowest first, the top bit saying that more follow. It stays until the next call. */
function encodeEntryHeader(kind: ObjectKind, size: number): Buffer {
  let byte = ((objectKinds.indexOf(kind) + 1) << 4) | (size % 16);
  let bytes = 0;
  for (let rest = Math.floor(size / 16); rest > 0; rest = Math.floor(rest / 128)) {
    entryHeader[bytes++] = byte | 0x80;
    byte = rest % 128;
  }
  entryHeader[bytes++] = byte;
  return entryHeader.subarray(0, bytes);
}

/** Room for a size of 53 bits. */
const entryHeader = Buffer.alloc(8);

/** The kind of the entry that begins with `byte`; undefined for a delta, whose kind is that of its base. */
export function kindOfPackEntry(byte: number): ObjectKind | undefined {
  return objectKinds[((byte >> 4) & 7) - 1];
}

const indexMagic = Buffer.from([0xff, 0x74, 0x4f, 0x63, 0, 0, 0, 2]);
const fanoutEnd = indexMagic.byteLength + 256 * 4;
const firstLargeOffset = 2 ** 31;

/** The index of a pack with these entries and this trailer, version 2. */
export function encodePackIndex(entries: readonly PackEntry[], checksum: Buffer): Buffer {
  const sorted = entries.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const large = sorted.filter(entry => entry.offset >= firstLargeOffset).map(entry => entry.offset);
  const index = Buffer.alloc(fanoutEnd + sorted.length * 28 + large.length * 8 + 40);
  indexMagic.copy(index);

  const crcs = fanoutEnd + sorted.length * 20;
  const offsets = crcs + sorted.length * 4;
  const largeOffsets = offsets + sorted.length * 4;
  let written = 0;
  sorted.forEach((entry, i) => {
    const firstByte = index.write(entry.id, fanoutEnd + i * 20, 'hex') && index.readUInt8(fanoutEnd + i * 20);
    index.writeUInt32BE(i + 1, indexMagic.byteLength + firstByte * 4);
    index.writeUInt32BE(entry.crc32, crcs + i * 4);
    if (entry.offset < firstLargeOffset) {
      index.writeUInt32BE(entry.offset, offsets + i * 4);
    } else {
      index.writeUInt32BE(firstLargeOffset + written, offsets + i * 4);
      index.writeBigUInt64BE(BigInt(entry.offset), largeOffsets + written * 8);
      written += 1;
    }
  });
  let before = 0;
  for (let at = indexMagic.byteLength; at < fanoutEnd; at += 4) {
    before = Math.max(before, index.readUInt32BE(at));
    index.writeUInt32BE(before, at);
  }
  const trailer = largeOffsets + large.length * 8;
  checksum.copy(index, trailer);
  createHash('sha1')
    .update(index.subarray(0, trailer + 20))
    .digest()
    .copy(index, trailer + 20);
  return index;
}

/** The offset of an object's entry by the pack's index; undefined where the pack has no such object or the index is of another version. */
export function findInPackIndex(index: Buffer, id: ObjectId): number | undefined {
  if (!index.subarray(0, indexMagic.byteLength).equals(indexMagic) || index.byteLength < fanoutEnd) return undefined;
  const firstByte = Number.parseInt(id.slice(0, 2), 16);
  const upTo = (byte: number) => (byte < 0 ? 0 : index.readUInt32BE(indexMagic.byteLength + byte * 4));
  const count = upTo(255);
  const wanted = Buffer.from(id, 'hex');
  let low = upTo(firstByte - 1);
  let high = upTo(firstByte);
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = fanoutEnd + middle * 20;
    const order = index.compare(wanted, 0, 20, at, at + 20);
    if (order === 0) {
      const offset = index.readUInt32BE(fanoutEnd + count * 24 + middle * 4);
      if (offset < firstLargeOffset) return offset;
      return Number(index.readBigUInt64BE(fanoutEnd + count * 28 + (offset - firstLargeOffset) * 8));
    }
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return undefined;
}
