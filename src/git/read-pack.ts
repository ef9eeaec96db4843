/**
 * Reads packs as git sends them: gitformat-pack(5), version 2, with offset and reference deltas. No object leaves here
 * under an id that is not the SHA-1 of its content, and nothing is inflated beyond the size that the pack declares.
 */
import { promisify } from 'node:util';
import { inflate, inflateSync } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import { giveWay } from '../give-way.ts';
import type { Slice } from '../spool/slice.ts';
import type { SliceStore } from '../spool/slice-store.ts';
import { applyDelta, parseDeltaSizes } from './apply-delta.ts';
import {
  type DeflatedBlob,
  type Digested,
  deflate,
  deflateOf,
  digestObject,
  inflateDeflated,
} from './deflated-blob.ts';
import { CorruptPack } from './errors.ts';
import { hashObject, isObjectId, type ObjectId, type ObjectKind } from './object-id.ts';
import { kindOfPackEntry } from './pack.ts';
import { PackInput } from './pack-input.ts';

/** What is there of the pack ends within an object. */
class CutOff extends CorruptPack {}

/** An object of a pack that was read. */
export interface ReadObject {
  readonly id: ObjectId;
  readonly kind: ObjectKind;
  /** Bytes of the content. */
  readonly size: number;
  /** A blob that is kept: with the pack's own deflate data where it came whole, else compressed anew. */
  readonly blob: DeflatedBlob | undefined;
  /** The content, unless it is a blob that is kept; inflated again on each call where it was not asked for shortly before. */
  content(): Buffer;
}

export type ReadPack = ReadonlyMap<ObjectId, ReadObject>;

export interface ReadPackOptions {
  /** Most bytes of the pack. */
  readonly maxBytes: number;
  /** Most bytes of all its objects together, inflated; 2 GiB unless given. */
  readonly maxContentBytes?: number;
  /** Where blobs are kept compressed, for a zip; they are made while each content is there to be checked. */
  readonly blobs?: SliceStore | undefined;
  /** Hashes blobs that are kept, on another thread; where it is left out, they are hashed here. */
  readonly digest?: (contents: readonly Buffer[]) => Promise<readonly Digested[]>;
  /** For thin packs: an object that deltas build on and that the pack does not hold; undefined where there is none. */
  readonly base?: (id: ObjectId) => Promise<{ kind: ObjectKind; content: Buffer } | undefined>;
  readonly signal: AbortSignal;
}

const trailerBytes = 20;
/** More than the head of an entry takes: its type and size, and the base of a delta. */
const maxHeadBytes = 64;
/** Deflate can't do better than this (zlib.net, "Technical Details"). */
const maxInflation = 1032;
/** Git itself writes no longer chains: OE_DEPTH_BITS in its pack-objects.h. */
const maxDeltaDepth = 4095;
/** Git puts a delta near its base as a rule, so that this is enough to have most bases at hand. */
const recentContentBytes = 4 * 2 ** 20;
const defaultMaxContentBytes = 2 ** 31;
/** Bytes of blobs, and how many, that are hashed at once; and so many such batches may be under way. */
const batchBytes = 1024 * 1024;
const maxBatchSize = 500;
const maxBatches = 4;
/** Bytes. Below, handing the work to another thread takes longer than the work. */
const largeBytes = 2 ** 20;

/** A delta in the pack: where its entry begins, its zlib stream, its size when inflated, and its base, by offset or by id. */
interface Delta {
  readonly offset: number;
  readonly zlib: Buffer;
  readonly size: number;
  readonly base: number | ObjectId;
}

/** What the content of an object is made from. */
type Source =
  | { readonly kind: 'whole'; readonly zlib: Buffer; readonly size: number }
  | { readonly kind: 'delta'; readonly delta: Delta; readonly base: Source }
  | { readonly kind: 'kept'; readonly data: Slice; readonly size: number }
  | { readonly kind: 'given'; readonly content: Buffer };

/** An object that is known. */
interface Known {
  readonly source: Source;
  readonly kind: ObjectKind;
  /** How many deltas it is built from. */
  readonly depth: number;
}

/** A blob that is kept, and not yet hashed. */
interface Unidentified {
  readonly offset: number;
  readonly known: Known;
  readonly data: Slice;
  readonly content: Buffer;
}

