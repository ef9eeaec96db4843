import { createHash, hash } from 'node:crypto';

/** The SHA-1 of a git object: forty lower-case hexadecimal digits. */
export type ObjectId = string & { readonly __brand: 'ObjectId' };

export type ObjectKind = 'commit' | 'tree' | 'blob' | 'tag';

/** Whether `text` is a whole object id; the zero id, which names no object, is none. */
export function isObjectId(text: string): text is ObjectId {
  return /^(?!0{40})[0-9a-f]{40}$/.test(text);
}

/** Parses a whole object id; throws TypeError for anything else. */
export function parseObjectId(text: string): ObjectId {
  if (!isObjectId(text)) throw new TypeError(`not a git object id: ${JSON.stringify(text.slice(0, 60))}`);
  return text;
}

/** The id of an object: SHA-1 over its header and its content. */
export function hashObject(kind: ObjectKind, content: Uint8Array): ObjectId {
  const header = objectHeader(kind, content.byteLength);
  if (content.byteLength > scratch.byteLength - header.length) {
    const large = beginObjectHash(kind, content.byteLength);
    large.update(content);
    return large.digest();
  }
  // To copy a small content and hash it in one call takes half as long.
  scratch.write(header, 'latin1');
  scratch.set(content, header.length);
  return hash('sha1', scratch.subarray(0, header.length + content.byteLength)) as ObjectId;
}

const scratch = Buffer.allocUnsafeSlow(64 * 1024);

/** What git hashes before an object's content of so many bytes (gitformat-loose(5), "object header"); ASCII. */
export const objectHeader = (kind: ObjectKind, size: number): string => `${kind} ${size}\0`;

/** As `hashObject`, of content of `size` bytes that comes in pieces. */
export function beginObjectHash(kind: ObjectKind, size: number) {
  const objectHash = createHash('sha1').update(objectHeader(kind, size));
  return {
    update: (piece: Uint8Array): void => void objectHash.update(piece),
    digest: (): ObjectId => objectHash.digest('hex') as ObjectId,
  };
}

/** The tree with no entries: every repository has it. */
export const emptyTree: ObjectId = hashObject('tree', new Uint8Array(0));
