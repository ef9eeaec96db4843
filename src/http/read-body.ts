/** An upload's body, limited while it streams in: what the headers declare is believed no more than what comes. */
import type { IncomingMessage } from 'node:http';
import { type Readable, Writable } from 'node:stream';
import busboy from 'busboy';
import { giveWay } from '../give-way.ts';
import { Gatherer, recycle } from '../spool/gatherer.ts';
import type { Bulk } from '../spool/slice.ts';
import { BadRequest, BodyTooLarge, BodyTooSlow, ClientGone } from './errors.ts';

/** Boundaries and headers around the file of a form. */
const maxFormOverheadBytes = 64 * 1024;

/** A body must bring this much in each period, or it is given up. */
const progress = { bytes: 16 * 1024, periodMs: 30_000 };

export interface BodyOptions {
  readonly maxBytes: number;
  /** Larger bodies are kept on the disk. */
  readonly spoolAboveBytes: number;
  /** Is given the file's bytes as they come. */
  readonly onBytes?: (bytes: Uint8Array) => void;
  readonly progress?: { readonly bytes: number; readonly periodMs: number };
}

/** The body in bytes as the headers declare it, undefined where it comes in chunks. */
export function declaredBytes(request: IncomingMessage): number | undefined {
  const header = request.headers['content-length'];
  return header === undefined ? undefined : Number(header);
}

/** Throws BodyTooLarge where the headers alone say so. */
export function checkDeclaredBytes(request: IncomingMessage, maxBytes: number): void {
  const allowed = isForm(request) ? maxBytes + maxFormOverheadBytes : maxBytes;
  if ((declaredBytes(request) ?? 0) > allowed) throw new BodyTooLarge(maxBytes);
}

/** The uploaded file; disposing lets go of it, and its memory is used again. */
export interface Body extends AsyncDisposable {
  readonly bytes: Bulk;
}

/**
 * The uploaded file: the body as it is, or the one file part of a `multipart/form-data` form.
 * Throws BodyTooLarge, BodyTooSlow, ClientGone, SpoolFault, or BadRequest for a form that is no such form.
 */
export async function readBody(request: IncomingMessage, options: BodyOptions): Promise<Body> {
  await using gatherer = new Gatherer(options.spoolAboveBytes, declaredBytes(request));
  const sink = sinkTo(gatherer, options);
  try {
    const reading = isForm(request) ? readForm(request, sink, options.maxBytes) : fill(sink, request);
    await withProgress(request, options, reading);
    const bytes = await gatherer.take();
    return { bytes, [Symbol.asyncDispose]: () => recycle(bytes) };
  } catch (error) {
    // It stays open, so that a reply can be sent.
    request.unpipe();
    sink.destroy();
    throw error;
  }
}

const isForm = (request: IncomingMessage): boolean =>
  /^multipart\/form-data\b/i.test(request.headers['content-type'] ?? '');

/** Bytes that may wait to be kept: who sends more waits too, so that little of an upload that goes to the disk is read in one turn. */
const highWaterMark = 128 * 1024;

/** Fails with BodyTooLarge or SpoolFault. */
function sinkTo(gatherer: Gatherer, { maxBytes, onBytes }: BodyOptions): Writable {
  let bytes = 0;
  return new Writable({
    highWaterMark,
    write(chunk: Buffer, _encoding, done) {
      bytes += chunk.byteLength;
      if (bytes > maxBytes) {
        done(new BodyTooLarge(maxBytes));
        return;
      }
      try {
        onBytes?.(chunk);
        const kept = gatherer.add(chunk);
        if (kept === undefined) done();
        else kept.then(giveWay).then(() => done(), done);
      } catch (error) {
        // There may be no memory for it.
        done(error instanceof Error ? error : new Error(String(error)));
      }
    },
  });
}

/** Resolves when all of `source` has come. Unlike stream/promises' pipeline it leaves the source open when it gives up. */
function fill(sink: Writable, source: Readable): Promise<void> {
  return new Promise((resolve, reject) => {
    source.on('error', reject);
    source.pipe(sink).on('finish', resolve).on('error', reject);
  });
}

function readForm(request: IncomingMessage, sink: Writable, maxBytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (reason: string) =>
      reject(new BadRequest(`${reason}; send the module zip as the one file of the form`));
    let file: Promise<void> | undefined;
    let received = 0;
    try {
      const form = busboy({ headers: request.headers, limits: { files: 1, fields: 16, fieldSize: 1024 } });
      form.on('file', (_name, stream) => {
        file = fill(sink, stream);
        file.catch(reject);
      });
      form.on('filesLimit', () => refuse('the form has more than one file'));
      form.on('fieldsLimit', () => refuse('the form has too many fields'));
      form.on('error', error => refuse(error instanceof Error ? error.message : 'the form is malformed'));
      form.on('close', () => (file ? resolve(file) : refuse('the form has no file')));
      request.on('data', (chunk: Buffer) => {
        received += chunk.byteLength;
        if (received > maxBytes + maxFormOverheadBytes) reject(new BodyTooLarge(maxBytes));
      });
      request.pipe(form);
    } catch (error) {
      refuse(error instanceof Error ? error.message : 'the form is malformed');
    }
  });
}

/** `body`, given up when the request brings too little for too long, or ends before its time. */
async function withProgress(
  request: IncomingMessage,
  { progress: { bytes, periodMs } = progress }: BodyOptions,
  body: Promise<void>,
): Promise<void> {
  let received = 0;
  const count = (chunk: Buffer) => {
    received += chunk.byteLength;
  };
  let timer: NodeJS.Timeout | undefined;
  const stopped = new Promise<never>((_, reject) => {
    request.on('close', () => {
      if (!request.complete) reject(new ClientGone('the client went away during the upload'));
    });
    timer = setInterval(() => {
      if (received < bytes && !request.complete) reject(new BodyTooSlow('the upload has stalled; try again'));
      received = 0;
    }, periodMs);
  });
  request.on('data', count);
  try {
    await Promise.race([body, stopped]);
  } finally {
    clearInterval(timer);
    request.off('data', count);
  }
}