/** The same with its content, and the deltas that build on it. */
interface Base extends Known {
  readonly content: Buffer;
  readonly deltas: Delta[];
}

/** Reads a whole pack, as it arrives. Throws CorruptPack, what `source` and `base` throw, and the signal's reason. */
export async function readPack(
  source: Buffer | AsyncIterable<Uint8Array>,
  options: ReadPackOptions,
): Promise<ReadPack> {
  await using input = new PackInput(source, options.maxBytes);
  const reader = new PackReader(input, options);
  await reader.readEntries();
  await reader.resolveDeltas();
  return reader.objects;
}

class PackReader {
  readonly objects = new Map<ObjectId, ReadObject>();
  readonly #input: PackInput;
  readonly #options: ReadPackOptions;
  /** By offset and by id. */
  readonly #known = new Map<number | ObjectId, Known>();
  /** By the base that they wait for. */
  readonly #waiting = new Map<number | ObjectId, Delta[]>();
  readonly #recent = new LRUCache<Source, Buffer>({
    maxSize: recentContentBytes,
    sizeCalculation: content => content.byteLength + 1,
  });
  #contentBytes = 0;
  #batch: Unidentified[] = [];
  #batchBytes = 0;
  readonly #batches: Promise<void>[] = [];

  constructor(input: PackInput, options: ReadPackOptions) {
    this.#input = input;
    this.#options = options;
  }

  /** Goes through all entries: afterwards the whole objects are known, and the deltas whose bases were at hand; the others wait. */
  async readEntries(): Promise<void> {
    const input = this.#input;
    await this.#breathe();
    await input.fill(maxHeadBytes);
    const header = input.take(Math.min(12, input.bytes.byteLength));
    if (header.toString('latin1', 0, 8) !== 'PACK\0\0\0\x02' || header.byteLength < 12) {
      throw new CorruptPack('not a pack of version 2');
    }
    const count = header.readUInt32BE(8);
    for (let i = 0; i < count; i += 1) {
      if (i % 8 === 0) await this.#breathe();
      await this.#readEntry();
    }
    await this.#identifyBatch(0);
    await input.fill(trailerBytes + 1);
    if (input.bytes.byteLength !== trailerBytes) throw new CorruptPack('the pack does not end behind its last object');
    if (!input.checksum().equals(input.bytes)) throw new CorruptPack("the pack's checksum is not that of its content");
  }

  /** Builds every delta that waits, each after its base, and asks for the bases that a thin pack leaves out. */
  async resolveDeltas(): Promise<void> {
    for (const base of [...this.#waiting.keys()]) {
      const known = this.#known.get(base);
      if (known === undefined) continue;
      await this.#build({ ...known, content: await this.#baseContent(known.source), deltas: this.#takeWaiting(base) });
    }
    for (const id of [...this.#waiting.keys()]) {
      if (typeof id === 'number' || !this.#waiting.has(id)) continue;
      const given = await this.#options.base?.(id);
      // It may be one that is yet to be built from another of these.
      if (given === undefined) continue;
      const { kind, content } = given;
      if (hashObject(kind, content) !== id) throw new CorruptPack(`what was given as object ${id} is another`);
      const source: Source = { kind: 'given', content };
      await this.#build({ source, kind, depth: 0, content, deltas: this.#takeWaiting(id) });
    }
    const [missing] = this.#waiting.keys();
    if (missing !== undefined) throw new CorruptPack(`the pack has a delta to ${missing}, where there is no object`);
  }

  async #readEntry(): Promise<void> {
    const input = this.#input;
    if (input.bytes.byteLength < maxHeadBytes) await input.fill(maxHeadBytes);
    const { offset, bytes } = input;
    const { type, size, end } = damageOf(() => readEntryHeader(bytes, 0));
    this.#limit(size);
    const kind = kindOfPackEntry(type << 4);
    if (kind !== undefined) {
      input.take(end);
      const { content, zlib: taken } = await this.#inflateNext(size);
      const { blobs } = this.#options;
      if (kind === 'blob' && blobs !== undefined) {
        const kept = blobs.keep(deflateOf(taken));
        await this.#addToBatch(offset, kept instanceof Promise ? await kept : kept, content);
        return;
      }
      // A copy: the slice would keep all that came with it.
      const zlib = Buffer.from(taken);
      this.#learn(
        offset,
        hashObject(kind, content),
        { source: { kind: 'whole', zlib, size }, kind, depth: 0 },
        content,
      );
      return;
    }
    const head = damageOf(() => readBase(bytes, type, offset, end));
    input.take(head.end);
    const { content, zlib } = await this.#inflateNext(size);
    this.#limit(damageOf(() => parseDeltaSizes(content)).resultSize);
    const delta = { offset, zlib: Buffer.from(zlib), size, base: head.base };
    const base = this.#known.get(head.base);
    const baseContent = base && this.#recent.get(base.source);
    if (base !== undefined && baseContent !== undefined) {
      await this.#learnBuilt(
        delta,
        base,
        damageOf(() => applyDelta(baseContent, content)),
      );
      return;
    }
    const waiting = this.#waiting.get(head.base) ?? [];
    waiting.push(delta);
    this.#waiting.set(head.base, waiting);
  }

  /** Inflates the zlib stream that comes next, and waits for the rest of it where it is not there yet. */
  async #inflateNext(size: number): Promise<{ content: Buffer; zlib: Buffer }> {
    const input = this.#input;
    for (;;) {
      try {
        const inflated = await inflateEntry(input.bytes, size);
        return { content: inflated.content, zlib: input.take(inflated.consumed) };
      } catch (error) {
        if (input.isComplete || !(error instanceof CutOff)) throw error;
      }
      await input.fill(input.bytes.byteLength + 1);
      this.#options.signal.throwIfAborted();
    }
  }

  /** Builds all deltas that lead to `root`, depth first, so that few contents are held at a time. */
  async #build(root: Base): Promise<void> {
    const bases = [root];
    for (let base = bases.pop(); base !== undefined; base = bases.pop()) {
      const { content, deltas } = base;
      const delta = deltas.pop();
      if (delta === undefined) continue;
      if (deltas.length > 0) bases.push(base);
      await this.#breathe();
      const result = rebuild(content, delta);
      const { id, known } = await this.#learnBuilt(delta, base, result);
      bases.push({ ...known, content: result, deltas: this.#takeWaiting(delta.offset, id) });
    }
  }

  /** A blob that came whole and is kept: a base for deltas from now on, and hashed with others. */
  async #addToBatch(offset: number, data: Slice, content: Buffer): Promise<void> {
    const size = content.byteLength;
    const known: Known = { source: { kind: 'kept', data, size }, kind: 'blob', depth: 0 };
    this.#known.set(offset, known);
    this.#recent.set(known.source, content);
    this.#batch.push({ offset, known, data, content });
    this.#batchBytes += size;
    const isFull = this.#batchBytes >= batchBytes || this.#batch.length === maxBatchSize;
    if (isFull) await this.#identifyBatch(maxBatches);
  }

  /** Begins to hash the blobs of the batch, and waits until no more than so many batches are under way. */
  async #identifyBatch(maxUnderWay: number): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    const { digest = digestHere } = this.#options;
    const identified = digest(batch.map(({ content }) => content)).then(digested => {
      for (const [i, { offset, known, data, content }] of batch.entries()) {
        const found = digested[i];
        if (found === undefined) throw new TypeError('a blob was not hashed');
        this.#learn(offset, found.id, known, content, { ...found.digests, data });
      }
    });
    // It is waited for later.
    identified.catch(() => {});
    this.#batches.push(identified);
    while (this.#batches.length > maxUnderWay) await this.#batches.shift();
  }

  /** As #learn, of an object that was built from a delta. */
  async #learnBuilt(delta: Delta, base: Known, content: Buffer): Promise<{ id: ObjectId; known: Known }> {
    const { kind } = base;
    const { blobs } = this.#options;
    if (kind !== 'blob' || blobs === undefined) {
      return this.#learn(delta.offset, hashObject(kind, content), deltaOn(base, delta), content);
    }
    const { id, digests } = await digestObject(kind, content);
    const data = await blobs.keep(await deflate(content));
    const known: Known = { ...deltaOn(base, delta), source: { kind: 'kept', data, size: digests.size } };
    return this.#learn(delta.offset, id, known, content, { ...digests, data });
  }

  /** Takes an object in that was checked; gives what is known of it from now on, which is what came first. */
  #learn(
    offset: number,
    id: ObjectId,
    found: Known,
    content: Buffer,
    blob?: DeflatedBlob,
  ): { id: ObjectId; known: Known } {
    let known = this.#known.get(id);
    if (known === undefined) {
      known = found;
      const { source, kind } = known;
      this.#known.set(id, known);
      this.objects.set(id, { id, kind, size: content.byteLength, blob, content: () => this.#contentOf(source) });
    }
    this.#known.set(offset, known);
    this.#recent.set(known.source, content);
    return { id, known };
  }

  async #baseContent(source: Source): Promise<Buffer> {
    return source.kind === 'kept'
      ? (this.#recent.get(source) ?? (await inflateDeflated(source.data, source.size)))
      : this.#contentOf(source);
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
    if (from.kind === 'whole') content ??= inflateExactly(from.zlib, from.size).content;
    if (content === undefined) throw new TypeError('a chain of deltas ends in a whole object');
    this.#recent.set(from, content);
    for (const step of chain.reverse()) {
      content = rebuild(content, step.delta);
      this.#recent.set(step, content);
    }
    return content;
  }

  #takeWaiting(...bases: readonly (number | ObjectId)[]): Delta[] {
    return bases.flatMap(base => {
      const deltas = this.#waiting.get(base) ?? [];
      this.#waiting.delete(base);
      return deltas;
    });
  }

  #limit(bytes: number): void {
    const { maxContentBytes = defaultMaxContentBytes } = this.#options;
    this.#contentBytes += bytes;
    if (this.#contentBytes > maxContentBytes)
      throw new CorruptPack(`the pack holds more than ${maxContentBytes} bytes`);
  }

  async #breathe(): Promise<void> {
    await giveWay();
    this.#options.signal.throwIfAborted();
  }
}

