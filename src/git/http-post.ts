/** One POST over HTTP/1.1, its body streamed either way. Time is limited by progress: a connection on which nothing moves is ended. */
import { on } from 'node:events';
import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export interface PostRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent whole where it is a Buffer, else in chunks as it is produced. */
  readonly body: Buffer | AsyncIterable<Uint8Array>;
  /** A kept connection may be closed by the server just when it is used again: a request that must not be sent twice wants a new one. */
  readonly connection: 'kept' | 'new';
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface PostResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Read it to the end, or leave its iteration: either lets go of the connection. */
  readonly body: AsyncIterable<Buffer>;
}

/** Nothing was sent or received for longer than is allowed. */
export class NoProgress extends Error {
  override readonly name = 'NoProgress';
}

/** Keeps connections open for later requests to the same server, for all who share it. */
export interface HttpPoster extends Disposable {
  /** Throws what Node throws where there is no answer; reading the body throws as well. Redirects are an answer. */
  post(request: PostRequest): Promise<PostResponse>;
}

/** `maxConnections` is for each server. */
export function createHttpPoster({ maxConnections = 64 }: { maxConnections?: number } = {}): HttpPoster {
  const settings = { keepAlive: true, maxSockets: maxConnections, scheduling: 'lifo' } as const;
  const http = new HttpAgent(settings);
  const https = new HttpsAgent(settings);
  return {
    post(request) {
      const agent = request.url.protocol === 'https:' ? https : http;
      return post(request, request.connection === 'kept' ? agent : false);
    },
    [Symbol.dispose]() {
      http.destroy();
      https.destroy();
    },
  };
}

function post({ url, headers, body, timeoutMs, signal }: PostRequest, agent: HttpAgent | false): Promise<PostResponse> {
  return new Promise((resolve, reject) => {
    const start = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const length = Buffer.isBuffer(body) ? { 'Content-Length': String(body.byteLength) } : {};
    const request = start(url, {
      method: 'POST',
      agent,
      signal,
      timeout: timeoutMs,
      headers: { ...headers, ...length },
    });
    let stop = (reason: Error): unknown => request.destroy(reason);
    request.on('timeout', () => stop(new NoProgress(`nothing was sent or received for ${timeoutMs} ms`)));
    // After the answer has begun, its own stream tells of faults.
    request.on('error', reject);
    request.once('response', response => {
      stop = reason => response.destroy(reason);
      // Who has been answered needs not send the rest.
      response.once('end', () => request.writableFinished || request.destroy());
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: piecesOf(response, signal) });
    });
    if (Buffer.isBuffer(body)) request.end(body);
    else pipeline(Readable.from(body, { objectMode: true }), request).catch(reject);
  });
}

/** So many pieces may wait to be taken. */
const maxWaitingPieces = 16;

/** The body as it comes. A stream's own iteration copies pieces that came meanwhile into one, which takes longer than all else that is done with them here. */
async function* piecesOf(response: IncomingMessage, signal: AbortSignal): AsyncGenerator<Buffer, void> {
  try {
    // What has ended says so no more.
    signal.throwIfAborted();
    if (response.destroyed) throw response.errored ?? new Error('the answer was not taken in time');
    const watermarks = { highWaterMark: maxWaitingPieces, lowWaterMark: maxWaitingPieces / 2 };
    const events = on(response, 'data', { close: ['end'], ...watermarks });
    for await (const [piece] of events as AsyncIterable<[Buffer]>) yield piece;
    signal.throwIfAborted();
  } finally {
    response.destroy();
  }
}
