/** Replies from memory: what they say, how long they stand, and that connections do not notice, whether Node's parser is asked or not. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Agent, createServer, type IncomingMessage, request, type ServerOptions, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import fc from 'fast-check';
import { createFsFromVolume, Volume } from 'memfs';
import pino from 'pino';
import { createLocalForge } from '../../src/forge/local/local-forge.ts';
import { answerAhead } from '../../src/http/answer-ahead.ts';
import { createHandler, type Handler } from '../../src/http/create-handler.ts';
import { listen } from '../../src/http/listen.ts';
import { Registry } from '../../src/registry/registry.ts';
import { listenOnLoopback } from '../support/listen-on-loopback.ts';
import { moduleZip } from '../support/module-zip.ts';
import { skipWithout } from '../support/skip-without.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';
import { publisher } from '../support/test-app.ts';
import { makeCertificates } from '../support/test-certificates.ts';

const auth = { Authorization: publisher.basic };

/** Counts the reads that came to it. */
class CountingRegistry extends Registry {
  reads = 0;

  override read(...args: Parameters<Registry['read']>): ReturnType<Registry['read']> {
    this.reads++;
    return super.read(...args);
  }
}

interface Server extends AsyncDisposable {
  readonly registry: CountingRegistry;
  readonly proxyUrl: string;
  readonly logged: string[];
  /** How many requests were answered ahead of Node's parser. */
  readonly ahead: number;
  open(): Client;
  /** Its end of a connection that has had a reply. */
  peerOf(client: Client): Socket;
}

interface StartOptions {
  readonly refsTtlMs?: number;
  readonly anonymousRead?: 'all' | 'none';
  readonly tls?: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer };
}

/** modforge over a forge in memory, whose refs are believed for a minute unless told otherwise. */
async function start({ refsTtlMs = 60_000, anonymousRead = 'all', tls }: StartOptions = {}): Promise<Server> {
  const logged: string[] = [];
  const log = pino({ level: 'info' }, { write: line => logged.push(line) });
  const users = new Map([[publisher.name, publisher.password]]);
  const fs = createFsFromVolume(new Volume());
  const registry = new CountingRegistry({
    forge: createLocalForge({ fs, directory: '/', users, visibility: 'private', log }),
    owners: ['acme'],
    pathRules: [],
    anonymousRead,
    privatePaths: '',
    republish: 'any',
    cacheBytes: 2 ** 26,
    spoolAboveBytes: 2 ** 20,
    refsTtlMs,
    log,
  });
  const limits = { maxUploadBytes: 2 ** 26, spoolAboveBytes: 2 ** 20, cacheBytes: 2 ** 26 };
  const handler = createHandler({ registry, publicUrl: undefined, pathRules: [], trustProxy: [], ...limits, log });
  const peers = new Map<number | undefined, Socket>();
  let ahead = 0;
  const observed: Handler = {
    handle: (request, response) => {
      peers.set(request.socket.remotePort, request.socket);
      handler.handle(request, response);
    },
    readyText: read => {
      const reply = handler.readyText(read);
      if (reply !== undefined) ahead++;
      return reply;
    },
  };
  const listener = await listen(observed, { host: '127.0.0.1', port: 0, tls });
  const address = { port: Number(new URL(listener.url).port), host: '127.0.0.1', allowHalfOpen: true };
  return {
    registry,
    proxyUrl: `${listener.url}/api/packages/acme/go`,
    logged,
    get ahead() {
      return ahead;
    },
    open: () => new Client(tls ? connectTls({ ...address, ca: tls.ca }) : connect(address)),
    peerOf: ({ socket }) => {
      const peer = peers.get(socket.localPort);
      assert.ok(peer);
      return peer;
    },
    async [Symbol.asyncDispose]() {
      await listener[Symbol.asyncDispose]();
      await registry.settled();
    },
  };
}

async function publish(server: Server, module: string, version: string, files: Record<string, string | Buffer> = {}) {
  const body = await moduleZip(module, version, files);
  const response = await fetch(`${server.proxyUrl}/upload`, { method: 'PUT', body, headers: auth });
  assert.equal(response.status, 201, await response.text());
  // `main` moves afterwards, which is a change as well.
  await server.registry.settled();
}

/** A connection that stays open until it is disposed of. */
class Client implements Disposable {
  readonly socket: Socket;
  readonly #chunks: AsyncIterator<string>;
  #received = '';