/** Hashes blobs on this thread. */
export async function digestHere(contents: readonly Buffer[]): Promise<Digested[]> {
  const digested: Digested[] = [];
  for (const content of contents) {
    await giveWay();
    digested.push(await digestObject('blob', content));
  }
  return digested;
}

function deltaOn({ source, kind, depth }: Known, delta: Delta): Known {
  if (depth === maxDeltaDepth) throw new CorruptPack(`the pack has a chain of more than ${maxDeltaDepth} deltas`);
  return { source: { kind: 'delta', delta, base: source }, kind, depth: depth + 1 };
}

const rebuild = (base: Buffer, { zlib, size }: Delta): Buffer =>
  damageOf(() => applyDelta(base, inflateExactly(zlib, size).content));

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
export function inflateExactly(stream: Buffer, size: number): Inflated {
  try {
    return checkInflated(inflateSync(stream, inflateOptions(stream, size)), size);
  } catch (error) {
    throw inflateFault(error);
  }
}

/** The same, in another thread where it is much. */
async function inflateEntry(stream: Buffer, size: number): Promise<Inflated> {
  if (size < largeBytes) return inflateExactly(stream, size);
  try {
    return checkInflated(await inflateLarge(stream, inflateOptions(stream, size)), size);
  } catch (error) {
    throw inflateFault(error);
  }
}

const inflateLarge = promisify(inflate);

interface Inflated {
  readonly content: Buffer;
  readonly consumed: number;
}

function inflateOptions(stream: Buffer, size: number) {
  if (size > stream.byteLength * maxInflation) throw new CutOff(`the pack cannot hold an object of ${size} bytes`);
  // One byte of room more than it needs: else zlib is asked once more, with a new buffer, whether that was all.
  return { info: true, chunkSize: Math.max(size + 1, 64), maxOutputLength: Math.max(size, 1) };
}

function checkInflated(result: unknown, size: number): Inflated {
  if (!isInflateInfo(result)) throw new TypeError('zlib does not tell how much it read');
  if (result.buffer.byteLength !== size) throw new CorruptPack('the pack has an object of another size than it says');
  return { content: result.buffer, consumed: result.engine.bytesWritten };
}

function inflateFault(error: unknown): unknown {
  if (error instanceof CorruptPack || error instanceof TypeError) return error;
  const isCutOff = error instanceof Error && 'code' in error && error.code === 'Z_BUF_ERROR';
  const Fault = isCutOff ? CutOff : CorruptPack;
  return new Fault('the pack has an object that cannot be inflated', { cause: error });
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
