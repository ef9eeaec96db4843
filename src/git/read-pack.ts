/**
 * Reads packs as git sends them: gitformat-pack(5), version 2, with offset and reference deltas. No object leaves here
 * under an id that is not the SHA-1 of its content, and nothing is inflated beyond the size that the pack declares.
 */
import { LRUCache } from 'lru-cache';
import { giveWay } from '../give-way.ts';
import { adler32 } from '../inflate/adler32.ts';
import { type Inflated, type InflateFault, inflateAside, lazyInflater } from '../inflate/inflater.ts';
import type { Slice } from '../spool/slice.ts';
import type { SliceStore } from '../spool/slice-store.ts';
import { applyDelta, parseDeltaSizes } from './apply-delta.ts';
import { blobOf, type DeflatedBlob, deflate, deflateOf, digestInTurns, inflateDeflated } from './deflated-blob.ts';
import type { ContentBatch, DigestThread } from './digest-thread.ts';
import { CorruptPack } from './errors.ts';
import { hashObject, isObjectId, type ObjectId, type ObjectKind } from './object-id.ts';
import { kindOfPackEntry } from './pack.ts';
import { PackInput } from './pack-input.ts';

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
  readonly digestThread?: DigestThread | undefined;
  /** For thin packs: an object that deltas build on and that the pack does not hold; undefined where there is none. */
  readonly base?: (id: ObjectId) => Promise<{ kind: ObjectKind; content: Buffer } | undefined>;
  /** Hears of each object once it is known, in no particular order. */
  readonly onObject?: (object: ReadObject) => void;
  /** Hears of the pack's trailer, the SHA-1 of all before it. */
  readonly onChecksum?: (checksum: Buffer) => void;
  readonly signal: AbortSignal;
}

const trailerBytes = 20;
/** More than the head of an entry takes: its type and size, and the base of a delta. */
const maxHeadBytes = 64;
/** Git itself writes no longer chains: OE_DEPTH_BITS in its pack-objects.h. */
const maxDeltaDepth = 4095;
/** Git puts a delta near its base as a rule, so that this is enough to have most bases at hand. */
const recentContentBytes = 4 * 2 ** 20;
const defaultMaxContentBytes = 2 ** 31;
/** So many batches are hashed while the next one is filled. */
const maxUnderWay = 4;
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
  | { readonly kind: 'kept'; readonly data: Slice; readonly size: number; readonly position: number | undefined }
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
  readonly size: number;
  readonly data: Slice;
}

/** Blobs that are hashed together. */
interface Batch {
  readonly contents: ContentBatch;
  readonly blobs: Unidentified[];
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
  #batch: Batch | undefined;
  readonly #underWay: Promise<void>[] = [];

  constructor(input: PackInput, options: ReadPackOptions) {
    this.#input = input;
    this.#options = options;
  }

  /** Goes through all entries: afterwards the whole objects are known, and the deltas whose bases were at hand; the others wait. */
  async readEntries(): Promise<void> {
    const input = this.#input;
    await this.#breathe();
    await input.fill(maxHeadBytes);
    const header = input.take(12);
    if (header.toString('latin1', 0, 8) !== 'PACK\0\0\0\x02' || header.byteLength < 12) {
      throw new CorruptPack('not a pack of version 2');
    }
    const count = header.readUInt32BE(8);
    for (let i = 0; i < count; i += 1) {
      if (i % 8 === 0) await this.#breathe();
      if (input.available < maxHeadBytes) await input.fill(maxHeadBytes);
      const reading = this.#readEntry();
      if (reading !== undefined) await reading;
    }
    await this.#identify(this.#batch, 0);
    await input.fill(trailerBytes + 1);
    if (input.available !== trailerBytes) throw new CorruptPack('the pack does not end behind its last object');
    const checksum = input.checksum();
    if (!checksum.equals(input.bytes.subarray(input.at)))
      throw new CorruptPack("the pack's checksum is not that of its content");
    this.#options.onChecksum?.(checksum);
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

  /** Reads the entry that comes next; there is something to wait for only now and then, and waiting takes its time. */
  #readEntry(): Promise<void> | undefined {
    const { bytes, at } = this.#input;
    const { type, size, end } = damageOf(() => readEntryHeader(bytes, at));
    const kind = kindOfPackEntry(type << 4);
    this.#limit(size);
    if (kind === undefined) return this.#readDelta(type, size, end);
    if (size >= largeBytes) return this.#readLarge(kind, size, end);
    const found = tryInflate(bytes, end, size);
    return found === 'cut off' ? this.#readWithMore() : this.#takeWhole(kind, end, found);
  }

