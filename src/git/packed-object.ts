import { deflateSync } from 'node:zlib';
import { adler32 } from '../inflate/adler32.ts';
import { type Slice, sliceBytes } from '../spool/slice.ts';
import { parseCommit } from './commit.ts';
import { hashObject, isObjectId, type ObjectId, type ObjectKind } from './object-id.ts';
import { parseTree } from './parse-tree.ts';
import { inflateExactly } from './read-pack.ts';

/** A git object as a pack carries it. */
export type PackedObject = HeldObject | KeptBlob;

interface ObjectFacts {
  readonly kind: ObjectKind;
  readonly id: ObjectId;
  /** Bytes of the content, inflated. */
  readonly size: number;
}

/** An object in memory. */
export interface HeldObject extends ObjectFacts {
  /** The content as one zlib stream (RFC 1950), in pieces: what is compressed already is used without a copy. */
  readonly zlib: readonly Uint8Array[];
  /** The objects that it needs beside it, where whoever made it has told. */
  readonly names?: readonly ObjectId[] | undefined;
}

/** A file of which the most may lie on the disk until it is sent. */
export interface KeptBlob extends ObjectFacts {
  readonly kind: 'blob';
  readonly zlib: readonly (Uint8Array | Slice)[];
}

/** Packs `content`. A tree is not compressed: most of it are ids, and each call of deflate takes longer than all else that a tree needs. */
export function packObject(kind: ObjectKind, content: Uint8Array, names?: readonly ObjectId[]): HeldObject {
  const zlib = kind === 'tree' ? storeAsZlib(content) : deflateSync(content);
  return { kind, id: hashObject(kind, content), size: content.byteLength, zlib: [zlib], names };
}

const maxStoredBytes = 0xffff;

/** A zlib stream (RFC 1950) of blocks that hold the content as it is (RFC 1951, section 3.2.4). */
function storeAsZlib(content: Uint8Array): Buffer {
  const blocks = Math.max(1, Math.ceil(content.byteLength / maxStoredBytes));
  const zlib = Buffer.allocUnsafe(2 + 5 * blocks + content.byteLength + 4);
  let at = zlib.writeUInt16BE(0x7801);
  for (let block = 1; block <= blocks; block++) {
    const stored = content.subarray((block - 1) * maxStoredBytes, block * maxStoredBytes);
    at = zlib.writeUInt8(block === blocks ? 1 : 0, at);
    at = zlib.writeUInt16LE(stored.byteLength, at);
    at = zlib.writeUInt16LE(~stored.byteLength & 0xffff, at);
    zlib.set(stored, at);
    at += stored.byteLength;
  }
  zlib.writeUInt32BE(adler32(content), at);
  return zlib;
}

/** Bytes of what the object is packed as. */
export const packedBytes = ({ zlib }: PackedObject): number =>
  zlib.reduce((bytes, piece) => bytes + (piece instanceof Uint8Array ? piece.byteLength : sliceBytes(piece)), 0);

/** The objects that this one needs beside it in a repository: a commit's tree and parents, a tree's entries without submodules, a tag's target. */
export function namedBy(object: PackedObject): readonly ObjectId[] {
  if (object.kind === 'blob') return [];
  if (object.names !== undefined) return object.names;
  const { content } = inflateExactly(Buffer.concat(object.zlib), object.size);
  switch (object.kind) {
    case 'commit': {
      const { tree, parents } = parseCommit(object.id, content);
      return [tree, ...parents];
    }
    case 'tree':
      return parseTree(object.id, content).flatMap(entry => (entry.mode === '160000' ? [] : [entry.id]));
    case 'tag':
      return content.toString('latin1').slice('object '.length).split('\n', 1).filter(isObjectId);
  }
}
