/** The content of a zip's files, each inflated once and held against what the zip says of it. */
import { Readable, type Transform } from 'node:stream';
import { promisify } from 'node:util';
import { crc32, createDeflateRaw, createInflateRaw, deflateRaw, deflateRawSync } from 'node:zlib';
import { type AtHand, whenThere } from '../at-hand.ts';
import { type Inflated, type InflateFault, inflateAside, lazyInflater } from '../inflate/inflater.ts';
import { appendTo, readParts, readSlice, type Slice, sliceBytes, subslice } from '../spool/slice.ts';
import { InvalidZip } from './errors.ts';

/** The methods that are read (APPNOTE 4.4.5). */
export const methods = { stored: 0, deflated: 8 } as const;

/** What inflating needs to know of a file. */
export interface CompressedFile {
  readonly name: string;
  readonly method: number;
  /** Inflated, as declared: known to be true once it is inflated. */
  readonly bytes: number;
  readonly crc32: number;
  /** The content as the zip has it. */
  readonly data: Slice;
}

/**
 * Makes something of a file's content, which must not be kept: its memory is used again. `deflated` is the content as one raw deflate stream
 * (RFC 1951) and nothing else; one that is not in the archive is kept where that is: behind it on the disk, or in memory.
 */
export type ReadContent<Result> = (content: Buffer, deflated: Slice) => Result;

/**
 * What `read` makes of a file's content. The content is exactly what the zip declares, else
 * InvalidZip is thrown; never more than declared is inflated, so check the sum of what is declared (gomod's ZipCheck) before the first
 * call. Throws SpoolFault.
 *
 * Large files are inflated off the main thread, small ones at once: a loop over many of them is to give way.
 */
export function inflateEntry<Result>(file: CompressedFile, read: ReadContent<Result>): AtHand<Result> {
  return whenThere(readSlice(file.data), data => {
    if (file.method === methods.stored) return deflateStored(file, data, read);
    const isLarge = Math.max(file.bytes, data.byteLength) >= largeBytes;
    const inflated = isLarge ? inflateAside(data, file.bytes) : inflater().inflate(data, file.bytes);
    return whenThere(inflated, found => readInflated(file, found, read));
  });
}

function readInflated<Result>(
  file: CompressedFile,
  inflated: Inflated | InflateFault,
  read: ReadContent<Result>,
): Result {
  if (inflated === 'too long') throw tooLarge(file);
  if (inflated === 'damaged' || inflated === 'cut off') throw damaged(file);
  const { content, taken } = inflated;
  checkContent(file, content.byteLength, crc32(content));
  // What a zip has behind the end of the stream is not part of the file: archive/zip passes over it.
  return read(content, subslice(file.data, 0, taken));
}

async function deflateStored<Result>(file: CompressedFile, data: Buffer, read: ReadContent<Result>): Promise<Result> {
  checkContent(file, data.byteLength, crc32(data));
  return read(data, await appendTo(file.data.bulk, [await deflate(data)]));
}

/** Bytes. */
export const maxHeldBytes = 16 * 1024 * 1024;

/** Whether a file is small enough to be held whole, as the zip has it and inflated. */
export const isHeld = ({ bytes, data }: CompressedFile): boolean => Math.max(bytes, sliceBytes(data)) <= maxHeldBytes;

/**
 * As `inflateEntry`, for a file that is too large to hold: its content goes to `take` in parts, and is known to be right
 * only when this resolves. Resolves to the deflate stream.
 */
export async function inflateParts(file: CompressedFile, take: (part: Buffer) => void): Promise<Slice> {
  let bytes = 0;
  let checksum = 0;
  const takeChecked = (part: Buffer) => {
    bytes += part.byteLength;
    if (bytes > file.bytes) throw tooLarge(file);
    checksum = crc32(part, checksum);
    take(part);
  };
  const deflated = await (file.method === methods.stored ? deflateAll : inflateAll)(file, takeChecked);
  checkContent(file, bytes, checksum);
  return deflated;
}

async function inflateAll(file: CompressedFile, take: (part: Buffer) => void): Promise<Slice> {
  const inflater = createInflateRaw({ chunkSize: largeBytes });
  try {
    for await (const part of through(inflater, readParts(file.data))) take(part);
  } catch (error) {
    throw isOfZlib(error) ? damaged(file, error) : error;
  }
  return subslice(file.data, 0, inflater.bytesWritten);
}

async function deflateAll({ data }: CompressedFile, take: (part: Buffer) => void): Promise<Slice> {
  async function* taken() {
    for await (const part of readParts(data)) {
      take(part);
      yield part;
    }
  }
  return await appendTo(data.bulk, through(createDeflateRaw(), taken()));
}

/** What a transform makes of `parts`; where it wants no more of them, their iteration is left. */
async function* through(
  transform: Transform,
  parts: ReturnType<typeof readParts> | AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void> {
  const source = Readable.from(parts);
  source.on('error', error => transform.destroy(error));
  try {
    yield* source.pipe(transform);
  } finally {
    source.destroy();
  }
}

function checkContent(file: CompressedFile, bytes: number, checksum: number): void {
  if (bytes !== file.bytes) throw invalid(file, 'size', `it holds ${bytes} bytes, but declares ${file.bytes}`);
  if (checksum !== file.crc32) throw invalid(file, 'checksum', 'its content does not fit its checksum');
}

const invalid = ({ name }: CompressedFile, code: string, reason: string, cause?: unknown): InvalidZip =>
  new InvalidZip([{ code, file: name, reason }], { cause });

const tooLarge = (file: CompressedFile): InvalidZip =>
  invalid(file, 'size', `it inflates to more than the ${file.bytes} bytes that it declares`);

const damaged = (file: CompressedFile, cause?: unknown): InvalidZip =>
  invalid(file, 'damaged', 'its compressed data is damaged or incomplete', cause);

const isOfZlib = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');

/** Bytes. Below, handing the work to another thread takes longer than the work. */
const largeBytes = 256 * 1024;

const inflater = lazyInflater({ maxBytes: largeBytes, keptBytes: 0 });

const deflate = async (content: Buffer): Promise<Buffer> =>
  content.byteLength < largeBytes ? deflateRawSync(content) : await deflateLarge(content);

const deflateLarge = promisify(deflateRaw);