  /** Reads the entry when more of it is there. */
  async #readWithMore(): Promise<void> {
    if (this.#input.isComplete) throw cutOff();
    await this.#input.fill(this.#input.available + 1);
    this.#options.signal.throwIfAborted();
    await this.#readEntry();
  }

  async #readLarge(kind: ObjectKind, size: number, headEnd: number): Promise<void> {
    const found = await tryInflateAside(this.#input.bytes, headEnd, size);
    await (found === 'cut off' ? this.#readWithMore() : this.#takeWhole(kind, headEnd, found));
  }

  /** Takes an object in that came whole; what was inflated is read before anything is waited for. */
  #takeWhole(kind: ObjectKind, headEnd: number, { inflated, consumed }: Consumed): Promise<void> | undefined {
    const input = this.#input;
    const { offset } = input;
    const size = inflated.content.byteLength;
    this.#contentBytes += size;
    input.at = headEnd;
    const taken = input.take(consumed);
    const { blobs } = this.#options;
    if (kind === 'blob' && blobs !== undefined) return this.#keepBlob(offset, inflated, deflateOf(taken), blobs);
    // Copies: what was given is of no use for long.
    const content = Buffer.from(inflated.content);
    const source: Source = { kind: 'whole', zlib: Buffer.from(taken), size };
    this.#recent.set(source, content);
    this.#learn(offset, hashObject(kind, content), { source, kind, depth: 0 }, size);
    return undefined;
  }

