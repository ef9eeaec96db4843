/** An upload's body, limited while it streams in: what the headers declare is believed no more than what comes. */
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import busboy from 'busboy';
import { BadRequest, BodyTooLarge, BodyTooSlow, ClientGone } from './errors.ts';

/** Boundaries and headers around the file of a form. */
const maxFormOverheadBytes = 64 * 1024;

/** A body must bring this much in each period, or it is given up. */
const progress = { bytes: 16 * 1024, periodMs: 30_000 };

export interface BodyOptions {
  readonly maxBytes: number;
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

/**
 * The uploaded file: the body as it is, or the one file part of a `multipart/form-data` form.
 * Throws BodyTooLarge, BodyTooSlow, ClientGone, or BadRequest for a form that is no such form.
 */
export async function readBody(request: IncomingMessage, options: BodyOptions): Promise<Buffer> {
  const { maxBytes } = options;
  return isForm(request)
    ? await withProgress(request, options, readForm(request, maxBytes))
    : await withProgress(request, options, collect(request, maxBytes));
}

const isForm = (request: IncomingMessage): boolean =>
  /^multipart\/form-data\b/i.test(request.headers['content-type'] ?? '');

/** The bytes of a stream. Unlike stream/consumers it leaves the stream open when it gives up, so that a reply can be sent. */
function collect(stream: Readable, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    stream.on('data', (chunk: Buffer) => {
      size += chunk.byteLength;
      if (size <= maxBytes) chunks.push(chunk);
      else {
        chunks.length = 0;
        reject(new BodyTooLarge(maxBytes));
      }
    });
    stream.on('end', () => resolve(Buffer.concat(chunks)));
    stream.on('error', reject);
  });
}

function readForm(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const refuse = (reason: string) =>
      reject(new BadRequest(`${reason}; send the module zip as the one file of the form`));
    let file: Promise<Buffer> | undefined;
    let received = 0;
    try {
      const form = busboy({ headers: request.headers, limits: { files: 1, fields: 16, fieldSize: 1024 } });
      form.on('file', (_name, stream) => {
        file = collect(stream, maxBytes);
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
  body: Promise<Buffer>,
): Promise<Buffer> {
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
    return await Promise.race([body, stopped]);
  } finally {
    clearInterval(timer);
    request.off('data', count);
  }
}
