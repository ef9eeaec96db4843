/** One upload or download over a connection of its own, timed. */
import { once } from 'node:events';
import { type IncomingMessage, type RequestOptions, request } from 'node:http';
import { ada } from '../test/support/doubles/hosted-app.ts';

/** Publishes a module zip; gives the time from its first byte to the end of the reply. Throws unless the reply is 201. */
export async function upload(proxyUrl: string, zip: Buffer): Promise<number> {
  const headers = { Authorization: ada.basic, 'Content-Length': zip.byteLength };
  const start = performance.now();
  const response = await send(`${proxyUrl}/upload`, { method: 'PUT', headers }, zip);
  const chunks: Buffer[] = await response.toArray();
  const ms = performance.now() - start;
  const text = Buffer.concat(chunks).toString();
  if (response.statusCode !== 201) throw new Error(`not published: ${response.statusCode} ${text}`);
  if (text.includes('warning:')) throw new Error(`published with a warning: ${text}`);
  return ms;
}

export interface Downloaded {
  readonly ms: number;
  readonly headers: IncomingMessage['headers'];
  readonly bytes: Buffer;
}

/** Throws unless the reply is 200. The time ends with the last byte. */
export async function download(url: string): Promise<Downloaded> {
  const start = performance.now();
  const response = await send(url, {});
  const chunks: Buffer[] = await response.toArray();
  const ms = performance.now() - start;
  const bytes = Buffer.concat(chunks);
  if (response.statusCode !== 200) throw new Error(`GET ${url}: ${response.statusCode} ${bytes}`);
  return { ms, headers: response.headers, bytes };
}

async function send(url: string, options: RequestOptions, body?: Buffer): Promise<IncomingMessage> {
  const sent = request(url, { ...options, agent: false }).end(body);
  const [response]: IncomingMessage[] = await once(sent, 'response');
  if (response === undefined) throw new Error(`no answer from ${url}`);
  return response;
}
