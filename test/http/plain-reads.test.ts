/** Plain reads: what is taken ahead of Node's parser is what that parser would make of it, and all of it. */
import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { PlainReads } from '../../src/http/plain-reads.ts';
import { type Listening, listenOnLoopback } from '../support/listen-on-loopback.ts';

const parse = (head: string) => new PlainReads().parse(Buffer.from(head, 'latin1'));

describe('PlainReads', () => {
  for (const [head, method, url, headers] of [
    ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'GET', '/', { host: 'x' }],
    ['HEAD /a?b#c HTTP/1.1\r\nHost:x\r\n\r\n', 'HEAD', '/a?b#c', { host: 'x' }],
    ['GET //x/%00"<>\\^`{|} HTTP/1.1\r\nHOST: x\r\n\r\n', 'GET', '//x/%00"<>\\^`{|}', { host: 'x' }],
    [
      'GET / HTTP/1.1\r\nhost: \t x:80\t \r\nAuthorization: Basic YTpi\r\nIf-None-Match: "a", W/"b"\r\n\r\n',
      'GET',
      '/',
      { host: 'x:80', authorization: 'Basic YTpi', 'if-none-match': '"a", W/"b"' },
    ],
    [
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: Keep-Alive\r\n\r\n',
      'GET',
      '/',
      { host: 'x', connection: 'Keep-Alive' },
    ],
    [
      "GET / HTTP/1.1\r\nHost: x\r\nA!#$%&'*+-.^_`|~9: y: z\r\n\r\n",
      'GET',
      '/',
      { host: 'x', "a!#$%&'*+-.^_`|~9": 'y: z' },
    ],
  ] as const) {
    it(`reads ${JSON.stringify(head)}`, () => assert.deepEqual(parse(head), { method, url, headers }));
  }

  const line = 'GET / HTTP/1.1\r\n';
  for (const [what, head] of [
    ['nothing', ''],
    ['a method that changes something', 'PUT / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a method in lower case', 'get / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a target in absolute form', 'GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a target that is no path', 'GET * HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a target with a space', 'GET /a b HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a target with a tab', 'GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a target that is not ASCII', 'GET /\xe4 HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a target with NUL', 'GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['two spaces before the target', 'GET  / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a space behind the version', 'GET / HTTP/1.1 \r\nHost: x\r\n\r\n'],
    ['HTTP/1.0', 'GET / HTTP/1.0\r\nHost: x\r\n\r\n'],
    ['HTTP/0.9', 'GET /\r\n'],
    ['an empty line in front', `\r\n${line}Host: x\r\n\r\n`],
    ['no host', `${line}A: x\r\n\r\n`],
    ['no header', `${line}\r\n`],
    ['an empty host', `${line}Host:\r\n\r\n`],
    ['a header twice', `${line}Host: x\r\nA: 1\r\na: 2\r\n\r\n`],
    ['the host twice', `${line}Host: x\r\nHost: x\r\n\r\n`],
    ['a folded line', `${line}Host: x\r\n y\r\n\r\n`],
    ['a line folded behind the colon', `${line}Host: x\r\nA:\r\n\ty\r\n\r\n`],
    ['a fold in front', `${line} A: x\r\nHost: x\r\n\r\n`],
    ['a space before the colon', `${line}Host: x\r\nA : b\r\n\r\n`],
    ['a space in a name', `${line}Host: x\r\nA B: y\r\n\r\n`],
    ['no name', `${line}Host: x\r\n: y\r\n\r\n`],
    ['no colon', `${line}Host: x\r\nA\r\n\r\n`],
    ['a name that is not ASCII', `${line}Host: x\r\nA\xe4: y\r\n\r\n`],
    ['a value that is not ASCII', `${line}Host: x\r\nA: a\xe4b\r\n\r\n`],
    ['a value with NUL', `${line}Host: x\r\nA: b\0c\r\n\r\n`],
    ['a value with DEL', `${line}Host: x\r\nA: b\x7fc\r\n\r\n`],
    ['a value with CR', `${line}Host: x\r\nA: b\rc\r\n\r\n`],
    ['lines that end with LF', 'GET / HTTP/1.1\nHost: x\n\n'],
    ['a request line that ends with LF', 'GET / HTTP/1.1\nHost: x\r\n\r\n'],
    ['a header that ends with LF', `${line}Host: x\nA: b\r\n\r\n`],
    ['an empty line that is LF', `${line}Host: x\r\n\n`],
    ['a connection to be closed', `${line}Host: x\r\nConnection: close\r\n\r\n`],
    ['a connection with options', `${line}Host: x\r\nConnection: keep-alive, close\r\n\r\n`],
    ['what a proxy says of its connection', `${line}Host: x\r\nProxy-Connection: keep-alive\r\n\r\n`],
    ['a cookie to be set', `${line}Host: x\r\nSet-Cookie: a=b\r\n\r\n`],
    ['a long head', `${line}Host: x\r\nA: ${'b'.repeat(8192)}\r\n\r\n`],
    ['a body', `${line}Host: x\r\nContent-Length: 1\r\n\r\n`],
    ['an empty body', `${line}Host: x\r\nContent-Length: 0\r\n\r\n`],
    ['a body in chunks', `${line}Host: x\r\nTransfer-Encoding: chunked\r\n\r\n`],
    ['another protocol', `${line}Host: x\r\nUpgrade: h2c\r\n\r\n`],
    ['leave to go on', `${line}Host: x\r\nExpect: 100-continue\r\n\r\n`],
    ['a byte behind the head', `${line}Host: x\r\n\r\nx`],
    ['an empty line behind the head', `${line}Host: x\r\n\r\n\r\n`],
    ['a second read', `${line}Host: x\r\n\r\n${line}Host: x\r\n\r\n`],
  ] as const) {
    it(`leaves ${what} to Node's parser`, () => assert.equal(parse(head), undefined));
  }

  it('takes no head before its end', () => {
    const head = `${line}Host: x\r\nAuthorization: Basic YTpi\r\n\r\n`;
    assert.ok(parse(head));
    for (let i = 0; i < head.length; i++) assert.equal(parse(head.slice(0, i)), undefined, head.slice(0, i));
  });

  it('gives reads with the same fields the very same headers, and others none of theirs', () => {
    const reads = new PlainReads();
    const headersOf = (start: string, fields: string): IncomingHttpHeaders | undefined =>
      reads.parse(Buffer.from(`${start} HTTP/1.1\r\n${fields}\r\n`))?.headers;
    const first = headersOf('GET /a', 'Host: x\r\nAuthorization: a\r\n');
    assert.equal(headersOf('HEAD /b', 'Host: x\r\nAuthorization: a\r\n'), first);
    assert.deepEqual(headersOf('GET /a', 'Host: x\r\nAuthorization: b\r\n'), { host: 'x', authorization: 'b' });
    assert.deepEqual(headersOf('GET /a', 'Host: x\r\n'), { host: 'x' });
    assert.equal(headersOf('GET /a', 'Host: x\r\nHost: x\r\n'), undefined);
    assert.equal(headersOf('GET /a', 'Host: x\r\nHost: x\r\n'), undefined);
    assert.deepEqual(headersOf('GET /a', 'Host: x\r\nAuthorization: a\r\n'), first);
    assert.deepEqual(first, { host: 'x', authorization: 'a' });
  });
});

