import { deflateSync, inflateSync } from 'node:zlib';
import { parseCommit } from './commit.ts';
import { hashObject, isObjectId, type ObjectId, type ObjectKind } from './object-id.ts';
import { parseTree } from './parse-tree.ts';

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

/** The objects that this one needs beside it in a repository: a commit's tree and parents, a tree's entries without submodules, a tag's target. */
export function namedBy({ kind, id, zlib }: PackedObject): ObjectId[] {
  if (kind === 'blob') return [];
  const content = inflateSync(Buffer.concat(zlib));
  switch (kind) {
    case 'commit': {
      const { tree, parents } = parseCommit(id, content);
      return [tree, ...parents];
    }
    case 'tree':
      return parseTree(id, content).flatMap(entry => (entry.mode === '160000' ? [] : [entry.id]));
    case 'tag':
      return content.toString('latin1').slice('object '.length).split('\n', 1).filter(isObjectId);
  }
}
