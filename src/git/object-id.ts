import { createHash } from 'node:crypto';

/** The SHA-1 of a git object: forty lower-case hexadecimal digits. */
export type ObjectId = string & { readonly __brand: 'ObjectId' };

export type ObjectKind = 'commit' | 'tree' | 'blob' | 'tag';

/** Whether `text` is a whole object id; the zero id, which names no object, is none. */
export function isObjectId(text: string): text is ObjectId {
  return /^[0-9a-f]{40}$/.test(text) && !/^0{40}$/.test(text);
}

/** Parses a whole object id; throws TypeError for anything else. */
export function parseObjectId(text: string): ObjectId {
  if (!isObjectId(text)) throw new TypeError(`not a git object id: ${JSON.stringify(text.slice(0, 60))}`);
  return text;
}

/** The id of an object: SHA-1 over `{kind} {bytes}\0{content}` (gitformat-loose(5), "object header"). */
export function hashObject(kind: ObjectKind, content: Uint8Array): ObjectId {
  const hash = beginObjectHash(kind, content.byteLength);
  hash.update(content);
  return hash.digest();
}

/** As `hashObject`, of content of `size` bytes that comes in pieces. */
export function beginObjectHash(kind: ObjectKind, size: number) {
  const hash = createHash('sha1').update(`${kind} ${size}\0`);
  return {
    update: (piece: Uint8Array): void => void hash.update(piece),
    digest: (): ObjectId => hash.digest('hex') as ObjectId,
  };
}

/** The tree with no entries: every repository has it. */
export const emptyTree: ObjectId = hashObject('tree', new Uint8Array(0));
