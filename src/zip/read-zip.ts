/**
 * Reading a zip that a stranger sent. The directory at its end is what counts, as for Go's archive/zip; what in the archive
 * disagrees with it is refused, so that no two readers can see different files in it. Names are raw bytes in UTF-8:
 * nothing makes `/` of `\`, nothing is taken for cp437, and the Unicode extra field is ignored, as Go does.
 * The format is PKWARE's APPNOTE.TXT 6.3.
 */
import { constants, isUtf8 } from 'node:buffer';
import { promisify } from 'node:util';
import { crc32, createInflateRaw, deflateRaw, deflateRawSync, inflateRaw, inflateRawSync } from 'node:zlib';
import { type Entry, fromBufferPromise, type LocalFileHeader, type ZipFile } from 'yauzl';
import { InvalidZip, type ZipFault } from './errors.ts';
import { giveWay } from './give-way.ts';

/** Go has no such limit. But an entry takes 80 bytes of an upload and several hundred here, and memory must have a bound. */
export const maxEntries = 200_000;

const methods = { stored: 0, deflated: 8 } as const;

/** A file or folder of a zip. */
export interface ZipEntry {
  /** As the zip has it; a folder's ends with `/`. */
  readonly rawName: Buffer;
  readonly name: string;
  readonly isDirectory: boolean;
  /** 0 stored, 8 deflated; means nothing for a folder. */
  readonly method: number;
  /** Inflated, as declared: known to be true once inflateEntry has returned. */
  readonly bytes: number;
  readonly compressedBytes: number;
  readonly crc32: number;
  /** inode(7)'s bits, if the zip was made on Unix; 0 says nothing. */
  readonly unixMode: number | undefined;
  /** The content as the zip has it: a slice of the upload. */
  readonly data: Buffer;
}

/**
 * Lists a zip's entries in the order of its directory; no content is looked at yet. Buffers in it are slices of `body`.
 * Throws InvalidZip with every problem found.
 */
export async function readZip(body: Buffer): Promise<ZipEntry[]> {
  const entries: ZipEntry[] = [];
  const problems: ZipFault[] = [];
  const spans: Span[] = [];
  try {
    const { zip, archive, directoryEnd } = await openZip(body);
    const start = cursorOf(zip);
    for await (const header of headersOf(zip)) {
      const { entry, span, faults } = await readEntry(zip, header, archive);
      entries.push(entry);
      if (span) spans.push(span);
      problems.push(...faults);
    }
    const end = cursorOf(zip);
    spans.push({ name: '', start, end });
    // yauzl stops after so many entries as are declared; archive/zip reads whatever is there, and then compares.
    if (end !== directoryEnd) {
      problems.push(unreadable(`its directory of ${zip.entryCount} entries does not fill the room it has`));
    }
  } catch (error) {
    if (!(error instanceof InvalidZip)) throw error;
    problems.push(...error.problems);
  }
  problems.push(...overlaps(spans));
  if (problems.length > 0) throw new InvalidZip(problems);
  return entries;
}

const unreadable = (reason: string): ZipFault => ({ code: 'not-a-zip', file: '', reason });

const directorySignature = Buffer.from('PK\x01\x02');

/** Opens the archive, which may have something in front of it, as a self-extracting one has (archive/zip, readDirectoryEnd). */
async function openZip(body: Buffer): Promise<{ zip: ZipFile; archive: Buffer; directoryEnd: number }> {
  const zip = await faultsOfYauzl(fromBufferPromise(body, { decodeStrings: false, validateEntrySizes: false }));
  const end = readEnd(body, body.length - endBytes - Buffer.byteLength(zip.comment));
  const before = end.at - end.directoryBytes - end.directoryStart;
  const start = body.subarray(end.directoryStart, end.directoryStart + 4);
  if (before > 0 && !start.equals(directorySignature)) return openZip(body.subarray(before));
  if (before < 0 || end.entryCount !== zip.entryCount || end.directoryStart !== cursorOf(zip)) {
    throw new InvalidZip([unreadable('what its end says of its directory does not fit, or is said twice and differs')]);
  }
  if (zip.entryCount > maxEntries) {
    const reason = `it has ${zip.entryCount} entries, and ${maxEntries} is the most`;
    throw new InvalidZip([{ code: 'too-many-entries', file: '', reason }]);
  }
  return { zip, archive: body, directoryEnd: end.at };
}

/** Bytes of the end record without its comment. */
const endBytes = 22;

interface End {
  readonly at: number;
  readonly entryCount: number;
  readonly directoryBytes: number;
  readonly directoryStart: number;
}

