/** One upload or download over a connection of its own, timed. */
import { once } from 'node:events';
import { type IncomingMessage, type RequestOptions, request } from 'node:http';
import { connect } from 'node:net';
import { ada } from '../test/support/doubles/hosted-app.ts';

/** Publishes a module zip; gives the time from its first byte, on a connection that is there, to the 201. Throws unless the reply is one. */
export async function upload(proxyUrl: string, zip: Buffer): Promise<number> {
  const headers = { Authorization: ada.basic, 'Content-Length': zip.byteLength };
  const { hostname, port } = new URL(proxyUrl);
  const socket = connect({ host: hostname, port: Number(port) });
  await once(socket, 'connect');
  const start = performance.now();
  const response = await send(`${proxyUrl}/upload`, { method: 'PUT', headers, createConnection: () => socket }, zip);
  const ms = performance.now() - start;
  const text = Buffer.concat(await response.toArray()).toString();
  if (response.statusCode !== 201) throw new Error(`not published: ${response.statusCode} ${text}`);
  if (text.includes('warning:')) throw new Error(`published with a warning: ${text}`);
  return ms;
}

export interface Downloaded {
  readonly headers: IncomingMessage['headers'];
  readonly bytes: Buffer;
}

/** Throws unless the reply is 200. */
export async function download(url: string): Promise<Downloaded> {
  const response = await send(url, {});
  const bytes = Buffer.concat(await response.toArray());
  if (response.statusCode !== 200) throw new Error(`GET ${url}: ${response.statusCode} ${bytes}`);
  return { headers: response.headers, bytes };
}

/** What is read goes here, of all downloads: nothing is kept. */
const readBuffer = Buffer.alloc(256 * 1024);
const downloadLimitMs = 60_000;

/**
 * Milliseconds until the server has sent all and closed the connection. It takes next to no processor and leaves hardly anything to collect: this
 * process' heap holds the corpora, and its collector would be measured instead of those under test.
 */
export async function timeDownload(url: string): Promise<number> {
  const { hostname, port, pathname } = new URL(url);
  let head = Buffer.alloc(0);
  let received = 0;
  const take = (bytes: number, buffer: Uint8Array) => {
    if (received === 0) head = Buffer.from(buffer.subarray(0, bytes));
    received += bytes;
    return true;
  };
  const start = performance.now();
  const socket = connect({
    host: hostname,
    port: Number(port),
    onread: { buffer: readBuffer, callback: take },
  });
  socket.setTimeout(downloadLimitMs, () => socket.destroy(new Error(`GET ${url}: nothing comes`)));
  socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`);
  await once(socket, 'end');
  const ms = performance.now() - start;
  const headers = head.toString('latin1').split('\r\n\r\n')[0] ?? '';
  const length = /^HTTP\/1\.1 200 .*\r\nContent-Length: (\d+)/s.exec(headers)?.[1];
  const bytes = received - headers.length - 4;
  if (bytes !== Number(length)) throw new Error(`GET ${url}: ${bytes} bytes behind ${headers}`);
  return ms;
}

async function send(url: string, options: RequestOptions, body?: Buffer): Promise<IncomingMessage> {
  const sent = request(url, { ...options, agent: false }).end(body);
  const [response]: IncomingMessage[] = await once(sent, 'response');
  if (response === undefined) throw new Error(`no answer from ${url}`);
  return response;
}
