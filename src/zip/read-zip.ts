/**
 * Reading a zip that a stranger sent. The directory at its end is what counts, as for Go's archive/zip; what in the archive
 * disagrees with it is refused, so that no two readers can see different files in it. Names are raw bytes in UTF-8:
 * nothing makes `/` of `\`, nothing is taken for cp437, and the Unicode extra field is ignored, as Go does.
 * The format is PKWARE's APPNOTE.TXT 6.3.
 */
import { isUtf8 } from 'node:buffer';
import { type AtHand, whenThere } from '../at-hand.ts';
import { giveWay, inTurns } from '../give-way.ts';
import { sortInSteps } from '../sort-in-steps.ts';
import { type Bulk, type Slice, sliceBytes, sliceOf, subslice } from '../spool/slice.ts';
import { InvalidZip, type ZipFault } from './errors.ts';
import { type CompressedFile, methods } from './inflate-entry.ts';
import {
  type DirectoryHeader,
  type DirectoryPlace,
  type EntryHeader,
  findDirectory,
  isHeaderAt,
  type LocalHeader,
  RecordReader,
  readDescriptorCrc32,
  readHeader,
  readLocalHeader,
} from './zip-records.ts';

/** Go has no such limit. But an entry takes 80 bytes of an upload and several hundred here, and memory must have a bound. */
export const maxEntries = 200_000;

/** More are not looked for: each may be told with a name of 64 kB. */
const maxFaults = 1_000;

/** A file or folder of a zip; a folder's name ends with `/`, and its method means nothing. */
export interface ZipEntry extends CompressedFile {
  readonly isDirectory: boolean;
  /** inode(7)'s bits, if the zip was made on Unix; 0 says nothing. */
  readonly unixMode: number | undefined;
}

/**
 * Lists a zip's entries in the order of its directory; no content is looked at yet. `onEntry` hears of each one at once, until
 * there is a problem.
 * Throws InvalidZip with every problem found (the first 1,000), SpoolFault, and the signal's reason.
 */
export async function readZip(
  archive: Bulk,
  signal: AbortSignal,
  onEntry: (entry: ZipEntry) => void = () => {},
): Promise<ZipEntry[]> {
  const entries: ZipEntry[] = [];
  const problems: ZipFault[] = [];
  const spans: Span[] = [];
  try {
    const { body, place } = await openZip(sliceOf(archive));
    // Each goes through the archive in a place of its own.
    const directory = new RecordReader(body);
    const reading: Reading = { body, records: new RecordReader(body), spans, problems };
    let at = place.start;
    for (let i = 0; i < place.entryCount && problems.length < maxFaults; i++) {
      const turn = giveWay();
      if (turn !== undefined) await turn;
      signal.throwIfAborted();
      const found = readHeader(directory, at);
      const header = found instanceof Promise ? await found : found;
      const read = readEntry(header, reading);
      const entry = read instanceof Promise ? await read : read;
      entries.push(entry);
      if (problems.length === 0) onEntry(entry);
      at = header.end;
    }
    spans.push({ name: '', start: place.start, end: at });
    // archive/zip reads as many headers as there are, and then compares.
    if (at !== place.end && problems.length < maxFaults) {
      problems.push(notAZip(`its directory of ${place.entryCount} entries does not fill the room it has`));
    }
  } catch (error) {
    if (!(error instanceof InvalidZip)) throw error;
    problems.push(...error.problems);
  }
  problems.push(...(await overlaps(spans)));
  if (problems.length > 0) throw new InvalidZip(problems);
  return entries;
}

const notAZip = (reason: string): ZipFault => ({ code: 'not-a-zip', file: '', reason });

/** Opens the archive, which may have something in front of it, as a self-extracting one has (archive/zip, readDirectoryEnd). */
async function openZip(archive: Slice): Promise<{ body: Slice; place: DirectoryPlace }> {
  const place = await findDirectory(archive);
  const before = place.end - place.bytes - place.start;
  if (before < 0) throw new InvalidZip([notAZip('what its end says of its directory does not fit')]);
  if (place.entryCount > maxEntries) {
    const reason = `it has ${place.entryCount} entries, and ${maxEntries} is the most`;
    throw new InvalidZip([{ code: 'too-many-entries', file: '', reason }]);
  }
  if (before === 0 || (await isHeaderAt(archive, place.start))) return { body: archive, place };
  return { body: subslice(archive, before, sliceBytes(archive)), place: { ...place, end: place.end - before } };
}

