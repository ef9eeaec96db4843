import { once } from 'node:events';
import { pipeline, type Readable, Transform } from 'node:stream';
import { ZipArchive } from 'archiver';

export interface FileToZip {
  /** With slashes, relative, no `.` or `..` in it. */
  readonly name: string;
  readonly content: Buffer;
}

export interface WriteZipOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * A zip of the files in the order given, with zip64 records where there are many. The same files make the same bytes: all
 * are from 1980 and of mode 0644. One file at a time is in memory. The stream fails with TypeError for a name that could not
 * be written just so, and with what `files` throws; destroying it, or the signal, ends the iteration of `files`.
 * Throws the signal's reason where it has aborted already.
 */
export function writeZip(files: AsyncIterable<FileToZip>, { signal }: WriteZipOptions = {}): Readable {
  signal?.throwIfAborted();
  const archive = new ZipArchive({ zlib: { level: 6 } });
  const output = batches(signal);
  const closed = new AbortController();
  pipeline(archive, output, () => closed.abort());
  feed(archive, files, closed.signal).catch((error: Error) => output.destroy(error));
  return output;
}

async function feed(archive: ZipArchive, files: AsyncIterable<FileToZip>, signal: AbortSignal): Promise<void> {
  for await (const { name, content } of files) {
    checkName(name);
    const written = once(archive, 'entry', { signal });
    archive.append(content, { name, date: oldestDate, mode: 0o644 });
    await written;
  }
  await archive.finalize();
}

/** archiver writes headers field by field: millions of pieces of two and four bytes for a large zip. */
function batches(signal: AbortSignal | undefined): Transform {
  let held: Buffer[] = [];
  let heldBytes = 0;
  const take = (): Buffer => {
    const batch = Buffer.concat(held, heldBytes);
    held = [];
    heldBytes = 0;
    return batch;
  };
  return new Transform({
    ...(signal && { signal }),
    transform(chunk: Buffer, _encoding, done) {
      held.push(chunk);
      heldBytes += chunk.length;
      done(null, heldBytes < batchBytes ? undefined : take());
    },
    flush: done => done(null, take()),
  });
}

const batchBytes = 64 * 1024;

/** The first day that a zip can name. */
const oldestDate = new Date('1980-01-01T00:00:00Z');

/** archiver quietly mends names: it turns `\` into `/` and drops double slashes, drive letters and leading `/` and `../`. */
function checkName(name: string): void {
  if (/^$|\\|\/\/|^\w+:|^(?:\.\.)?\/|\/$|\p{Surrogate}/u.test(name) || Buffer.byteLength(name) > 0xffff) {
    throw new TypeError(`a file can't have the name ${JSON.stringify(name.slice(0, 200))} in a zip`);
  }
}
