import { createHash, hash } from 'node:crypto';
import type { AtHand } from '../at-hand.ts';
import { beginObjectHash, hashObject, type ObjectId } from '../git/object-id.ts';
import { adler32 } from '../inflate/adler32.ts';
import type { Slice } from '../spool/slice.ts';
import type { InvalidZip } from '../zip/errors.ts';
import { type CompressedFile, inflateEntry, inflateParts, isHeld } from '../zip/inflate-entry.ts';

export interface FileHashes {
  /** Of the blob that git makes of the file. */
  readonly id: ObjectId;
  readonly sha256: Uint8Array;
  readonly adler32: number;
  /** The content as one raw deflate stream. */
  readonly deflated: Slice;
  /** Undefined where it is not wanted, and for a file that is too large to be held. */
  readonly content: Buffer | undefined;
}

export interface HashedEntry<File extends CompressedFile> {
  readonly file: File;
  /** Or what is wrong with the file, so that it can't be inflated. */
  readonly hashes: FileHashes | InvalidZip;
}

/** Inflates a file of an upload, once for all that has to be known of it. Throws as inflateEntry. */
export function hashFile(file: CompressedFile, isContentWanted: boolean): AtHand<FileHashes> {
  if (!isHeld(file)) return hashParts(file);
  return inflateEntry(file, (content, deflated) => ({
    id: hashObject('blob', content),
    sha256: hash('sha256', content, 'buffer'),
    adler32: adler32(content),
    deflated,
    content: isContentWanted ? Buffer.from(content) : undefined,
  }));
}

async function hashParts(file: CompressedFile): Promise<FileHashes> {
  const sha256 = createHash('sha256');
  const blobHash = beginObjectHash('blob', file.bytes);
  let checksum = 1;
  const deflated = await inflateParts(file, part => {
    sha256.update(part);
    blobHash.update(part);
    checksum = adler32(part, checksum);
  });
  return { id: blobHash.digest(), sha256: sha256.digest(), adler32: checksum, deflated, content: undefined };
}