describe("PlainReads and Node's own server", () => {
  /** What the server made of what it got. */
  let seen: unknown[] = [];
  const server = createServer(async (request, response) => {
    const { method, url, headers } = request;
    seen.push({ method, url, headers: { ...headers }, body: await text(request) });
    response.end();
  });
  // What it waits for in vain is a failure, not a hang.
  server.setTimeout(1_000);
  let listening: Listening;
  before(async () => {
    listening = await listenOnLoopback(server);
  });
  after(() => listening[Symbol.asyncDispose]());

  /** Plain things are likely, and what is not stands beside them. */
  const mostly = (plain: fc.Arbitrary<string>, ...odd: readonly string[]) =>
    fc.oneof({ arbitrary: plain, weight: 20 }, { arbitrary: fc.constantFrom(...odd), weight: 1 });
  const from = (letters: string, maxLength: number) =>
    fc.string({ unit: fc.constantFrom(...letters), minLength: 1, maxLength });
  const letters = String.fromCharCode(...Array.from({ length: 94 }, (_, i) => 0x21 + i));
  const space = mostly(fc.constant(' '), '', '  ', '\t', ' \t ', '\r\n ', '\0');
  const end = mostly(fc.constant('\r\n'), '\n', '\r', '\r\n\r\n', ' \r\n', '\t\r\n', 'x');
  const method = mostly(fc.constantFrom('GET', 'HEAD'), 'POST', 'get', 'OPTIONS', 'PRI', '\r\nGET');
  const path = from(letters, 12).map(rest => `/${rest}`);
  const target = mostly(path, '/', '*', '', 'http://x/', '/ä', '/\0', '/a b');
  const version = mostly(fc.constant('HTTP/1.1'), 'HTTP/1.0', 'HTTP/1.2', 'http/1.1', 'HTTP/2.0');
  const names = [
    'Proxy-Connection',
    'Set-Cookie',
    'Accept',
    'authorization',
    'COOKIE',
    'Range',
    'If-None-Match',
    'User-Agent',
    'Keep-Alive',
    'TE',
    'Trailer',
  ];
  const name = mostly(
    fc.oneof(fc.constantFrom(...names), from('abcXYZ019-_.!#$%&*+^`|~', 6)),
    ...['Connection', 'Content-Length', 'Transfer-Encoding', 'Upgrade', 'Expect', 'Host', 'A B', 'A ', ' A', '', 'ä'],
  );
  const value = mostly(
    fc.oneof(from(letters, 8), from('ab \t,;:="', 12)),
    ...[
      '',
      '0',
      '1',
      'close',
      'keep-alive',
      'Keep-Alive, TE',
      'upgrade',
      'chunked',
      '100-continue',
      'ä',
      'a\0',
      'a\x7f',
      'a\rb',
    ],
  );
  const field = fc.tuple(name, mostly(fc.constant(':'), '', '::', ' :'), space, value, end);
  const host = mostly(
    fc.constant('Host: x\r\n'),
    '',
    'Host:\r\n',
    'host : x\r\n',
    'Host: x\n',
    'Host: x\r\nHost: y\r\n',
  );
  const head = fc
    .tuple(
      method,
      space,
      target,
      space,
      version,
      end,
      host,
      fc.array(field, { maxLength: 5 }),
      end,
      mostly(fc.constant(''), 'x', '\r\n'),
    )
    .map(parts => parts.flat(2).join(''));

  it('what is read is all that the server makes of it', async () => {
    const last = 'GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
    const expectedLast = { method: 'GET', url: '/last', headers: { host: 'x', connection: 'close' }, body: '' };
    let accepted = 0;
    let left = 0;
    const property = fc.asyncProperty(head, async bytes => {
      const read = parse(bytes);
      if (read === undefined) {
        left++;
        return;
      }
      accepted++;
      seen = [];
      const socket = connect(listening.port, '127.0.0.1');
      socket.write(bytes, 'latin1');
      socket.write(last);
      await text(socket);
      assert.deepEqual(seen, [{ ...read, body: '' }, expectedLast]);
    });
    await fc.assert(property, { seed: 1, numRuns: 2000 });
    assert.ok(accepted > 200 && left > 200, `${accepted} were read, ${left} left`);
  });
});