/** The end record, or where that has no room for its numbers, the zip64 one (APPNOTE 4.3.14 to 4.3.16); yauzl found both sound. */
function readEnd(body: Buffer, at: number): End {
  const end = {
    at,
    entryCount: body.readUInt16LE(at + 10),
    directoryBytes: body.readUInt32LE(at + 12),
    directoryStart: body.readUInt32LE(at + 16),
  };
  const locator = body.subarray(Math.max(0, at - 20), at);
  if (end.entryCount !== 0xffff && end.directoryStart !== 0xffffffff) return end;
  if (!locator.subarray(0, 8).equals(zip64Locator) || locator.readUInt32LE(16) !== 1) return end;
  const at64 = Number(locator.readBigUInt64LE(8));
  const [entryCount = 0, directoryBytes = 0, directoryStart = 0] = [32, 40, 48].map(field =>
    Number(body.readBigUInt64LE(at64 + field)),
  );
  return { at: at64, entryCount, directoryBytes, directoryStart };
}

/** Signature and number of the disk: there is one disk only. */
const zip64Locator = Buffer.from('PK\x06\x07\0\0\0\0');

/** Where in the archive yauzl reads on (its types have this number as a boolean). */
const cursorOf = (zip: ZipFile): number => Number(zip.readEntryCursor);

async function* headersOf(zip: ZipFile): AsyncGenerator<Entry, void> {
  const headers = zip.eachEntry();
  for (;;) {
    const next = await faultsOfYauzl(headers.next());
    if (next.done) return;
    yield next.value;
  }
}

/** yauzl throws plain errors, and one entry that it can't read ends the reading. */
async function faultsOfYauzl<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    throw new InvalidZip([unreadable(error instanceof Error ? error.message : String(error))], { cause: error });
  }
}

