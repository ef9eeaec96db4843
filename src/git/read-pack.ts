/**
 * Reads packs as git sends them: gitformat-pack(5), version 2, with offset and reference deltas. No object leaves here
 * under an id that is not the SHA-1 of its content, and nothing is inflated beyond the size that the pack declares.
 */
import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inflateSync } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import { applyDelta, parseDeltaSizes } from './apply-delta.ts';
import { hashObject, isObjectId, type ObjectId, type ObjectKind } from './object-id.ts';
import { kindOfPackEntry } from './pack.ts';

/** What is read is no sound pack, or goes beyond the limits given. */
export class CorruptPack extends Error {
  override readonly name = 'CorruptPack';
}

/** An object of a pack that was read. */
export interface ReadObject {
  readonly id: ObjectId;
  readonly kind: ObjectKind;
  /** Bytes of the content. */
  readonly size: number;
  /** The content as the pack's own zlib stream (RFC 1950), a slice of the pack; undefined where it came as a delta. */
  readonly zlib: Buffer | undefined;
  /** The content; inflated again on each call unless it was asked for shortly before. */
  content(): Buffer;
}

export type ReadPack = ReadonlyMap<ObjectId, ReadObject>;

export interface ReadPackOptions {
  /** Most bytes of the pack. */
  readonly maxBytes: number;
  /** Most bytes of all its objects together, inflated; 2 GiB unless given. */
  readonly maxContentBytes?: number;
  /** For thin packs: an object that deltas build on and that the pack does not hold; undefined where there is none. */
  readonly base?: (id: ObjectId) => Promise<{ kind: ObjectKind; content: Buffer } | undefined>;
  readonly signal: AbortSignal;
}

const headerBytes = 12;
const trailerBytes = 20;
/** An entry is at least its header and the zlib stream of nothing. */
const minEntryBytes = 9;
/** Deflate can't do better than this (zlib.net, "Technical Details"). */
const maxInflation = 1032;
/** Git itself writes no longer chains: OE_DEPTH_BITS in its pack-objects.h. */
const maxDeltaDepth = 4095;
const recentContentBytes = 32 * 2 ** 20;
const defaultMaxContentBytes = 2 ** 31;
/** For so long it may keep the process from anything else. */
const turnMs = 10;

/** A delta in the pack: where its zlib stream begins, its size when inflated, and its base, by offset or by id. */
interface Delta {
  readonly offset: number;
  readonly zlibAt: number;
  readonly size: number;
  readonly base: number | ObjectId;
}

/** What the content of an object is made from. */
type Source =
  | { readonly kind: 'whole'; readonly zlibAt: number; readonly size: number }
  | { readonly kind: 'delta'; readonly delta: Delta; readonly base: Source; readonly depth: number }
  | { readonly kind: 'given'; readonly content: Buffer };

/** An object that is known, and the deltas that build on it. */
interface Base {
  readonly source: Source;
  readonly kind: ObjectKind;
  readonly content: Buffer;
  readonly deltas: Delta[];
}

/** Reads a whole pack. Throws CorruptPack, what `source` and `base` throw, and the signal's reason. */
export async function readPack(
  source: Buffer | AsyncIterable<Uint8Array>,
  options: ReadPackOptions,
): Promise<ReadPack> {
  const pack = await collect(source, options.maxBytes);
  const reader = new PackReader(pack, options);
  await reader.readEntries();
  await reader.resolveDeltas();
  return reader.objects;
}

async function collect(source: Buffer | AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of Buffer.isBuffer(source) ? [source] : source) {
    size += piece.byteLength;
    if (size > maxBytes) throw new CorruptPack(`the pack is larger than ${maxBytes} bytes`);
    pieces.push(piece);
  }
  return Buffer.isBuffer(source) ? source : Buffer.concat(pieces, size);
}

