import { LRUCache } from 'lru-cache';
import { applyDelta } from '../../git/apply-delta.ts';
import { type DeflatedBlob, deflateBlob, deflateOf, digestInTurns, type Keep } from '../../git/deflated-blob.ts';
import { CorruptPack } from '../../git/errors.ts';
import { hashObject, type ObjectId } from '../../git/object-id.ts';
import { findInPackIndex, kindOfPackEntry } from '../../git/pack.ts';
import { inflateExactly, readBase, readEntryHeader } from '../../git/read-pack.ts';
import { type FileHandle, type FileSystem, ifThere, namesIn } from './file-system.ts';
import type { RawObject } from './object-reader.ts';

/**
 * Reads objects from packs, one after another, each at its offset. isomorphic-git, which reads everything else, takes a pack into memory whole,
 * inflates in JavaScript and builds every delta's base anew: 20,000 commits among 85 MB took it 3 to 4 s of processor time, and take 1 s so.
 */
export interface PackedReader extends AsyncDisposable {
  /** Undefined for what is in no pack, is large, or can't be read like the rest: an ObjectReader is to be asked then. */
  read(id: ObjectId): Promise<RawObject | undefined>;
  /** As `read`; the pack's own deflate data where the blob is no delta. Undefined too where the object is no blob. */
  readBlob(id: ObjectId, keep: Keep): Promise<DeflatedBlob | undefined>;
}

interface PackedEntry extends RawObject {
  /** Undefined where it is a delta. */
  readonly zlib: Buffer | undefined;
}

interface Pack {
  readonly path: string;
  readonly index: Buffer;
  /** Opened when it is first read from. */
  handle: FileHandle | undefined;
}

/** Little is read in vain where the order of the objects is another than the pack's. */
const windowBytes = 32 * 1024;
/** Beyond, a damaged size would take memory before anything is noticed. */
const maxObjectBytes = 64 * 2 ** 20;
/** A number of at most ten bytes with type and size, and the base of a delta: a number, or an id. */
const maxHeadBytes = 30;
/** As in read-pack.ts; a damaged pack may have chains without end. */
const maxDeltaDepth = 4095;

/** Looks which packs there are now: what comes later is in none of them. */
export async function createPackedReader(fs: FileSystem, gitdir: string): Promise<PackedReader> {
  const directory = `${gitdir}/objects/pack`;
  const windows = new LRUCache<string, Buffer>({ max: 128 });
  const bases = new LRUCache<string, RawObject>({
    maxSize: 8 * 2 ** 20,
    sizeCalculation: ({ content }) => content.byteLength + 1,
  });
  let packs: Pack[] = [];
  for (const name of await namesIn(fs, directory)) {
    if (!name.endsWith('.idx')) continue;
    const index = await ifThere(fs.promises.readFile(`${directory}/${name}`));
    const path = `${directory}/${name.replace(/idx$/, 'pack')}`;
    if (index !== undefined) packs.push({ path, index, handle: undefined });
  }

  /** Fewer bytes at the end of the pack, and none where it is gone. */
  const readAt = async (pack: Pack, offset: number, length: number): Promise<Buffer> => {
    pack.handle ??= await ifThere(fs.promises.open(pack.path, 'r'));
    const bytes = Buffer.allocUnsafeSlow(length);
    const { bytesRead = 0 } = (await pack.handle?.read(bytes, 0, length, offset)) ?? {};
    return bytes.subarray(0, bytesRead);
  };

  /** The window'th piece of a pack. */
  const readWindow = async (pack: Pack, window: number): Promise<Buffer> => {
    const key = `${pack.path} ${window}`;
    const known = windows.get(key);
    if (known !== undefined) return known;
    const bytes = await readAt(pack, window * windowBytes, windowBytes);
    windows.set(key, bytes);
    return bytes;
  };

  /** Fewer at the end of the pack. */
  const readBytes = async (pack: Pack, offset: number, length: number): Promise<Buffer> => {
    if (length > windowBytes) return await readAt(pack, offset, length);
    const window = Math.floor(offset / windowBytes);
    const start = offset - window * windowBytes;
    const bytes = await readWindow(pack, window);
    if (start + length <= windowBytes) return bytes.subarray(start, start + length);
    return Buffer.concat([bytes, await readWindow(pack, window + 1)]).subarray(start, start + length);
  };

  const readEntry = async (pack: Pack, offset: number, depth: number): Promise<PackedEntry | undefined> => {
    const head = await readBytes(pack, offset, maxHeadBytes);
    const { type, size, end } = readEntryHeader(head, 0);
    if (size > maxObjectBytes || depth > maxDeltaDepth) return undefined;
    const inflate = async (zlibAt: number) => {
      const bytes = await readBytes(pack, offset + zlibAt, deflatedBound(size));
      const { content, consumed } = inflateExactly(bytes, size);
      return { content, zlib: bytes.subarray(0, consumed) };
    };
    const kind = kindOfPackEntry(type << 4);
    if (kind !== undefined) return { kind, ...(await inflate(end)) };
    const { base: at, end: zlibAt } = readBase(head, type, offset, end);
    const baseOffset = typeof at === 'number' ? at : findInPackIndex(pack.index, at);
    const base = baseOffset === undefined ? undefined : await readBaseAt(pack, baseOffset, depth + 1);
    if (base === undefined) return undefined;
    const delta = await inflate(zlibAt);
    return { kind: base.kind, content: applyDelta(base.content, delta.content), zlib: undefined };
  };

  const readBaseAt = async (pack: Pack, offset: number, depth: number): Promise<RawObject | undefined> => {
    const key = `${pack.path} ${offset}`;
    const base: RawObject | undefined = bases.get(key) ?? (await readEntry(pack, offset, depth));
    if (base !== undefined) bases.set(key, base);
    return base;
  };

  /** Not yet checked against the id. */
  const find = async (id: ObjectId): Promise<PackedEntry | undefined> => {
    for (const pack of packs) {
      const offset = findInPackIndex(pack.index, id);
      if (offset === undefined) continue;
      // Neighbours in the history are neighbours in a pack as a rule.
      if (pack !== packs[0]) packs = [pack, ...packs.filter(other => other !== pack)];
      try {
        return await readEntry(pack, offset, 0);
      } catch (error) {
        if (!(error instanceof CorruptPack || error instanceof RangeError)) throw error;
        return undefined;
      }
    }
    return undefined;
  };

  return {
    async read(id) {
      const object = await find(id);
      return object !== undefined && hashObject(object.kind, object.content) === id ? object : undefined;
    },

    async readBlob(id, keep) {
      const object = await find(id);
      if (object?.kind !== 'blob') return undefined;
      const { content, zlib } = object;
      const { id: found, digests } = await digestInTurns('blob', content);
      if (found !== id) return undefined;
      return zlib === undefined
        ? await deflateBlob(content, keep, digests)
        : { data: await keep(deflateOf(zlib)), ...digests };
    },

    async [Symbol.asyncDispose]() {
      for (const { handle } of packs) await handle?.close();
    },
  };
}

/** Most bytes that zlib makes of `size` bytes, whatever its settings: a little more than they were. */
const deflatedBound = (size: number): number => size + (size >> 3) + 64;
