import { createHash } from 'node:crypto';
import { beginObjectHash, type ObjectId } from '../git/object-id.ts';
import type { Slice } from '../spool/slice.ts';
import { adler32 } from '../zip/adler32.ts';
import { type CompressedFile, inflateEntry, inflateParts, isHeld } from '../zip/inflate-entry.ts';

export interface FileHashes {
  /** Of the blob that git makes of the file. */
  readonly id: ObjectId;
  readonly sha256: Uint8Array;
  readonly adler32: number;
  /** The content as one raw deflate stream. */
  readonly deflated: Slice;
  /** Undefined for a file that is too large to be held. */
  readonly content: Buffer | undefined;
}

/** Inflates a file of an upload, once for all that has to be known of it. Throws as inflateEntry. */
export async function hashFile(file: CompressedFile): Promise<FileHashes> {
  const sha256 = createHash('sha256');
  const blobHash = beginObjectHash('blob', file.bytes);
  let checksum = 1;
  const take = (part: Buffer) => {
    sha256.update(part);
    blobHash.update(part);
    checksum = adler32(part, checksum);
  };
  let content: Buffer | undefined;
  let deflated: Slice;
  if (isHeld(file)) {
    ({ content, deflated } = await inflateEntry(file));
    take(content);
  } else {
    deflated = await inflateParts(file, take);
  }
  return { id: blobHash.digest(), sha256: sha256.digest(), adler32: checksum, deflated, content };
}