interface Span {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** One entry, checked against its local header; without a span where that can't be read. */
async function readEntry(
  zip: ZipFile,
  header: Entry,
  archive: Buffer,
): Promise<{ entry: ZipEntry; span: Span | undefined; faults: ZipFault[] }> {
  const faults: ZipFault[] = [];
  const name = header.fileNameRaw.toString();
  const fault = (code: string, reason: string) => faults.push({ code, file: name, reason });
  const entry = {
    name,
    isDirectory: name.endsWith('/'),
    method: header.compressionMethod,
    bytes: header.uncompressedSize,
    compressedBytes: header.compressedSize,
    crc32: header.crc32,
    unixMode: unixModeOf(header),
  };
  if (!isUtf8(header.fileNameRaw)) fault('name-encoding', 'the name is not in UTF-8');
  if (header.isEncrypted()) fault('encrypted', 'it is encrypted');
  const irregular = fileTypeFault(entry);
  if (irregular !== undefined) fault('irregular-file', irregular);
  // The content of folders is never read, and some tools declare nonsense for it (archive/zip, File.Open).
  if (entry.isDirectory) {
    if (entry.bytes !== 0) fault('directory-content', 'it is a folder, and has content');
  } else if (entry.method !== methods.stored && entry.method !== methods.deflated) {
    fault('method', `it is compressed by method ${entry.method}; only 0 (stored) and 8 (deflated) are read`);
  } else if (entry.method === methods.stored && entry.bytes !== entry.compressedBytes) {
    fault('size', `it is stored, but declares ${entry.bytes} bytes and then ${entry.compressedBytes}`);
  }
  let local: LocalFileHeader;
  try {
    local = await faultsOfYauzl(zip.readLocalFileHeaderPromise(header));
  } catch (error) {
    if (!(error instanceof InvalidZip)) throw error;
    for (const { reason } of error.problems) fault('local-header', reason);
    return { entry: { ...entry, rawName: header.fileNameRaw, data: Buffer.alloc(0) }, span: undefined, faults };
  }
  const start = header.relativeOffsetOfLocalHeader;
  const end = local.fileDataStart + entry.compressedBytes;
  const disagreement = localFault(header, local);
  if (disagreement !== undefined) fault('local-header', disagreement);
  if (usesDescriptor(header) && !entry.isDirectory && descriptorCrc32(archive, end) !== entry.crc32) {
    fault('local-header', 'the checksum behind its data is not the one in the directory');
  }
  // Slices of the upload: yauzl's own copy of the name would keep all that it read alive.
  const nameStart = start + localHeaderBytes;
  const rawName = archive.subarray(nameStart, nameStart + local.fileNameLength);
  const data = archive.subarray(local.fileDataStart, end);
  return { entry: { ...entry, rawName, data }, span: { name, start, end }, faults };
}

const localHeaderBytes = 30;

/** Unix and macOS keep a file's mode in the upper half of its attributes (archive/zip, FileHeader.Mode). */
function unixModeOf(header: Entry): number | undefined {
  const madeOn = header.versionMadeBy >>> 8;
  return madeOn === 3 || madeOn === 19 ? header.externalFileAttributes >>> 16 : undefined;
}

/** Only regular files and folders are in a module zip: go.dev/ref/mod#zip-files. Go's library would take a link for a file. */
function fileTypeFault({ unixMode = 0, isDirectory }: { unixMode: number | undefined; isDirectory: boolean }) {
  const type = unixMode & 0o170000;
  if (type === 0 || type === (isDirectory ? 0o040000 : 0o100000)) return undefined;
  if (type === 0o120000) return 'it is a symbolic link';
  if (type === 0o040000) return 'it is a folder, but its name does not end with "/"';
  return `it is not a regular file (mode ${unixMode.toString(8)})`;
}

const usesDescriptor = (header: { generalPurposeBitFlag: number }): boolean => (header.generalPurposeBitFlag & 8) !== 0;

/** In what the header in front of the data says something else than the directory, sizes aside that come behind the data. */
function localFault(header: Entry, local: LocalFileHeader): string | undefined {
  if (!local.fileName.equals(header.fileNameRaw)) {
    return `its data is headed by another name, ${JSON.stringify(local.fileName.toString())}`;
  }
  if (local.compressionMethod !== header.compressionMethod) {
    return `its data is headed by another method, ${local.compressionMethod}`;
  }
  if (usesDescriptor(local)) return undefined;
  const { bytes, compressedBytes } = localSizes(local);
  if (bytes !== header.uncompressedSize || compressedBytes !== header.compressedSize) {
    return `its data is headed by other sizes, ${compressedBytes} and ${bytes} inflated`;
  }
  return local.crc32 === header.crc32 ? undefined : 'its data is headed by another checksum';
}

/** The sizes in a local header; a zip64 one has both in an extra field (APPNOTE 4.5.3). */
function localSizes(local: LocalFileHeader): { bytes: number; compressedBytes: number } {
  const sizes = { bytes: local.uncompressedSize, compressedBytes: local.compressedSize };
  if (sizes.bytes !== 0xffffffff && sizes.compressedBytes !== 0xffffffff) return sizes;
  const zip64 = zip64Field(local.extraField);
  if (zip64.length < 16) return sizes;
  return { bytes: Number(zip64.readBigUInt64LE(0)), compressedBytes: Number(zip64.readBigUInt64LE(8)) };
}

function zip64Field(extra: Buffer): Buffer {
  for (let at = 0; at + 4 <= extra.length; ) {
    const end = at + 4 + extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === 1) return extra.subarray(at + 4, end);
    at = end;
  }
  return Buffer.alloc(0);
}

/** The CRC-32 in the descriptor behind an entry's data, which has a signature or not (archive/zip, readDataDescriptor). */
function descriptorCrc32(archive: Buffer, at: number): number | undefined {
  const hasSignature = archive.subarray(at, at + 4).equals(descriptorSignature);
  const crc = archive.subarray(hasSignature ? at + 4 : at);
  return crc.length < 4 ? undefined : crc.readUInt32LE();
}

const descriptorSignature = Buffer.from('PK\x07\x08');

/**
 * Entries that share bytes with each other or with the directory: small bombs inflate one stream many times
 * (bamsoftware.com/hacks/zipbomb). Each entry is compared with the one that reaches furthest of those before it.
 */
function overlaps(spans: readonly Span[]): ZipFault[] {
  const faults: ZipFault[] = [];
  let last: Span | undefined;
  for (const span of spans.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    if (last && span.start < last.end) {
      const [file, other] = span.name === '' ? [last.name, span.name] : [span.name, last.name];
      const reason = `its data overlaps ${other === '' ? "the zip's directory" : JSON.stringify(other)}`;
      faults.push({ code: 'overlap', file, reason });
    }
    if (!last || span.end > last.end) last = span;
  }
  return faults;
}

export interface Inflated {
  readonly content: Buffer;
  /** The content as one raw deflate stream (RFC 1951) and nothing else; a slice of the upload if that is deflated. */
  readonly deflated: Buffer;
}

