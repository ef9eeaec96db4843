/**
 * The records of a zip, from bytes: PKWARE's APPNOTE.TXT 6.3, its sections named below. They are read here, and not by a library,
 * because a zip is in memory or on the disk, and a library reads a file by one call to the system for each record.
 */
import type { AtHand } from '../at-hand.ts';
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
}

export interface DirectoryHeader extends EntryHeader {
  /** What its name's bytes are in UTF-8. */
  readonly name: string;
  /** The name's bytes, where `name` does not tell them: what is not UTF-8 becomes U+FFFD, which a name may also have. */
  readonly rawName: Buffer | undefined;
  /** The system that the zip was made on is the upper byte (4.4.2). */
  readonly madeBy: number;
  readonly attributes: number;
  /** Where the local header is. */
  readonly localStart: number;
  /** Where the next header of the directory is. */
  readonly end: number;
}

export interface LocalHeader extends EntryHeader {
  /** The name in it, where it is not the one in the directory. */
  readonly otherName: string | undefined;
  readonly dataStart: number;
}

const endSignature = Buffer.from('PK\x05\x06');
/** Of records, as a number in front of each. */
export const signatures = {
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

/** Bytes of a zip that are read at once where it is on the disk: for more than a few entries at random places there would be no use. */
const windowBytes = 4096;

/** A zip's bytes, some of which are at hand: all where it is in memory, else those around what was asked for last. */
export class RecordReader {
  readonly byteLength: number;
  /** Those at hand, until others are asked for. */
  bytes: Buffer = Buffer.alloc(0);
  readonly #body: Slice;
  #start = 0;

  constructor(body: Slice) {
    this.#body = body;
    this.byteLength = sliceBytes(body);
    if (Buffer.isBuffer(body.bulk)) this.bytes = body.bulk.subarray(body.start, body.end);
  }

  /** Brings to hand what begins at `start` and has `length` bytes; undefined where it is. Throws InvalidZip where the zip ends before. */
  reach(start: number, length: number): Promise<void> | undefined {
    if (start + length > this.byteLength) refuse('it ends too early');
    if (start >= this.#start && start + length <= this.#start + this.bytes.byteLength) return undefined;
    return this.#load(start, Math.max(length, windowBytes));
  }

  async #load(start: number, length: number): Promise<void> {
    this.bytes = await readSlice(subslice(this.#body, start, start + length));
    this.#start = start;
  }

  /** Where in `bytes` is what was reached. */
  at(start: number): number {
    return start - this.#start;
  }
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
  if (at + 56 > sliceBytes(body)) refuse('it ends too early');
  const record = await readSlice(subslice(body, at, at + 56));
  if (record.readUInt32LE() !== signatures.end64) refuse('its end in zip64 is not where it should be');
  if (record.readUInt32LE(16) !== 0) refuse(ofMoreDisks);
  return { entryCount: readWide(record, 32), bytes: readWide(record, 40), start: readWide(record, 48), end: at };
}

export async function isHeaderAt(body: Slice, at: number): Promise<boolean> {
  const signature = await readSlice(subslice(body, at, at + 4));
  return signature.length === 4 && signature.readUInt32LE() === signatures.header;
}

/** A header of the directory (4.3.12). Throws InvalidZip. */
export function readHeader(directory: RecordReader, start: number): AtHand<DirectoryHeader> {
  const again = () => readHeader(directory, start);
  const waited = directory.reach(start, headerBytes);
  if (waited !== undefined) return waited.then(again);
  const { bytes } = directory;
  const at = directory.at(start);
  if (bytes.readUInt32LE(at) !== signatures.header) refuse('a header of its directory is damaged');
  if ((bytes.readUInt16LE(at + 8) & 0x40) !== 0) refuse('its directory is encrypted');
  const rest = bytes.readUInt16LE(at + 28) + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  const restWaited = directory.reach(start, headerBytes + rest);
  return restWaited === undefined ? parseHeader(bytes, at, start + headerBytes + rest) : restWaited.then(again);
}

const headerBytes = 46;

function parseHeader(record: Buffer, at: number, end: number): DirectoryHeader {
  const nameEnd = at + headerBytes + record.readUInt16LE(at + 28);
  const extraBytes = record.readUInt16LE(at + 30);
  const extra = extraBytes > 0 ? record.subarray(nameEnd, nameEnd + extraBytes) : noBytes;
  if (extraBytes > 0 && !hasSoundFields(extra)) refuse('an extra field is longer than the room for it');
  let bytes = record.readUInt32LE(at + 24);
  let compressedBytes = record.readUInt32LE(at + 20);
  let localStart = record.readUInt32LE(at + 42);
  if (bytes === max32 || compressedBytes === max32 || localStart === max32) {
    [bytes = 0, compressedBytes = 0, localStart = 0] = widen([bytes, compressedBytes, localStart], extra);
  }
  const name = record.toString('utf8', at + headerBytes, nameEnd);
  return {
    madeBy: record.readUInt16LE(at + 4),
    flags: record.readUInt16LE(at + 8),
    method: record.readUInt16LE(at + 10),
    crc32: record.readUInt32LE(at + 16),
    compressedBytes,
    bytes,
    name,
    rawName: name.includes('\ufffd') ? record.subarray(at + headerBytes, nameEnd) : undefined,
    attributes: record.readUInt32LE(at + 38),
    localStart,
    end,
  };
}

const noBytes = Buffer.alloc(0);

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
export function readLocalHeader(archive: RecordReader, header: DirectoryHeader): AtHand<LocalHeader> {
  const { localStart, compressedBytes } = header;
  const again = () => readLocalHeader(archive, header);
  const waited = archive.reach(localStart, localHeaderBytes);
  if (waited !== undefined) return waited.then(again);
  const { bytes } = archive;
  const at = archive.at(localStart);
  if (bytes.readUInt32LE(at) !== signatures.local) refuse('there is no header in front of its data');
  const nameBytes = bytes.readUInt16LE(at + 26);
  const dataStart = localStart + localHeaderBytes + nameBytes + bytes.readUInt16LE(at + 28);
  if (dataStart + compressedBytes > archive.byteLength) refuse('its data reaches beyond the end');
  const restWaited = archive.reach(localStart, dataStart - localStart);
  return restWaited === undefined
    ? parseLocalHeader(bytes, at, { header, nameBytes, dataStart })
    : restWaited.then(again);
}

/** Without its name and extra field. */
export const localHeaderBytes = 30;

function parseLocalHeader(
  record: Buffer,
  at: number,
  { header, nameBytes, dataStart }: { header: DirectoryHeader; nameBytes: number; dataStart: number },
): LocalHeader {
  const nameStart = at + localHeaderBytes;
  const nameEnd = nameStart + nameBytes;
  const name = record.toString('utf8', nameStart, nameEnd);
  const isSame = name === header.name && header.rawName?.equals(record.subarray(nameStart, nameEnd)) !== false;
  let compressedBytes = record.readUInt32LE(at + 18);
  let bytes = record.readUInt32LE(at + 22);
  if (compressedBytes === max32 || bytes === max32) {
    // Zip64's field has both where one has no room (4.5.3).
    const field = findField64(record.subarray(nameEnd, at + dataStart - header.localStart));
    if (field !== undefined && field.length >= 16) [bytes, compressedBytes] = [readWide(field, 0), readWide(field, 8)];
  }
  return {
    flags: record.readUInt16LE(at + 6),
    method: record.readUInt16LE(at + 8),
    crc32: record.readUInt32LE(at + 14),
    compressedBytes,
    bytes,
    otherName: isSame ? undefined : name,
    dataStart,
  };
}

/** The checksum in the descriptor behind an entry's data, which has a signature or not (4.3.9; archive/zip, readDataDescriptor). */
export function readDescriptorCrc32(archive: RecordReader, start: number): AtHand<number | undefined> {
  const room = Math.min(8, archive.byteLength - start);
  if (room < 4) return undefined;
  const waited = archive.reach(start, room);
  if (waited !== undefined) return waited.then(() => readDescriptorCrc32(archive, start));
  const at = archive.at(start);
  const first = archive.bytes.readUInt32LE(at);
  if (first !== signatures.descriptor) return first;
  return room < 8 ? undefined : archive.bytes.readUInt32LE(at + 4);
}
