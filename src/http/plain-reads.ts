import type { IncomingHttpHeaders } from 'node:http';

/** Of a request that reads: what decides on its reply. */
export interface PlainRead {
  readonly method?: string | undefined;
  /** The target, as it came. */
  readonly url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

/** Request line and header fields of RFC 9112, in their most common form. */
const requestLine = /^(GET|HEAD) (\/[!-~]*) HTTP\/1\.1\r\n/;
const headerLine = /([\w!#$%&'*+.^`|~-]+):[\t ]*([!-~](?:[\t -~]*[!-~])?)[\t ]*\r\n/y;

/** Bytes. What is longer is not worth keeping for the next request. */
const maxBytes = 8 * 1024;

/** Parses the reads of one connection; most have the headers of the one before, which are parsed once and are then the same object. */
export class PlainReads {
  #fields = '';
  #headers: IncomingHttpHeaders | undefined;

  /**
   * The one read that `bytes` hold from their beginning to their end, if it leaves the connection open and asks for nothing but a
   * reply. What is written in any less common way is left to Node's parser.
   */
  parse(bytes: Buffer): PlainRead | undefined {
    if (bytes.byteLength > maxBytes) return undefined;
    const text = bytes.toString('latin1');
    const line = requestLine.exec(text);
    if (line === null) return undefined;
    const [{ length }, method, url] = line;
    const fields = text.slice(length);
    if (fields !== this.#fields) {
      this.#fields = fields;
      this.#headers = parseFields(fields);
    }
    return this.#headers && { method, url, headers: this.#headers };
  }
}

/** Whether a request asks for no more than a reply: it has no body, and wants no other protocol and no leave to go on. */
export const isPlain = (headers: IncomingHttpHeaders): boolean =>
  headers['content-length'] === undefined &&
  headers['transfer-encoding'] === undefined &&
  headers.upgrade === undefined &&
  headers.expect === undefined;

const staysOpen = (headers: IncomingHttpHeaders): boolean =>
  (headers.connection ?? 'keep-alive').toLowerCase() === 'keep-alive' && headers['proxy-connection'] === undefined;

/** The headers of a plain read, with the empty line that ends them; undefined where a name stands twice or something else is unusual. */
function parseFields(text: string): IncomingHttpHeaders | undefined {
  const headers: Record<string, string> = {};
  let end = 0;
  headerLine.lastIndex = 0;
  for (let line = headerLine.exec(text); line !== null; line = headerLine.exec(text)) {
    const [, name = '', value = ''] = line;
    const key = name.toLowerCase();
    // Of this one alone Node makes an array.
    if (Object.hasOwn(headers, key) || key === 'set-cookie') return undefined;
    headers[key] = value;
    end = headerLine.lastIndex;
  }
  const isWhole = text.length === end + 2 && text.endsWith('\r\n');
  return isWhole && headers.host !== undefined && staysOpen(headers) && isPlain(headers) ? headers : undefined;
}