  async #readDelta(type: number, size: number, headEnd: number): Promise<void> {
    const { bytes, offset } = this.#input;
    const { base: baseName, end } = damageOf(() => readBase(bytes, type, offset, headEnd));
    const found = size < largeBytes ? tryInflate(bytes, end, size) : await tryInflateAside(bytes, end, size);
    if (found === 'cut off') return await this.#readWithMore();
    const { content } = found.inflated;
    const { resultSize } = damageOf(() => parseDeltaSizes(content));
    this.#limit(size + resultSize);
    this.#contentBytes += size + resultSize;
    this.#input.at = end;
    const delta = { offset, zlib: Buffer.from(this.#input.take(found.consumed)), size, base: baseName };
    const base = this.#known.get(baseName);
    const baseContent = base && this.#recentContent(base.source);
    if (base !== undefined && baseContent !== undefined) {
      await this.#learnBuilt(
        delta,
        base,
        damageOf(() => applyDelta(baseContent, content)),
      );
      return;
    }
    const waiting = this.#waiting.get(baseName) ?? [];
    waiting.push(delta);
    this.#waiting.set(baseName, waiting);
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

  /** Keeps a blob that came whole: hashed with others on the thread for that, or here. */
  #keepBlob(offset: number, inflated: Inflated, deflated: Buffer, blobs: SliceStore): Promise<void> | undefined {
    const { content, position } = inflated;
    const size = content.byteLength;
    const { digestThread } = this.#options;
    if (digestThread === undefined || size >= largeBytes) return this.#keepHashed(offset, inflated, deflated, blobs);
    const full = this.#batch?.contents.hasRoomFor(content) ? undefined : this.#batch;
    if (full !== undefined || this.#batch === undefined) this.#batch = { contents: digestThread.newBatch(), blobs: [] };
    const { contents, blobs: batched } = this.#batch;
    contents.add(content);
    const add = (data: Slice) => {
      const known: Known = { source: { kind: 'kept', data, size, position }, kind: 'blob', depth: 0 };
      // A base for deltas from now on.
      this.#known.set(offset, known);
      batched.push({ offset, known, size, data });
    };
    const kept = blobs.keep(deflated);
    if (kept instanceof Promise) return kept.then(add).then(() => this.#identify(full, maxUnderWay));
    add(kept);
    return full && this.#identify(full, maxUnderWay);
  }

  async #keepHashed(
    offset: number,
    { content, position }: Inflated,
    deflated: Buffer,
    blobs: SliceStore,
  ): Promise<void> {
    const size = content.byteLength;
    const { id, digests } = await digestInTurns('blob', content);
    const data = await blobs.keep(deflated);
    const source: Source = { kind: 'kept', data, size, position };
    this.#learn(offset, id, { source, kind: 'blob', depth: 0 }, size, blobOf(digests, data));
  }

  /** Begins to hash a batch, and waits until no more than so many are under way. */
  async #identify(batch: Batch | undefined, most: number): Promise<void> {
    const { digestThread: thread } = this.#options;
    if (batch !== undefined && thread !== undefined) {
      const identified = thread.digest(batch.contents).then(digested => {
        for (const [i, { offset, known, size, data }] of batch.blobs.entries()) {
          const found = digested[i];
          if (found === undefined) throw new TypeError('a blob was not hashed');
          this.#learn(offset, found.id, known, size, blobOf(found.digests, data));
        }
      });
      // It is waited for later.
      identified.catch(() => {});
      this.#underWay.push(identified);
    }
    while (this.#underWay.length > most) await this.#underWay.shift();
  }

  /** As #learn, of an object that was built from a delta. */
  async #learnBuilt(delta: Delta, base: Known, content: Buffer): Promise<{ id: ObjectId; known: Known }> {
    const { kind } = base;
    const { blobs } = this.#options;
    const size = content.byteLength;
    let known = deltaOn(base, delta);
    if (kind !== 'blob' || blobs === undefined) {
      this.#recent.set(known.source, content);
      return this.#learn(delta.offset, hashObject(kind, content), known, size);
    }
    const { id, digests } = await digestInTurns(kind, content);
    const data = await blobs.keep(await deflate(content));
    known = { ...known, source: { kind: 'kept', data, size, position: undefined } };
    this.#recent.set(known.source, content);
    return this.#learn(delta.offset, id, known, size, blobOf(digests, data));
  }

  /** Takes an object in that was checked; gives what is known of it from now on, which is what came first. */
  #learn(
    offset: number,
    id: ObjectId,
    found: Known,
    size: number,
    blob?: DeflatedBlob,
  ): { id: ObjectId; known: Known } {
    let known = this.#known.get(id);
    if (known === undefined) {
      known = found;
      const { source, kind } = known;
      this.#known.set(id, known);
      const object: ReadObject = { id, kind, size, blob, content: () => this.#contentOf(source) };
      this.objects.set(id, object);
      this.#options.onObject?.(object);
    }
    this.#known.set(offset, known);
    return { id, known };
  }

  async #baseContent(source: Source): Promise<Buffer> {
    if (source.kind !== 'kept') return this.#contentOf(source);
    return this.#recentContent(source) ?? (await inflateDeflated(source.data, source.size));
  }

  #recentContent(source: Source): Buffer | undefined {
    const recent = this.#recent.get(source);
    if (recent !== undefined || source.kind !== 'kept' || source.position === undefined) return recent;
    const inflated = inflater().contentAt(source.position, source.size);
    if (inflated === undefined) return undefined;
    // Where one delta has this base, others have it, too.
    const content = Buffer.from(inflated);
    this.#recent.set(source, content);
    return content;
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
    if (from.kind === 'whole') content ??= Buffer.from(inflateWhole(from.zlib, from.size).inflated.content);
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
    if (this.#contentBytes + bytes > maxContentBytes)
      throw new CorruptPack(`the pack holds more than ${maxContentBytes} bytes`);
  }

  async #breathe(): Promise<void> {
    await giveWay();
    this.#options.signal.throwIfAborted();
  }
}

