/**
 * The records of a zip, from bytes: PKWARE's APPNOTE.TXT 6.3, its sections named below. They are read here, and not by a library,
 * because a zip is in memory or on the disk, and a library reads a file by one call to the system for each record.
 */
import { readSlice, type Slice, sliceBytes, subslice } from '../spool/slice.ts';
import { InvalidZip, type ZipFault } from './errors.ts';

/** Where a zip says that its directory is. */
export interface DirectoryPlace {
  readonly entryCount: number;
  readonly start: number;
  readonly bytes: number;
  /** Where the record begins that says so, which is what comes behind the directory. */
  readonly end: number;
}

/** What both headers of an entry have, the one in the directory and the local one, in front of the data. */
export interface EntryHeader {
  readonly flags: number;
  readonly method: number;
  readonly crc32: number;
  readonly compressedBytes: number;
  /** Inflated. */
  readonly bytes: number;
  readonly rawName: Buffer;
}

export interface DirectoryHeader extends EntryHeader {
  /** The system that the zip was made on is the upper byte (4.4.2). */
  readonly madeBy: number;
  readonly attributes: number;
  /** Where the local header is. */
  readonly localStart: number;
  /** Where the next header of the directory is. */
  readonly end: number;
}

export interface LocalHeader extends EntryHeader {
  readonly dataStart: number;
}

const endSignature = Buffer.from('PK\x05\x06');
const signatures = {
  header: 0x02014b50,
  local: 0x04034b50,
  end64: 0x06064b50,
  locator64: 0x07064b50,
  descriptor: 0x08074b50,
};

const max16 = 0xffff;
const max32 = 0xffffffff;

function refuse(reason: string): never {
  const fault: ZipFault = { code: 'not-a-zip', file: '', reason };
  throw new InvalidZip([fault]);
}

/** Of records there are many, and most are at hand: to wait all the same takes longer than to read them. */
type AtHand<T> = T | Promise<T>;

const whenThere = <T, U>(found: AtHand<T>, use: (found: T) => AtHand<U>): AtHand<U> =>
  found instanceof Promise ? found.then(use) : use(found);

function readExactly(body: Slice, start: number, length: number): AtHand<Buffer> {
  if (start + length > sliceBytes(body)) refuse('it ends too early');
  return readSlice(subslice(body, start, start + length));
}

const readWide = (record: Buffer, at: number): number => Number(record.readBigUInt64LE(at));

/**
 * 4.3.14 to 4.3.16. archive/zip looks at zip64's record only where the plain one has no room for the numbers, other readers
 * wherever there is one: so the two must say the same. Throws InvalidZip.
 */
export async function findDirectory(body: Slice): Promise<DirectoryPlace> {
  const size = sliceBytes(body);
  const tail = await readSlice(subslice(body, Math.max(0, size - 22 - max16), size));
  const at = tail.lastIndexOf(endSignature, -22);
  if (at < 0) refuse('it has no end: it is no zip, or not the whole of one');
  const record = tail.subarray(at);
  if (record.length !== 22 + record.readUInt16LE(20)) refuse('its end is followed by something else than its comment');
  const end = size - record.length;
  const plain = {
    entryCount: record.readUInt16LE(10),
    bytes: record.readUInt32LE(12),
    start: record.readUInt32LE(16),
    end,
  };
  const locator = await readSlice(subslice(body, Math.max(0, end - 20), end));
  if (locator.length < 20 || locator.readUInt32LE() !== signatures.locator64) {
    if (record.readUInt16LE(4) !== 0) refuse(ofMoreDisks);
    return plain;
  }
  const wide = await readEnd64(body, readWide(locator, 8));
  const isOneDisk = locator.readUInt32LE(4) === 0 && locator.readUInt32LE(16) === 1;
  const isWide = isOneDisk && (plain.entryCount === max16 || plain.start === max32);
  const found = isWide ? wide : plain;
  if (found.entryCount !== wide.entryCount || found.start !== wide.start) {
    refuse('what its end says of its directory is said twice and differs');
  }
  return found;
}

const ofMoreDisks = 'it is on more than one disk';

async function readEnd64(body: Slice, at: number): Promise<DirectoryPlace> {
  const record = await readExactly(body, at, 56);
  if (record.readUInt32LE() !== signatures.end64) refuse('its end in zip64 is not where it should be');
  if (record.readUInt32LE(16) !== 0) refuse(ofMoreDisks);
  return { entryCount: readWide(record, 32), bytes: readWide(record, 40), start: readWide(record, 48), end: at };
}

export async function isHeaderAt(body: Slice, at: number): Promise<boolean> {
  const signature = await readSlice(subslice(body, at, at + 4));
  return signature.length === 4 && signature.readUInt32LE() === signatures.header;
}