interface Span {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** Where an entry is looked up, and where what comes of that is added. */
interface Reading {
  readonly body: Slice;
  readonly records: RecordReader;
  readonly spans: Span[];
  readonly problems: ZipFault[];
}

/** One entry, checked against its local header; there is no span of it where that can't be read. */
function readEntry(header: DirectoryHeader, reading: Reading): AtHand<ZipEntry> {
  checkHeader(header, reading.problems);
  let local: AtHand<LocalHeader>;
  try {
    local = readLocalHeader(reading.records, header);
  } catch (error) {
    return withoutData(header, error, reading);
  }
  if (!(local instanceof Promise)) return checkEntry(header, local, reading);
  return local.then(
    found => checkEntry(header, found, reading),
    error => withoutData(header, error, reading),
  );
}

/** The entry where the header in front of its data can't be read. */
function withoutData(header: DirectoryHeader, error: unknown, { body, problems }: Reading): ZipEntry {
  if (!(error instanceof InvalidZip)) throw error;
  for (const { reason } of error.problems) problems.push({ code: 'local-header', file: header.name, reason });
  return entryOf(header, subslice(body, 0, 0));
}

function checkEntry(
  header: DirectoryHeader,
  local: LocalHeader,
  { body, records, spans, problems }: Reading,
): AtHand<ZipEntry> {
  const { name, crc32, compressedBytes, localStart } = header;
  const end = local.dataStart + compressedBytes;
  const disagreement = localFault(header, local);
  if (disagreement !== undefined) problems.push({ code: 'local-header', file: name, reason: disagreement });
  spans.push({ name, start: localStart, end });
  const entry = entryOf(header, subslice(body, local.dataStart, end));
  if (!usesDescriptor(header) || entry.isDirectory) return entry;
  return whenThere(readDescriptorCrc32(records, end), found => {
    if (found !== crc32) {
      const reason = 'the checksum behind its data is not the one in the directory';
      problems.push({ code: 'local-header', file: name, reason });
    }
    return entry;
  });
}

function entryOf(header: DirectoryHeader, data: Slice): ZipEntry {
  const { name, method, bytes, crc32 } = header;
  return { name, isDirectory: isFolder(name), method, bytes, crc32, unixMode: unixModeOf(header), data };
}

const isFolder = (name: string): boolean => name.endsWith('/');

/** Looks at what the directory alone says. */
function checkHeader(header: DirectoryHeader, problems: ZipFault[]): void {
  const { name, rawName, method, bytes, compressedBytes } = header;
  const fault = (code: string, reason: string) => problems.push({ code, file: name, reason });
  const isDirectory = isFolder(name);
  if (rawName !== undefined && !isUtf8(rawName)) fault('name-encoding', 'the name is not in UTF-8');
  if ((header.flags & 1) !== 0) fault('encrypted', 'it is encrypted');
  const irregular = fileTypeFault(unixModeOf(header), isDirectory);
  if (irregular !== undefined) fault('irregular-file', irregular);
  // The content of folders is never read, and some tools declare nonsense for it (archive/zip, File.Open).
  if (isDirectory) {
    if (bytes !== 0) fault('directory-content', 'it is a folder, and has content');
  } else if (method !== methods.stored && method !== methods.deflated) {
    fault('method', `it is compressed by method ${method}; only 0 (stored) and 8 (deflated) are read`);
  } else if (method === methods.stored && bytes !== compressedBytes) {
    fault('size', `it is stored, but declares ${bytes} bytes and then ${compressedBytes}`);
  }
}

/** Unix and macOS keep a file's mode in the upper half of its attributes (archive/zip, FileHeader.Mode). */
function unixModeOf({ madeBy, attributes }: DirectoryHeader): number | undefined {
  const madeOn = madeBy >>> 8;
  return madeOn === 3 || madeOn === 19 ? attributes >>> 16 : undefined;
}

/** Only regular files and folders are in a module zip: go.dev/ref/mod#zip-files. Go's library would take a link for a file. */
function fileTypeFault(unixMode: number | undefined, isDirectory: boolean): string | undefined {
  const mode = unixMode ?? 0;
  const type = mode & 0o170000;
  if (type === 0 || type === (isDirectory ? 0o040000 : 0o100000)) return undefined;
  if (type === 0o120000) return 'it is a symbolic link';
  if (type === 0o040000) return 'it is a folder, but its name does not end with "/"';
  return `it is not a regular file (mode ${mode.toString(8)})`;
}

const quoted = (name: string): string => JSON.stringify(name.slice(0, 200));

const usesDescriptor = ({ flags }: EntryHeader): boolean => (flags & 8) !== 0;

/** In what the header in front of the data says something else than the directory, sizes aside that come behind the data. */
function localFault(header: EntryHeader, local: LocalHeader): string | undefined {
  if (local.otherName !== undefined) return `its data is headed by another name, ${quoted(local.otherName)}`;
  if (local.method !== header.method) return `its data is headed by another method, ${local.method}`;
  if (usesDescriptor(local)) return undefined;
  if (local.bytes !== header.bytes || local.compressedBytes !== header.compressedBytes) {
    return `its data is headed by other sizes, ${local.compressedBytes} and ${local.bytes} inflated`;
  }
  return local.crc32 === header.crc32 ? undefined : 'its data is headed by another checksum';
}

/**
 * Entries that share bytes with each other or with the directory: small bombs inflate one stream many times
 * (bamsoftware.com/hacks/zipbomb). Each entry is compared with the one that reaches furthest of those before it.
 */
async function overlaps(spans: readonly Span[]): Promise<ZipFault[]> {
  const faults: ZipFault[] = [];
  let last: Span | undefined;
  const sorted = await inTurns(sortInSteps(spans, (a, b) => a.start - b.start || a.end - b.end));
  for (const span of sorted) {
    if (last && span.start < last.end) {
      const [file, other] = span.name === '' ? [last.name, span.name] : [span.name, last.name];
      const reason = `its data overlaps ${other === '' ? "the zip's directory" : quoted(other)}`;
      faults.push({ code: 'overlap', file, reason });
      if (faults.length === maxFaults) break;
    }
    if (!last || span.end > last.end) last = span;
  }
  return faults;
}