function deltaOn({ source, kind, depth }: Known, delta: Delta): Known {
  if (depth === maxDeltaDepth) throw new CorruptPack(`the pack has a chain of more than ${maxDeltaDepth} deltas`);
  return { source: { kind: 'delta', delta, base: source }, kind, depth: depth + 1 };
}

const rebuild = (base: Buffer, { zlib, size }: Delta): Buffer =>
  damageOf(() => applyDelta(base, inflateWhole(zlib, size).inflated.content));

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

/**
 * Inflates the zlib stream that `stream` begins with, which must be of `size` bytes, and counts what it was made of. Its checksum is looked
 * at, since who reads single objects does not look at the pack's.
 */
export function inflateExactly(stream: Buffer, size: number): { content: Buffer; consumed: number } {
  const { inflated, consumed } = inflateWhole(stream, size);
  const content = Buffer.from(inflated.content);
  if (adler32(content) !== stream.readUInt32BE(consumed - zlibTailBytes)) {
    throw new CorruptPack('the pack has an object that does not fit its checksum');
  }
  return { content, consumed };
}

/** The same, to be used at once. */
function inflateWhole(stream: Buffer, size: number): Consumed {
  const found = tryInflate(stream, 0, size);
  if (found === 'cut off') throw cutOff();
  return found;
}

/** What was inflated of a zlib stream, and how long that is. */
interface Consumed {
  readonly inflated: Inflated;
  readonly consumed: number;
}

const inflater = lazyInflater({ maxBytes: largeBytes, keptBytes: recentContentBytes });

/** Inflates the zlib stream that begins at `start`. */
const tryInflate = (bytes: Buffer, start: number, size: number): Consumed | 'cut off' =>
  checkZlib(bytes, start, size, inflater().inflate(bytes.subarray(start + zlibHeadBytes), size));

/** The same, in another thread. */
const tryInflateAside = async (bytes: Buffer, start: number, size: number): Promise<Consumed | 'cut off'> =>
  checkZlib(bytes, start, size, await inflateAside(bytes.subarray(start + zlibHeadBytes), size));

/** RFC 1950: two bytes before the deflate stream, and a checksum behind it. */
const zlibHeadBytes = 2;
const zlibTailBytes = 4;

/** What inflating the stream within gave, if the zlib stream is there whole and sound. */
function checkZlib(
  bytes: Buffer,
  start: number,
  size: number,
  inflated: Inflated | InflateFault,
): Consumed | 'cut off' {
  if (start + zlibHeadBytes > bytes.byteLength) return 'cut off';
  // The method is deflate, its window as large as it may be at most, no preset dictionary is needed, and it is a multiple of 31.
  const head = bytes.readUInt16BE(start);
  if ((head & 0x8f20) !== 0x0800 || head % 31 !== 0)
    throw new CorruptPack('the pack has an object that cannot be inflated');
  if (inflated === 'cut off') return inflated;
  if (inflated === 'damaged') throw new CorruptPack('the pack has an object that cannot be inflated');
  if (inflated === 'too long' || inflated.content.byteLength !== size) {
    throw new CorruptPack('the pack has an object of another size than it says');
  }
  const consumed = zlibHeadBytes + inflated.taken + zlibTailBytes;
  return start + consumed > bytes.byteLength ? 'cut off' : { inflated, consumed };
}

const cutOff = (): CorruptPack => new CorruptPack('the pack ends within an object');

/** Reading beyond the end, and deltas that make no sense, are damage of the pack. */
function damageOf<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CorruptPack(`the pack is damaged: ${error.message}`, { cause: error });
  }
}
