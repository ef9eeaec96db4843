/** Blobs as a snapshot holds them: compressed, and ready for a zip. */
import { createHash, hash } from 'node:crypto';
import { promisify } from 'node:util';
import { crc32, deflateRaw, deflateRawSync, inflateRaw, inflateRawSync } from 'node:zlib';
import { giveWay } from '../give-way.ts';
import { readSlice, type Slice, sliceOf } from '../spool/slice.ts';
import { beginObjectHash, hashObject, type ObjectId, type ObjectKind } from './object-id.ts';

/** A blob's content as one deflate stream (RFC 1951), and what is known of it from when it was checked. */
export interface DeflatedBlob {
  readonly data: Slice;
  /** Bytes of the content. */
  readonly size: number;
  readonly crc32: number;
  readonly sha256: Buffer;
}

/** What a DeflatedBlob says beside its data. */
export type Digests = Omit<DeflatedBlob, 'data'>;

/** One who waits for the first zip is better off with the fastest. */
const level = 1;

/** Bytes. Below, handing the work to another thread takes longer than the work. */
const largeBytes = 256 * 1024;

/** Bytes that are hashed at a time: a few milliseconds' work. */
const pieceBytes = 2 ** 20;

const deflateLarge = promisify(deflateRaw);
const inflateLarge = promisify(inflateRaw);

export const blobOf = ({ size, crc32, sha256 }: Digests, data: Slice): DeflatedBlob => ({ data, size, crc32, sha256 });

export interface Digested {
  readonly id: ObjectId;
  readonly digests: Digests;
}

/** Hashes an object as git does, and for zips too. */
function digestObject(kind: ObjectKind, content: Buffer): Digested {
  const digests = { size: content.byteLength, crc32: crc32(content), sha256: hash('sha256', content, 'buffer') };
  return { id: hashObject(kind, content), digests };
}

/** The same; others have their turn where it is large. What is not is hashed before anything is waited for. */
export async function digestInTurns(kind: ObjectKind, content: Buffer): Promise<Digested> {
  const size = content.byteLength;
  if (size <= pieceBytes) return digestObject(kind, content);
  const objectHash = beginObjectHash(kind, size);
  const sha256 = createHash('sha256');
  let crc = 0;
  for (let at = 0; at < size; at += pieceBytes) {
    await giveWay();
    const piece = content.subarray(at, at + pieceBytes);
    objectHash.update(piece);
    sha256.update(piece);
    crc = crc32(piece, crc);
  }
  return { id: objectHash.digest(), digests: { size, crc32: crc, sha256: sha256.digest() } };
}

/** The blob of no bytes. */
export const emptyBlob: DeflatedBlob = {
  data: sliceOf(deflateRawSync(Buffer.alloc(0))),
  size: 0,
  crc32: 0,
  sha256: createHash('sha256').digest(),
};

/** Content as one deflate stream. */
export const deflate = async (content: Buffer): Promise<Buffer> =>
  content.byteLength < largeBytes ? deflateRawSync(content, { level }) : await deflateLarge(content, { level });

/** Puts a copy of compressed data where it stays. */
export type Keep = (data: Buffer) => Slice | Promise<Slice>;

/** Compresses content; `digests`, where they are known, are its own. */
export async function deflateBlob(content: Buffer, keep: Keep, digests?: Digests): Promise<DeflatedBlob> {
  const known = digests ?? (await digestInTurns('blob', content)).digests;
  return blobOf(known, await keep(await deflate(content)));
}

/** The blob's content, anew at each call. */
export const inflateBlob = ({ data, size }: DeflatedBlob): Promise<Buffer> => inflateDeflated(data, size);

/** The content of `size` bytes that was deflated. */
export async function inflateDeflated(data: Slice, size: number): Promise<Buffer> {
  const bytes = await readSlice(data);
  return size < largeBytes ? inflateRawSync(bytes) : await inflateLarge(bytes);
}

/**
 * The deflate stream inside of a sound zlib stream (RFC 1950), as a slice: behind the header, before the checksum. It can stand alone: a zlib stream
 * that needs a preset dictionary is not inflated without it, and no window is larger than a zip reader's.
 */
export const deflateOf = (zlib: Buffer): Buffer => zlib.subarray(2, -4);
