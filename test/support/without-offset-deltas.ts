/** A way to a git server on which no fetch asks for `ofs-delta`, so that all deltas that come name their bases by id. */
import { request as ask, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { listenOnLoopback } from './listen-on-loopback.ts';

export interface WayIn extends AsyncDisposable {
  /** In place of the server's. */
  readonly url: string;
}

/** Hands all requests on to the server at `serverUrl`. */
export async function startWithoutOffsetDeltas(serverUrl: string): Promise<WayIn> {
  const server = createServer((request, response) => {
    handOn(serverUrl, request, response).catch(error => response.destroy(error));
  });
  return await listenOnLoopback(server);
}

async function handOn(serverUrl: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { url = '', method, headers } = request;
  const { 'transfer-encoding': _, ...others } = headers;
  const body = url.endsWith('/git-upload-pack') ? withoutOffsetDeltas(await buffer(request)) : await buffer(request);
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const asked = ask(`${serverUrl}${url}`, { method, headers: { ...others, 'content-length': body.byteLength } });
    asked.once('response', resolve).once('error', reject).end(body);
  });
  response.writeHead(answer.statusCode ?? 500, answer.headers);
  await pipeline(answer, response);
}

/** The line may end with a line feed (gitprotocol-common(5)): ours do, git's don't. */
const withoutOffsetDeltas = (body: Buffer): Buffer =>
  Buffer.from(body.toString('latin1').replace(/000dofs-delta|000eofs-delta\n/, ''), 'latin1');