/** A header of the directory (4.3.12). Throws InvalidZip. */
export const readHeader = (body: Slice, start: number): AtHand<DirectoryHeader> =>
  whenThere(readExactly(body, start, 46), record => {
    if (record.readUInt32LE() !== signatures.header) refuse('a header of its directory is damaged');
    if ((record.readUInt16LE(8) & 0x40) !== 0) refuse('its directory is encrypted');
    const restBytes = record.readUInt16LE(28) + record.readUInt16LE(30) + record.readUInt16LE(32);
    return whenThere(readExactly(body, start + 46, restBytes), rest => parseHeader(record, rest, start));
  });

/** `rest` are the name, the extra fields and the comment. */
function parseHeader(record: Buffer, rest: Buffer, start: number): DirectoryHeader {
  const nameBytes = record.readUInt16LE(28);
  const extraBytes = record.readUInt16LE(30);
  const extra = rest.subarray(nameBytes, nameBytes + extraBytes);
  if (extraBytes > 0 && !hasSoundFields(extra)) refuse('an extra field is longer than the room for it');
  const narrow = [record.readUInt32LE(24), record.readUInt32LE(20), record.readUInt32LE(42)];
  const [bytes = 0, compressedBytes = 0, localStart = 0] = narrow.includes(max32) ? widen(narrow, extra) : narrow;
  return {
    madeBy: record.readUInt16LE(4),
    flags: record.readUInt16LE(8),
    method: record.readUInt16LE(10),
    crc32: record.readUInt32LE(16),
    compressedBytes,
    bytes,
    rawName: rest.subarray(0, nameBytes),
    attributes: record.readUInt32LE(38),
    localStart,
    end: start + 46 + rest.length,
  };
}

/** Those of the numbers that have no room where they stand are in zip64's field, one behind the other (4.5.3). */
function widen(narrow: readonly number[], extra: Buffer): number[] {
  const field = findField64(extra);
  let at = 0;
  return narrow.map(number => {
    if (number !== max32 || field === undefined) return number;
    at += 8;
    if (at > field.length) refuse('a zip64 field is too short');
    return readWide(field, at - 8);
  });
}

interface Field {
  readonly id: number;
  readonly start: number;
  readonly end: number;
}

/** 4.5.1 */
function* fieldsOf(extra: Buffer): Generator<Field, void> {
  for (let at = 0; at + 4 <= extra.length; ) {
    const field = { id: extra.readUInt16LE(at), start: at + 4, end: at + 4 + extra.readUInt16LE(at + 2) };
    yield field;
    at = field.end;
  }
}

function hasSoundFields(extra: Buffer): boolean {
  for (const { end } of fieldsOf(extra)) if (end > extra.length) return false;
  return true;
}

function findField64(extra: Buffer): Buffer | undefined {
  for (const { id, start, end } of fieldsOf(extra)) if (id === 1) return extra.subarray(start, end);
  return undefined;
}

/** The header in front of an entry's data (4.3.7). Throws InvalidZip, also where there is no room for the data. */
export const readLocalHeader = (body: Slice, { localStart, compressedBytes }: DirectoryHeader): AtHand<LocalHeader> =>
  whenThere(readExactly(body, localStart, 30), record => {
    if (record.readUInt32LE() !== signatures.local) refuse('there is no header in front of its data');
    const nameBytes = record.readUInt16LE(26);
    const nameStart = localStart + 30;
    const dataStart = nameStart + nameBytes + record.readUInt16LE(28);
    if (dataStart + compressedBytes > sliceBytes(body)) refuse('its data reaches beyond the end');
    return whenThere(readExactly(body, nameStart, dataStart - nameStart), rest => ({
      flags: record.readUInt16LE(6),
      method: record.readUInt16LE(8),
      crc32: record.readUInt32LE(14),
      ...localSizes(record, rest.subarray(nameBytes)),
      rawName: rest.subarray(0, nameBytes),
      dataStart,
    }));
  });

/** Zip64's field has both where one has no room (4.5.3). */
function localSizes(record: Buffer, extra: Buffer): { compressedBytes: number; bytes: number } {
  const sizes = { compressedBytes: record.readUInt32LE(18), bytes: record.readUInt32LE(22) };
  if (sizes.compressedBytes !== max32 && sizes.bytes !== max32) return sizes;
  const field = findField64(extra);
  if (field === undefined || field.length < 16) return sizes;
  return { compressedBytes: readWide(field, 8), bytes: readWide(field, 0) };
}

/** The checksum in the descriptor behind an entry's data, which has a signature or not (4.3.9; archive/zip, readDataDescriptor). */
export const readDescriptorCrc32 = (body: Slice, at: number): AtHand<number | undefined> =>
  whenThere(readSlice(subslice(body, at, at + 8)), record => {
    if (record.length < 4) return undefined;
    const first = record.readUInt32LE();
    if (first !== signatures.descriptor) return first;
    return record.length < 8 ? undefined : record.readUInt32LE(4);
  });