class PackReader {
  readonly objects = new Map<ObjectId, ReadObject>();
  readonly #pack: Buffer;
  readonly #options: ReadPackOptions;
  readonly #whole: { offset: number; object: ReadObject; source: Source }[] = [];
  /** By the base that they wait for. */
  readonly #waiting = new Map<number | ObjectId, Delta[]>();
  readonly #recent = new LRUCache<Source, Buffer>({
    maxSize: recentContentBytes,
    sizeCalculation: content => content.byteLength + 1,
  });
  #contentBytes = 0;
  #turnEndsAt = 0;

  constructor(pack: Buffer, options: ReadPackOptions) {
    this.#pack = pack;
    this.#options = options;
  }

  /** Goes through all entries: afterwards the whole objects are known, and the deltas wait for their bases. */
  async readEntries(): Promise<void> {
    const pack = this.#pack;
    const end = pack.byteLength - trailerBytes;
    if (end < headerBytes || pack.toString('latin1', 0, 4) !== 'PACK' || pack.readUInt32BE(4) !== 2) {
      throw new CorruptPack('not a pack of version 2');
    }
    const checksum = createHash('sha1').update(pack.subarray(0, end)).digest();
    if (!checksum.equals(pack.subarray(end))) throw new CorruptPack("the pack's checksum is not that of its content");
    const count = pack.readUInt32BE(8);
    if (count > end / minEntryBytes) throw new CorruptPack(`the pack cannot hold ${count} objects`);
    let at = headerBytes;
    for (let i = 0; i < count; i += 1) {
      await this.#breathe();
      at = damageOf(() => this.#readEntry(at));
    }
    if (at !== end) throw new CorruptPack('the pack has bytes behind its last object');
  }

  /** Builds every delta, each after its base, and asks for the bases that a thin pack leaves out. */
  async resolveDeltas(): Promise<void> {
    for (const { offset, object, source } of this.#whole) {
      const deltas = this.#takeWaiting(offset, object.id);
      if (deltas.length > 0) await this.#build({ source, kind: object.kind, content: object.content(), deltas });
    }
    for (const id of [...this.#waiting.keys()]) {
      if (typeof id === 'number' || !this.#waiting.has(id)) continue;
      const given = await this.#options.base?.(id);
      // It may be one that is yet to be built from another of these.
      if (given === undefined) continue;
      const { kind, content } = given;
      if (hashObject(kind, content) !== id) throw new CorruptPack(`what was given as object ${id} is another`);
      await this.#build({ source: { kind: 'given', content }, kind, content, deltas: this.#takeWaiting(id) });
    }
    const [missing] = this.#waiting.keys();
    if (missing !== undefined) throw new CorruptPack(`the pack has a delta to ${missing}, where there is no object`);
  }

  /** Gives where the next entry begins. */
  #readEntry(offset: number): number {
    const { type, size, end } = readEntryHeader(this.#pack, offset);
    this.#limit(size);
    const kind = kindOfPackEntry(type << 4);
    if (kind !== undefined) {
      const { content, end: next } = this.#inflate(end, size);
      const source: Source = { kind: 'whole', zlibAt: end, size };
      const object = this.#learn(source, kind, content, this.#pack.subarray(end, next));
      this.#whole.push({ offset, object, source });
      return next;
    }
    const { base, end: zlibAt } = readBase(this.#pack, type, offset, end);
    const delta = this.#inflate(zlibAt, size);
    this.#limit(parseDeltaSizes(delta.content).resultSize);
    const waiting = this.#waiting.get(base) ?? [];
    waiting.push({ offset, zlibAt, size, base });
    this.#waiting.set(base, waiting);
    return delta.end;
  }

  /** Builds all deltas that lead to `root`, depth first, so that few contents are held at a time. */
  async #build(root: Base): Promise<void> {
    const bases = [root];
    for (let base = bases.pop(); base !== undefined; base = bases.pop()) {
      const { source, kind, content, deltas } = base;
      const delta = deltas.pop();
      if (delta === undefined) continue;
      if (deltas.length > 0) bases.push(base);
      await this.#breathe();
      const depth = source.kind === 'delta' ? source.depth + 1 : 1;
      if (depth > maxDeltaDepth) throw new CorruptPack(`the pack has a chain of more than ${maxDeltaDepth} deltas`);
      const built: Source = { kind: 'delta', delta, base: source, depth };
      const result = this.#applyDelta(content, delta);
      const object = this.#learn(built, kind, result, undefined);
      bases.push({ source: built, kind, content: result, deltas: this.#takeWaiting(delta.offset, object.id) });
    }
  }

  #learn(source: Source, kind: ObjectKind, content: Buffer, zlib: Buffer | undefined): ReadObject {
    const id = hashObject(kind, content);
    const object = { id, kind, size: content.byteLength, zlib, content: () => this.#contentOf(source) };
    this.#recent.set(source, content);
    if (!this.objects.has(id)) this.objects.set(id, object);
    return object;
  }

  #contentOf(source: Source): Buffer {
    const chain: Extract<Source, { kind: 'delta' }>[] = [];
    let from = source;
    let content = this.#recent.get(from);
    while (content === undefined && from.kind === 'delta') {
      chain.push(from);
      from = from.base;
      content = this.#recent.get(from);
    }
    if (from.kind === 'given') content = from.content;
    if (from.kind === 'whole') content ??= this.#inflate(from.zlibAt, from.size).content;
    if (content === undefined) throw new TypeError('a chain of deltas ends in a whole object');
    this.#recent.set(from, content);
    for (const step of chain.reverse()) {
      content = this.#applyDelta(content, step.delta);
      this.#recent.set(step, content);
    }
    return content;
  }

  #applyDelta(base: Buffer, { zlibAt, size }: Delta): Buffer {
    return damageOf(() => applyDelta(base, this.#inflate(zlibAt, size).content));
  }

  #takeWaiting(...bases: readonly (number | ObjectId)[]): Delta[] {
    return bases.flatMap(base => {
      const deltas = this.#waiting.get(base) ?? [];
      this.#waiting.delete(base);
      return deltas;
    });
  }

  #inflate(at: number, size: number): { content: Buffer; end: number } {
    const stream = this.#pack.subarray(at, this.#pack.byteLength - trailerBytes);
    if (size > stream.byteLength * maxInflation)
      throw new CorruptPack(`the pack cannot hold an object of ${size} bytes`);
    const { content, consumed } = inflateExactly(stream, size);
    return { content, end: at + consumed };
  }

  #limit(bytes: number): void {
    const { maxContentBytes = defaultMaxContentBytes } = this.#options;
    this.#contentBytes += bytes;
    if (this.#contentBytes > maxContentBytes)
      throw new CorruptPack(`the pack holds more than ${maxContentBytes} bytes`);
  }

  async #breathe(): Promise<void> {
    if (performance.now() < this.#turnEndsAt) return;
    await nextTurn();
    this.#options.signal.throwIfAborted();
    this.#turnEndsAt = performance.now() + turnMs;
  }
}

/** Three bits of type and four of the size, then seven a byte, lowest first, the top bit saying that more follow. */
export function readEntryHeader(pack: Buffer, offset: number): { type: number; size: number; end: number } {
  let byte = pack.readUInt8(offset);
  let end = offset + 1;
  let size = byte & 0x0f;
  const type = (byte >> 4) & 7;
  for (let unit = 16; byte >= 0x80; unit *= 128) {
    byte = pack.readUInt8(end);
    end += 1;
    size += (byte & 0x7f) * unit;
    if (!Number.isSafeInteger(size)) throw new CorruptPack('the pack names a size beyond all bounds');
  }
  return { type, size, end };
}

/** The base of a delta: its id, or how far before the delta it begins, seven bits a byte, highest first, each further byte counting from one up. */
export function readBase(
  pack: Buffer,
  type: number,
  offset: number,
  start: number,
): { base: number | ObjectId; end: number } {
  if (type === 7) {
    const base = pack.toString('hex', start, start + 20);
    if (!isObjectId(base)) throw new CorruptPack('the pack has a delta without a base');
    return { base, end: start + 20 };
  }
  if (type !== 6) throw new CorruptPack(`the pack has an object of the unknown type ${type}`);
  let end = start;
  let distance = -1;
  for (let byte = 0x80; byte >= 0x80; end += 1) {
    byte = pack.readUInt8(end);
    distance = (distance + 1) * 128 + (byte & 0x7f);
    if (distance > offset) throw new CorruptPack('the pack has a delta whose base lies before the pack');
  }
  return { base: offset - distance, end };
}

/** Inflates the zlib stream that `stream` begins with, which must be of `size` bytes, and counts what it was made of. */
export function inflateExactly(stream: Buffer, size: number): { content: Buffer; consumed: number } {
  // One byte of room more than it needs: else zlib is asked once more, with a new buffer, whether that was all.
  const options = { info: true, chunkSize: Math.max(size + 1, 64), maxOutputLength: Math.max(size, 1) };
  let result: unknown;
  try {
    result = inflateSync(stream, options);
  } catch (error) {
    throw new CorruptPack('the pack has an object that cannot be inflated', { cause: error });
  }
  if (!isInflateInfo(result)) throw new TypeError('zlib does not tell how much it read');
  if (result.buffer.byteLength !== size) throw new CorruptPack('the pack has an object of another size than it says');
  return { content: result.buffer, consumed: result.engine.bytesWritten };
}

/** What zlib gives for the option `info`, which its types don't know. */
function isInflateInfo(result: unknown): result is { buffer: Buffer; engine: { bytesWritten: number } } {
  if (typeof result !== 'object' || result === null || !('buffer' in result) || !('engine' in result)) return false;
  const { buffer, engine } = result;
  return Buffer.isBuffer(buffer) && typeof engine === 'object' && engine !== null && 'bytesWritten' in engine;
}

/** Reading beyond the end, and deltas that make no sense, are damage of the pack. */
function damageOf<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CorruptPack(`the pack is damaged: ${error.message}`, { cause: error });
  }
}
