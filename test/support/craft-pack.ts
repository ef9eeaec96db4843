/** Packs made entry by entry, so that a test can put them in any order and name any base: gitformat-pack(5), version 2. */
import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';

/** Types of entries. */
export const entryTypes = { blob: 3, offsetDelta: 6, idDelta: 7 } as const;

export interface EntryOptions {
  /** Of a delta, as it stands in the entry: an id, or what `encodeDistance` gives. */
  readonly base?: Uint8Array;
  /** Of zlib. */
  readonly level?: number;
  /** Bytes of the content, as the entry says. */
  readonly size?: number;
}

/** An entry; `content` is the object's, or the delta. */
export const craftEntry = (
  type: number,
  content: Uint8Array,
  { base = Buffer.alloc(0), level = 6, size = content.byteLength }: EntryOptions = {},
): Buffer => Buffer.concat([encodeHead(type, size), base, deflateSync(content, { level })]);

/** Four bits of the size beside the type, then seven a byte, the lowest first. */
function encodeHead(type: number, size: number): Buffer {
  const bytes = [(type << 4) | (size & 15)];
  for (let rest = size >> 4; rest > 0; rest >>= 7) bytes.push((bytes.pop() ?? 0) | 0x80, rest & 127);
  return Buffer.from(bytes);
}

/** How far before a delta its base begins: seven bits a byte, the highest first, each further byte counting from one up. */
export function encodeDistance(distance: number): Buffer {
  const bytes = [distance & 127];
  for (let rest = (distance >> 7) - 1; rest >= 0; rest = (rest >> 7) - 1) bytes.unshift(0x80 | (rest & 127));
  return Buffer.from(bytes);
}

/** A blob's entry of so many bytes. */
export function craftFiller(bytes: number): Buffer {
  let size = bytes;
  for (let tries = 0; tries < 5; tries++) {
    const filler = craftEntry(entryTypes.blob, Buffer.alloc(size), { level: 0 });
    if (filler.byteLength === bytes) return filler;
    size += bytes - filler.byteLength;
  }
  throw new Error(`there is no entry of ${bytes} bytes`);
}

/** A delta that copies `base`, of less than 127 bytes, and adds one character. */
export const appendingDelta = (base: Buffer, character: string): Buffer => {
  const { byteLength: size } = base;
  return Buffer.concat([Buffer.from([size, size + 1, 0x90, size, 1]), Buffer.from(character)]);
};

/** `count` is how many entries it says it has. */
export function craftPack(entries: readonly Uint8Array[], count = entries.length): Buffer {
  const header = Buffer.from('PACK\0\0\0\x02\0\0\0\0', 'latin1');
  header.writeUInt32BE(count, 8);
  return seal(Buffer.concat([header, ...entries]));
}

/** Adds the checksum that fits. */
export const seal = (body: Buffer): Buffer => Buffer.concat([body, createHash('sha1').update(body).digest()]);