/**
 * The content of a file. It is exactly what the zip declares, else InvalidZip is thrown; never more than declared is
 * inflated, so check the sum of what is declared (gomod's checkZipEntries) before the first call.
 *
 * Large entries are inflated off the main thread. Small ones are faster on it; a loop over many of them gives way to the
 * event loop every few milliseconds, so that it need not do so itself.
 */
export async function inflateEntry(entry: ZipEntry): Promise<Inflated> {
  await giveWay();
  const { content, deflated } = entry.method === methods.stored ? await deflate(entry) : await inflate(entry);
  if (content.length !== entry.bytes) {
    throw invalidEntry(entry, 'size', `it holds ${content.length} bytes, but declares ${entry.bytes}`);
  }
  if (crc32(content) !== entry.crc32) throw invalidEntry(entry, 'checksum', 'its content does not fit its checksum');
  return { content, deflated };
}

/** Bytes. The content of larger entries need not be held whole: `inflatePieces`. */
export const maxHeldBytes = 16 * 1024 * 1024;

/**
 * As `inflateEntry`, for an entry that is too large to hold inflated: its content goes to `take` in pieces, and is known to be
 * right only when this resolves. Resolves to the deflate stream.
 */
export async function inflatePieces(entry: ZipEntry, take: (piece: Buffer) => void): Promise<Buffer> {
  if (entry.method === methods.stored) {
    const { content, deflated } = await inflateEntry(entry);
    take(content);
    return deflated;
  }
  const inflater = createInflateRaw({ chunkSize: largeBytes });
  let bytes = 0;
  let checksum = 0;
  inflater.end(entry.data);
  try {
    for await (const piece of inflater as AsyncIterable<Buffer>) {
      bytes += piece.byteLength;
      if (bytes > entry.bytes) break;
      checksum = crc32(piece, checksum);
      take(piece);
    }
  } catch (error) {
    throw invalidEntry(entry, 'damaged', 'its compressed data is damaged or incomplete', { cause: error });
  }
  if (bytes !== entry.bytes)
    throw invalidEntry(entry, 'size', `it does not hold the ${entry.bytes} bytes that it declares`);
  if (checksum !== entry.crc32) throw invalidEntry(entry, 'checksum', 'its content does not fit its checksum');
  return entry.data.subarray(0, inflater.bytesWritten);
}

const invalidEntry = (entry: ZipEntry, code: string, reason: string, options?: ErrorOptions): InvalidZip =>
  new InvalidZip([{ code, file: entry.name, reason }], options);

/** Bytes. Below, handing the work to another thread takes longer than the work. */
const largeBytes = 256 * 1024;

async function deflate({ data }: ZipEntry): Promise<Inflated> {
  return { content: data, deflated: data.length < largeBytes ? deflateRawSync(data) : await deflateLarge(data) };
}

const deflateLarge = promisify(deflateRaw);

async function inflate(entry: ZipEntry): Promise<Inflated> {
  const { data, bytes } = entry;
  // One byte more than declared, so that a lie shows. Deflate makes at most 1032 bytes of one (zlib.net/zlib_tech.html),
  // hence a large declaration alone takes no memory.
  const options = {
    info: true,
    maxOutputLength: Math.min(Math.max(bytes, 1), constants.MAX_LENGTH),
    chunkSize: Math.max(64, Math.min(bytes, data.length * 1032, largestChunkBytes) + 1),
  };
  try {
    const isLarge = Math.max(bytes, data.length) >= largeBytes;
    const { buffer, engine } = inflateInfo(isLarge ? await inflateLarge(data, options) : inflateRawSync(data, options));
    // What a zip has behind the end of the stream is not part of the file: archive/zip passes over it.
    return { content: buffer, deflated: data.subarray(0, engine.bytesWritten) };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'ERR_BUFFER_TOO_LARGE') {
      throw invalidEntry(entry, 'size', `it inflates to more than the ${bytes} bytes that it declares`, {
        cause: error,
      });
    }
    if (!code.startsWith('Z_')) throw error;
    throw invalidEntry(entry, 'damaged', 'its compressed data is damaged or incomplete', { cause: error });
  }
}

const largestChunkBytes = 64 * 1024 * 1024;

const inflateLarge = promisify(inflateRaw);

interface InflateInfo {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

/** What zlib gives with `info: true`; its types know only the buffer. `bytesWritten` is what it took of the input. */
function inflateInfo(result: object): InflateInfo {
  if (!isInflateInfo(result)) throw new TypeError('zlib gave no info');
  return result;
}

const isInflateInfo = (result: object): result is InflateInfo => 'buffer' in result && 'engine' in result;
