/** A reply whose bytes are known before it is asked for, but for the date. */
import { type ServerResponse, STATUS_CODES } from 'node:http';

/** Longer than a balancer keeps its connections, so that it is never we who close one that it is about to use. */
export const keepAliveMs = 80_000;

/** Up to this size a body is text that goes with its head. */
const maxTextBytes = 8 * 1024;

/** As Node says it of a connection that stays open. */
const staysOpen = `\r\nConnection: keep-alive\r\nKeep-Alive: timeout=${keepAliveMs / 1000}\r\n\r\n`;

export class PreparedReply {
  readonly status: number;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #body: Buffer | undefined;
  /** What is sent before the date and behind it, where it is text. */
  readonly #text: { readonly before: string; readonly after: string } | undefined;

  /** `headers` has all but Date and what is the connection's own. */
  constructor(status: number, headers: Readonly<Record<string, string>>, body?: Buffer) {
    this.status = status;
    this.#headers = headers;
    this.#body = body;
    if (body !== undefined && body.byteLength > maxTextBytes) return;
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    // Joined, not added up: this is text in one piece.
    const before = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n`, ...lines, 'Date: '].join('');
    this.#text = { before, after: [staysOpen, body?.toString('latin1') ?? ''].join('') };
  }

  /** The whole reply in latin1, for a connection that stays open; undefined where it is too long for one text. */
  text(): string | undefined {
    return this.#text && `${this.#text.before}${httpDate()}${this.#text.after}`;
  }

  send(response: ServerResponse): void {
    response.writeHead(this.status, this.#headers).end(this.#body);
  }
}

let second = 0;
let date = '';

/** The time of the reply, put into words once a second (RFC 9110, section 6.6.1). */
function httpDate(): string {
  const now = Math.floor(Date.now() / 1000);
  if (now !== second) {
    second = now;
    date = new Date(now * 1000).toUTCString();
  }
  return date;
}