  constructor(socket: Socket) {
    this.socket = socket.setEncoding('latin1').setNoDelay();
    this.#chunks = socket[Symbol.asyncIterator]();
  }

  /** What came behind the replies that were taken. */
  get unread(): string {
    return this.#received;
  }

  write(bytes: string): void {
    this.socket.write(bytes, 'latin1');
  }

  /** The next reply, with its head and body, which is one to `request`. */
  async reply(request: string): Promise<string> {
    for (;;) {
      const end = endOfReply(this.#received, request);
      if (end > 0) {
        const reply = this.#received.slice(0, end);
        this.#received = this.#received.slice(end);
        return reply;
      }
      if (!(await this.#receive())) assert.fail(`the connection ended with ${JSON.stringify(this.#received)}`);
    }
  }

  async ask(request: string): Promise<string> {
    this.write(request);
    return await this.reply(request);
  }

  /** What comes until the server ends the connection. */
  async rest(): Promise<string> {
    while (await this.#receive());
    return this.#received;
  }

  async #receive(): Promise<boolean> {
    const { value, done } = await this.#chunks.next();
    if (!done) this.#received += value;
    return !done;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** The replies to requests that are written at once on a connection of their own. */
async function exchange(server: Server, ...requests: readonly string[]): Promise<string[]> {
  using client = server.open();
  client.write(requests.join(''));
  const replies: string[] = [];
  for (const request of requests) replies.push(await client.reply(request));
  assert.equal(client.unread, '');
  return replies;
}

/** A connection that was answered by Node's parser first, as each one is, and then ahead of it. */
async function openAnswered(server: Server): Promise<Client> {
  const client = server.open();
  const { ahead } = server;
  for (let i = 0; i < 2; i++) assert.match(await client.ask(headOf('example.com/lib/@v/list')), /^HTTP\/1\.1 200 /);
  assert.equal(server.ahead, ahead + 1);
  return client;
}

/** Writes what the server reads alone, unless it has ended the connection. */
async function writeAlone(server: Server, client: Client, bytes: string): Promise<void> {
  const peer = server.peerOf(client);
  const end = peer.bytesRead + bytes.length;
  if (!peer.destroyed) client.write(bytes);
  while (peer.bytesRead < end && !peer.destroyed) await new Promise(setImmediate);
}

/** Lets whatever is read by the registry wait until it is released. */
function holdReads({ registry }: Server): () => void {
  const read = registry.read.bind(registry);
  let release = (): void => {};
  const released = new Promise<void>(resolve => {
    release = resolve;
  });
  registry.read = async (...args) => {
    await released;
    return await read(...args);
  };
  return release;
}

/** How long the first reply in `received` is, 0 where it is not there to its end. */
function endOfReply(received: string, request = ''): number {
  const head = /^[\s\S]*?\r\n\r\n/.exec(received)?.[0];
  if (head === undefined) return 0;
  const hasBody = !request.startsWith('HEAD ') && !head.startsWith('HTTP/1.1 304 ');
  const end = head.length + (hasBody ? Number(/^Content-Length: (\d+)\r$/m.exec(head)?.[1] ?? 0) : 0);
  return end <= received.length ? end : 0;
}

const headOf = (path: string, headers: Readonly<Record<string, string>> = {}, method = 'GET') =>
  [
    `${method} /api/packages/acme/go/${path} HTTP/1.1`,
    'Host: modules.acme.dev',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    '\r\n',
  ].join('\r\n');

const withoutDate = (reply: string) => reply.replace(/^Date: .*\r\n/m, '');

describe('a reply from memory', () => {
  let server: Server;
  before(async () => {
    server = await start();
    await publish(server, 'example.com/lib', 'v1.0.0', { 'large.bin': randomBytes(100_000) });
  });
  after(() => server[Symbol.asyncDispose]());

  const paths = ['@v/list', '@latest', '@v/v1.0.0.info', '@v/v1.0.0.mod', '@v/v1.0.0.zip'];
  for (const path of paths) {
    for (const [who, credentials] of [
      ['anonymous', {}],
      ['a user', auth],
    ] as const) {
      it(`is the one that was found first, byte for byte: ${path} to ${who}`, async () => {
        const whole = await fetch(`${server.proxyUrl}/example.com/lib/${path}?`, { headers: credentials });
        const { byteLength: size } = await whole.arrayBuffer();
        const [etag = '', date = ''] = ['etag', 'last-modified'].map(name => whole.headers.get(name) ?? '');
        const cases: [conditions: Record<string, string>, method: string, status: number][] = [
          [{}, 'GET', 200],
          [{}, 'HEAD', 200],
          [{ 'If-None-Match': etag }, 'GET', 304],
          [{ 'If-None-Match': `"x", W/${etag}` }, 'HEAD', 304],
          [{ 'If-None-Match': '"x"' }, 'GET', 200],
          [{ 'If-Modified-Since': date }, 'GET', path === '@latest' ? 200 : 304],
          [{ Range: 'bytes=1-3' }, 'GET', 206],
          [{ Range: 'bytes=-3000' }, 'GET', 206],
          [{ Range: 'bytes=1-3' }, 'HEAD', 200],
          [{ Range: 'bytes=1-3', 'If-Range': etag }, 'GET', 206],
          [{ Range: 'bytes=1-3', 'If-Range': '"x"' }, 'GET', 200],
          [{ Range: `bytes=${size}-` }, 'GET', 416],
        ];
        for (const [i, [conditions, method, status]] of cases.entries()) {
          // A target that nobody asked for yet, and the same one again.
          const asked = headOf(
            `example.com/lib/${path}?${who === 'anonymous'}${i}`,
            { ...credentials, ...conditions },
            method,
          );
          const what = `${method} ${JSON.stringify(conditions)}`;
          const { ahead, registry } = server;
          const { reads } = registry;
          const [first = ''] = await exchange(server, asked);
          assert.match(first, new RegExp(`^HTTP/1\\.1 ${status} `), what);
          // By Node's parser, and ahead of it where it is short.
          using client = server.open();
          for (const again of [await client.ask(asked), await client.ask(asked)]) {
            assert.equal(withoutDate(again), withoutDate(first), what);
            assert.ok(Math.abs(Date.parse(/^Date: (.*)\r$/m.exec(again)?.[1] ?? '') - Date.now()) < 10_000, what);
          }
          assert.equal(registry.reads, reads + 1, what);
          assert.equal(server.ahead, first.length < 8192 ? ahead + 1 : ahead, what);
        }
        const closing = headOf(`example.com/lib/${path}?closing`, { ...credentials, Connection: 'close' });
        const { reads } = server.registry;
        const [[first = ''], [second = '']] = [await exchange(server, closing), await exchange(server, closing)];
        assert.equal(server.registry.reads, reads + 1);
        assert.match(first, /^HTTP\/1\.1 200 /);
        assert.equal(withoutDate(second), withoutDate(first));
      });
    }
  }

  it('has the headers that Node would give it', async () => {
    const path = 'example.com/lib/@v/v1.0.0.mod';
    using client = await openAnswered(server);
    const { ahead } = server;
    await exchange(server, headOf(path));
    const own = await client.ask(headOf(path));
    assert.equal(server.ahead, ahead + 1);
    const [nodes = ''] = await exchange(server, headOf(path, { Connection: 'close' }));
    const byNode = nodes.replace('Connection: close\r\n', 'Connection: keep-alive\r\nKeep-Alive: timeout=80\r\n');
    assert.equal(withoutDate(own), withoutDate(byNode));
  });

  it('closes the connection where the client says so or knows no other way', async () => {
    const [path, port] = ['/api/packages/acme/go/example.com/lib/@v/list', Number(new URL(server.proxyUrl).port)];
    for (const head of [
      `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      `GET ${path} HTTP/1.0\r\n\r\n`,
    ]) {
      for (let i = 0; i < 2; i++) {
        const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
        socket.write(head);
        const reply = await text(socket.setEncoding('latin1'));
        socket.end();
        assert.match(reply, /^HTTP\/1\.1 200 OK\r\n[\s\S]*Connection: close\r\n[\s\S]*v1\.0\.0\n$/);
      }
    }
  });

  it('is logged as every other', async () => {
    using client = server.open();
    const { ahead } = server;
    server.logged.length = 0;
    for (let i = 0; i < 3; i++) await client.ask(headOf('example.com/lib/@v/v1.0.0.info?q', { 'If-None-Match': '*' }));
    assert.equal(server.ahead, ahead + 2);
    const lines = server.logged.map(line => JSON.parse(line));
    assert.equal(lines.length, 3);
    for (const { msg, method, path, status } of lines) {
      const expected = ['request', 'GET', '/api/packages/acme/go/example.com/lib/@v/v1.0.0.info', 304];
      assert.deepEqual([msg, method, path, status], expected);
    }
  });

  for (const [name, head] of [
    ['a body', { 'Content-Length': '0' }],
    ['a body of unknown length', { 'Transfer-Encoding': 'chunked' }],
    ['another protocol', { Connection: 'Upgrade', Upgrade: 'h2c' }],
    ['leave to go on', { Expect: '100-continue' }],
  ] as const) {
    it(`is none for a request with ${name}`, async () => {
      const path = 'example.com/lib/@v/list';
      await exchange(server, headOf(path));
      const before = server.registry.reads;
      const rest = 'Transfer-Encoding' in head ? '0\r\n\r\n' : '';
      const [reply = ''] = await exchange(server, `${headOf(path, head)}${rest}`);
      assert.match(reply, /^HTTP\/1\.1 (?:100 Continue|200 OK)\r\n/);
      assert.equal(server.registry.reads, before + 1);
    });
  }
});

describe('how long a reply from memory stands', () => {
  const bodyOf = async (url: string, headers: Record<string, string> = {}) => {
    const response = await fetch(url, { headers });
    return response.ok ? await response.text() : response.status;
  };

  it('until a version is published or deleted', async () => {
    await using server = await start();
    await publish(server, 'example.com/lib', 'v1.0.0');
    using client = server.open();
    const ask = async (path: string) => {
      const [head = '', body] = (await client.ask(headOf(`example.com/lib/${path}`))).split('\r\n\r\n');
      return head.startsWith('HTTP/1.1 200 ') ? body : Number(head.split(' ')[1]);
    };
    const read = async () => {
      const info = await ask('@latest');
      const version = typeof info === 'string' ? /"Version":"([^"]+)"/.exec(info)?.[1] : info;
      return [await ask('@v/list'), version];
    };
    for (let i = 0; i < 2; i++) assert.deepEqual(await read(), ['v1.0.0\n', 'v1.0.0']);
    assert.equal(server.registry.reads, 2);
    await publish(server, 'example.com/lib', 'v1.1.0');
    for (let i = 0; i < 2; i++) assert.deepEqual(await read(), ['v1.0.0\nv1.1.0\n', 'v1.1.0']);
    for (const version of ['v1.0.0', 'v1.1.0']) {
      const url = `${new URL(server.proxyUrl).origin}/api/v1/packages/acme/go/example.com%2Flib/${version}`;
      assert.equal((await fetch(url, { method: 'DELETE', headers: auth })).status, 204);
    }
    for (let i = 0; i < 2; i++) assert.deepEqual(await read(), [404, 404]);
    assert.equal(server.ahead, 4);
  });

  it('not beyond a change that happens while it is made', async () => {
    await using server = await start();
    const { registry, proxyUrl } = server;
    await publish(server, 'example.com/lib', 'v1.0.0');
    const url = `${proxyUrl}/example.com/lib/@v/list`;
    const read = registry.read.bind(registry);
    registry.read = async (...args) => {
      const answer = await read(...args);
      registry.read = read;
      await publish(server, 'example.com/lib', 'v1.1.0');
      return answer;
    };
    assert.equal(await bodyOf(url), 'v1.0.0\n');
    assert.equal(await bodyOf(url), 'v1.0.0\nv1.1.0\n');
  });

  it('no longer than the refs are believed', async () => {
    await using server = await start({ refsTtlMs: 1 });
    await publish(server, 'example.com/lib', 'v1.0.0');
    const url = `${server.proxyUrl}/example.com/lib/@v/v1.0.0.info`;
    for (let i = 1; i <= 5; i++) {
      await bodyOf(url);
      const answered = performance.now();
      while (performance.now() < answered + 1) await new Promise(setImmediate);
      assert.equal(server.registry.reads, i);
    }
  });

  it('for those credentials alone', async () => {
    await using server = await start({ anonymousRead: 'none' });
    await publish(server, 'example.com/lib', 'v1.0.0');
    const url = `${server.proxyUrl}/example.com/lib/@v/v1.0.0.mod`;
    for (let i = 0; i < 2; i++) {
      assert.equal(await bodyOf(url, auth), 'module example.com/lib\n');
      for (const other of ['', `Basic ${btoa(`${publisher.name}:wrong`)}`, 'token wrong', 'nonsense']) {
        assert.equal(await bodyOf(url, { Authorization: other }), 401);
      }
      assert.equal(await bodyOf(url), 401);
    }
    assert.equal(await bodyOf(url, { Authorization: `token ${publisher.password}` }), 'module example.com/lib\n');
  });

  it('for those credentials alone, whoever shares their connection', async () => {
    await using server = await start({ anonymousRead: 'none' });
    await publish(server, 'example.com/lib', 'v1.0.0');
    using client = server.open();
    const ask = async (headers: Record<string, string>) =>
      (await client.ask(headOf('example.com/lib/@v/v1.0.0.mod', headers))).slice('HTTP/1.1 '.length).split(' ', 1)[0];
    for (let round = 1; round <= 3; round++) {
      const { ahead } = server;
      assert.equal(await ask(auth), '200');
      for (const other of [`Basic ${btoa(`${publisher.name}:wrong!`)}`, 'token wrong', 'nonsense']) {
        assert.equal(await ask({ Authorization: other }), '401');
        assert.equal(await ask(auth), '200');
      }
      assert.equal(await ask({}), '401');
      assert.equal(await ask({ Authorization: `token ${publisher.password}` }), '200');
      if (round > 1) assert.equal(server.ahead, ahead + 5);
    }
  });
});

describe('a connection with replies from memory', () => {
  let server: Server;
  before(async () => {
    server = await start();
    await publish(server, 'example.com/lib', 'v1.0.0', { 'large.bin': randomBytes(1_000_000) });
    for (const path of ['@v/list', '@v/v1.0.0.info', '@v/v1.0.0.zip']) {
      await (await fetch(`${server.proxyUrl}/example.com/lib/${path}`)).arrayBuffer();
    }
  });
  after(() => server[Symbol.asyncDispose]());

  it('gives a client that does not wait its replies in order, from memory or not', async () => {
    const asked = [
      ['@v/v1.0.0.info', 200],
      ['@v/v1.0.0.txt', 404],
      ['@v/list', 200],
      ['@v/v1.0.0.zip?other', 200],
      ['@v/v1.0.0.zip', 200],
      ['@v/v9.0.0.info', 404],
      ['@latest', 200],
      ['@v/v1.0.0.mod', 200],
      ['@v/v1.0.0.info', 200],
    ] as const;
    for (let round = 0; round < 3; round++) {
      const alone: string[] = [];
      for (const [path] of asked) alone.push(...(await exchange(server, headOf(`example.com/lib/${path}`))));
      const together = await exchange(server, ...asked.map(([path]) => headOf(`example.com/lib/${path}`)));
      for (const [i, [path, status]] of asked.entries()) {
        assert.match(together[i] ?? '', new RegExp(`^HTTP/1\\.1 ${status} `), path);
        assert.ok(withoutDate(together[i] ?? '') === withoutDate(alone[i] ?? ''), path);
      }
    }
  });

  it('serves a thousand requests, one after the other', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const sockets = new Set<Socket>();
    const before = server.registry.reads;
    const { ahead } = server;
    for (let i = 0; i < 1000; i++) {
      const sent = request(`${server.proxyUrl}/example.com/lib/@v/${i % 2 ? 'list' : 'v1.0.0.info'}`, { agent }).end();
      const [response]: IncomingMessage[] = await once(sent, 'response');
      assert.ok(response);
      sockets.add(response.socket);
      assert.match(await text(response), i % 2 ? /^v1\.0\.0\n$/ : /^\{"Version":"v1\.0\.0"/);
    }
    agent.destroy();
    assert.equal(sockets.size, 1);
    assert.equal(server.registry.reads, before);
    assert.equal(server.ahead, ahead + 999);
  });

  it('that ends in the midst of a reply ends alone', async () => {
    const url = `${server.proxyUrl}/example.com/lib/@v/v1.0.0.zip`;
    const { byteLength: size } = await (await fetch(url)).arrayBuffer();
    server.logged.length = 0;
    for (let i = 0; i < 20; i++) {
      const socket = connect(Number(new URL(url).port), '127.0.0.1');
      socket.write(headOf('example.com/lib/@v/v1.0.0.zip').repeat(3));
      await once(socket, 'data');
      if (i % 2) socket.resetAndDestroy();
      else socket.destroy();
      await once(socket, 'close');
    }
    assert.equal((await (await fetch(url)).arrayBuffer()).byteLength, size);
    assert.deepEqual(
      server.logged.map(line => JSON.parse(line)).filter(({ level }) => level > 30),
      [],
    );
  });

  const list = headOf('example.com/lib/@v/list');

  it('takes a request that comes in two parts, wherever it is cut, and the next one', async () => {
    const asked = headOf('example.com/lib/@v/v1.0.0.info');
    const alone = await exchange(server, asked, list);
    for (let cut = 1; cut < asked.length; cut++) {
      using client = await openAnswered(server);
      const { ahead } = server;
      await writeAlone(server, client, asked.slice(0, cut));
      client.write(asked.slice(cut));
      const replies = [await client.reply(asked), await client.ask(list)];
      assert.deepEqual(replies.map(withoutDate), alone.map(withoutDate), asked.slice(0, cut));
      assert.equal(server.ahead, ahead);
    }
  });

  it('gives the replies in order, however the requests are cut', async () => {
    const paths = ['@v/v1.0.0.info', '@v/v1.0.0.txt', '@v/list', '@v/v1.0.0.zip', '@v/v9.0.0.info', '@v/v1.0.0.mod'];
    const alone = new Map<string, string>();
    for (const path of paths) {
      for (const method of ['GET', 'HEAD']) {
        const asked = headOf(`example.com/lib/${path}`, {}, method);
        alone.set(asked, withoutDate((await exchange(server, asked))[0] ?? ''));
      }
    }
    // Mostly a request a piece, as clients do that wait for nothing.
    const requests = fc.array(fc.constantFrom(...alone.keys()), { minLength: 1, maxLength: 6 });
    const cuts = fc.array(fc.integer({ min: 1, max: 150 }), { maxLength: 4 });
    const property = fc.asyncProperty(requests, cuts, async (asked, lengths) => {
      using client = await openAnswered(server);
      let all = asked.join('');
      for (const length of [...lengths, ...asked.map(one => one.length)]) {
        await writeAlone(server, client, all.slice(0, length));
        all = all.slice(length);
      }
      client.write(all);
      for (const one of asked) assert.ok(withoutDate(await client.reply(one)) === alone.get(one), one);
    });
    await fc.assert(property, { seed: 1, numRuns: 60 });
  });

  it('gives no reply before the one to an earlier request', async () => {
    await using server = await start();
    await publish(server, 'example.com/lib', 'v1.0.0');
    using client = await openAnswered(server);
    const release = holdReads(server);
    const asked = headOf('example.com/lib/@v/v1.0.0.mod');
    for (const one of [asked, list, asked]) await writeAlone(server, client, one);
    release();
    assert.match(await client.reply(asked), /\r\n\r\nmodule example\.com\/lib\n$/);
    assert.match(await client.reply(list), /\r\n\r\nv1\.0\.0\n$/);
    assert.match(await client.reply(asked), /\r\n\r\nmodule example\.com\/lib\n$/);
  });

  it('takes uploads behind reads, and reads behind uploads', async () => {
    await using server = await start();
    await publish(server, 'example.com/lib', 'v1.0.0');
    const zipOf = async (version: string) => (await moduleZip('example.com/lib', version)).toString('latin1');
    const put = (headers: Record<string, string>) => headOf('upload', { ...auth, ...headers }, 'PUT');
    using client = await openAnswered(server);

    const declared = await zipOf('v1.1.0');
    await writeAlone(server, client, put({ 'Content-Length': String(declared.length) }));
    await writeAlone(server, client, declared.slice(0, 100));
    assert.match(await client.ask(declared.slice(100)), /^HTTP\/1\.1 201 /);
    assert.match(await client.ask(list), /\r\n\r\nv1\.0\.0\nv1\.1\.0\n$/);

    const chunk = await zipOf('v1.2.0');
    client.write(put({ 'Transfer-Encoding': 'chunked' }));
    assert.match(await client.ask(`${chunk.length.toString(16)}\r\n${chunk}\r\n0\r\n\r\n`), /^HTTP\/1\.1 201 /);
    assert.match(await client.ask(list), /\r\n\r\nv1\.0\.0\nv1\.1\.0\nv1\.2\.0\n$/);

    using expecting = await openAnswered(server);
    const expected = await zipOf('v1.3.0');
    const head = put({ 'Content-Length': String(expected.length), Expect: '100-continue' });
    assert.match(await expecting.ask(head), /^HTTP\/1\.1 100 Continue\r\n/);
    assert.match(await expecting.ask(expected), /^HTTP\/1\.1 201 [\s\S]*\r\nConnection: close\r\n/);
    assert.equal(await expecting.rest(), '');
    assert.match(await client.ask(list), /\nv1\.3\.0\n$/);
  });

  const get = (...fields: string[]) => list.replace(/\r\n$/, `${fields.map(field => `${field}\r\n`).join('')}\r\n`);
  const { length } = list;
  for (const [what, ...parts] of [
    ['another read as its body', get(`Content-Length: ${length}`), list],
    ['another read as a chunk', get('Transfer-Encoding: chunked'), `${length.toString(16)}\r\n`, list, '\r\n0\r\n\r\n'],
    ['two lengths', get('Content-Length: 0', `Content-Length: ${length}`), list],
    ['a length twice', get(`Content-Length: ${length}`, `Content-Length: ${length}`), list],
    ['a list of lengths', get(`Content-Length: ${length}, ${length}`), list],
    ['a length with a sign', get(`Content-Length: +${length}`), list],
    ['a length and chunks', get(`Content-Length: ${length + 5}`, 'Transfer-Encoding: chunked'), '0\r\n\r\n', list],
    ['chunks and a length', get('Transfer-Encoding: chunked', `Content-Length: ${length + 5}`), '0\r\n\r\n', list],
    ['chunks, and a space before the colon', get('Transfer-Encoding : chunked'), '0\r\n\r\n', list],
    ['chunks, on a folded line', get('Transfer-Encoding:\r\n chunked'), '0\r\n\r\n', list],
    ['chunks that are not the last encoding', get('Transfer-Encoding: chunked, identity'), '0\r\n\r\n', list],
    ['an encoding nobody knows', get('Transfer-Encoding: xchunked'), '0\r\n\r\n', list],
    ['a name with a space', get('A B: c'), list],
    ['a name with NUL', get('A\0: b'), list],
    ['a value with CR', get('A: b\rTransfer-Encoding: chunked'), list],
    ['two hosts', get('Host: y'), list],
    ['no host', list.replace(/^Host: .*\r\n/m, ''), list],
    ['lines that end with LF', list.replaceAll('\r\n', '\n'), list],
    ['nonsense', '\x16\x03\x01\0', list],
    ['a method for proxies', 'CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n', list],
  ] as const) {
    it(`is Node's to judge when a request comes with ${what}`, async () => {
      const statuses = (replies: string) => replies.match(/HTTP\/1\.1 \d{3} /g);
      const sent = [...parts, get('Connection: close')];
      await using plain = await listenOnLoopback(
        createServer((_, response) => void setImmediate(() => response.end())),
      );
      using reference = new Client(connect(plain.port, '127.0.0.1'));
      reference.write(sent.join(''));
      const expected = statuses(await reference.rest());
      for (const pieces of [sent, [sent.join('')]]) {
        using client = await openAnswered(server);
        const { ahead } = server;
        for (const piece of pieces) await writeAlone(server, client, piece);
        assert.deepEqual(statuses(await client.rest()), expected);
        assert.equal(server.ahead, ahead);
      }
    });
  }

  it('is not read from while its client does not take the replies', async () => {
    using client = await openAnswered(server);
    const peer = server.peerOf(client);
    const asked = headOf('example.com/lib/@v/v1.0.0.zip', { Range: 'bytes=0-7999' });
    const [alone = ''] = await exchange(server, asked);
    let sent = 0;
    // What the system keeps comes first.
    for (; peer.writableLength === 0; sent++) await writeAlone(server, client, asked);
    const { ahead } = server;
    for (let kept = 0; !peer.isPaused(); kept++, sent++) {
      assert.ok(kept < 100);
      await writeAlone(server, client, asked);
    }
    assert.equal(server.ahead, ahead);
    for (; sent > 0; sent--) assert.ok(withoutDate(await client.reply(asked)) === withoutDate(alone));
    assert.match(await client.ask(list), /\r\n\r\nv1\.0\.0\n$/);
  });

  it('whose client ends its side behind the request brings the reply', async () => {
    using client = await openAnswered(server);
    const { ahead } = server;
    client.socket.end(list);
    assert.match(await client.reply(list), /\r\n\r\nv1\.0\.0\n$/);
    assert.equal(await client.rest(), '');
    assert.equal(server.ahead, ahead + 1);
  });

  it('is closed at once when the server stops, unless a reply is under way', async () => {
    const stopping = await start();
    await publish(stopping, 'example.com/lib', 'v1.0.0');
    using silent = stopping.open();
    using idle = await openAnswered(stopping);
    using halfway = await openAnswered(stopping);
    using busy = await openAnswered(stopping);
    const release = holdReads(stopping);
    const asked = headOf('example.com/lib/@v/v1.0.0.mod');
    await writeAlone(stopping, busy, asked);
    await writeAlone(stopping, halfway, asked.slice(0, 20));
    const stopped = stopping[Symbol.asyncDispose]();
    for (const client of [silent, idle, halfway]) assert.equal(await client.rest(), '');
    release();
    assert.match(await busy.reply(asked), /\r\n\r\nmodule example\.com\/lib\n$/);
    assert.equal(await busy.rest(), '');
    await stopped;
  });
});

describe('a TLS connection with replies from memory', { skip: skipWithout('openssl') }, () => {
  let folder: TemporaryFolder;
  let server: Server;
  before(async () => {
    folder = await makeTemporaryFolder();
    const files = await makeCertificates(folder.path);
    const [ca, cert, key] = await Promise.all([readFile(files.ca), readFile(files.cert), readFile(files.key)]);
    server = await start({ tls: { ca, cert, key } });
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  it('gives the same ones, takes uploads between them, and ends with the server', async () => {
    const path = 'example.com/lib/@v/list';
    using publisher = server.open();
    for (const version of ['v1.0.0', 'v1.1.0']) {
      const zip = (await moduleZip('example.com/lib', version)).toString('latin1');
      const head = headOf('upload', { ...auth, 'Content-Length': String(zip.length) }, 'PUT');
      assert.match(await publisher.ask(head + zip), /^HTTP\/1\.1 201 /);
      await server.registry.settled();
      const first = await publisher.ask(headOf(path));
      assert.match(first, new RegExp(`\r\n\r\n(?:.*\n)*${version}\n$`));
      using client = await openAnswered(server);
      const { ahead } = server;
      assert.equal(withoutDate(await client.ask(headOf(path))), withoutDate(first));
      const head304 = headOf(path, { 'If-None-Match': '*' }, 'HEAD');
      assert.match(await client.ask(head304), /^HTTP\/1\.1 304 /);
      assert.equal(server.ahead, ahead + 2);
      client.write(headOf(path).repeat(3));
      for (let i = 0; i < 3; i++) assert.equal(withoutDate(await client.reply(headOf(path))), withoutDate(first));
    }
  });
});

describe("the clocks of Node's server", { timeout: 20_000 }, () => {
  /** What comes after two replies, of which the second is given ahead of Node's parser, when no more than `rest` is asked behind them. */
  async function restAfter(options: ServerOptions, rest: string): Promise<string> {
    const newest = new Map<Socket, ServerResponse>();
    const bare = createServer(options, (request, response) => {
      newest.set(request.socket, response);
      response.end();
    });
    bare.on('connection', socket =>
      answerAhead(
        socket,
        () => newest.get(socket),
        () => 'HTTP/1.1 204 Ahead\r\n\r\n',
      ),
    );
    await using listening = await listenOnLoopback(bare);
    using client = new Client(connect(listening.port, '127.0.0.1'));
    const asked = headOf('');
    assert.match(await client.ask(asked), /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(await client.ask(asked), /^HTTP\/1\.1 204 Ahead\r\n/);
    client.write(rest);
    return await client.rest();
  }

  it('end an idle connection', async () => {
    assert.equal(await restAfter({ keepAliveTimeout: 10 }, ''), '');
  });

  it('end a connection whose request does not come to its end', async () => {
    const limits = { requestTimeout: 0, headersTimeout: 20, connectionsCheckingInterval: 10 };
    assert.match(await restAfter(limits, headOf('').slice(0, 20)), /^HTTP\/1\.1 408 /);
  });
});
