import { deflateSync } from 'node:zlib';
import { hashObject, type ObjectId, type ObjectKind } from './object-id.ts';

/** A git object as a pack carries it. */
export interface PackedObject {
  readonly kind: ObjectKind;
  readonly id: ObjectId;
  /** Bytes of the content, inflated. */
  readonly size: number;
  /** The content as one zlib stream (RFC 1950), in pieces: an upload's own deflate data is used without a copy. */
  readonly zlib: readonly Uint8Array[];
}

/** Packs `content`, compressing it. */
export function packObject(kind: ObjectKind, content: Uint8Array): PackedObject {
  return { kind, id: hashObject(kind, content), size: content.byteLength, zlib: [deflateSync(content)] };
}
