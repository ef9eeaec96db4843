import { deflateSync, inflateSync } from 'node:zlib';
import { type Slice, sliceBytes } from '../spool/slice.ts';
import { parseCommit } from './commit.ts';
import { hashObject, isObjectId, type ObjectId, type ObjectKind } from './object-id.ts';
import { parseTree } from './parse-tree.ts';

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
}

/** A file of which the most may lie on the disk until it is sent. */
export interface KeptBlob extends ObjectFacts {
  readonly kind: 'blob';
  readonly zlib: readonly (Uint8Array | Slice)[];
}

/** Packs `content`, compressing it. */
export function packObject(kind: ObjectKind, content: Uint8Array): HeldObject {
  return { kind, id: hashObject(kind, content), size: content.byteLength, zlib: [deflateSync(content)] };
}

/** Bytes of what the object is packed as. */
export const packedBytes = ({ zlib }: PackedObject): number =>
  zlib.reduce((bytes, piece) => bytes + (piece instanceof Uint8Array ? piece.byteLength : sliceBytes(piece)), 0);

/** The objects that this one needs beside it in a repository: a commit's tree and parents, a tree's entries without submodules, a tag's target. */
export function namedBy(object: PackedObject): ObjectId[] {
  if (object.kind === 'blob') return [];
  const content = inflateSync(Buffer.concat(object.zlib));
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
