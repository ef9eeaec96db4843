/** Replies from memory: what they say, how long they stand, and that connections do not notice. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { createFsFromVolume, Volume } from 'memfs';
import pino from 'pino';
import { createLocalForge } from '../../src/forge/local/local-forge.ts';
import { createHandler } from '../../src/http/create-handler.ts';
import { listen } from '../../src/http/listen.ts';
import { Registry } from '../../src/registry/registry.ts';
import { moduleZip } from '../support/module-zip.ts';
import { publisher } from '../support/test-app.ts';

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
}

/** modforge over a forge in memory, whose refs are believed for a minute unless told otherwise. */
async function start({ refsTtlMs = 60_000, anonymousRead = 'all' as 'all' | 'none' } = {}): Promise<Server> {
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
  const listener = await listen(handler, { host: '127.0.0.1', port: 0, tls: undefined });
  return {
    registry,
    proxyUrl: `${listener.url}/api/packages/acme/go`,
    logged,
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

/** The replies to requests that are written at once, each with its head and body. */
async function exchange({ proxyUrl }: Server, ...requests: readonly string[]): Promise<string[]> {
  const socket = connect(Number(new URL(proxyUrl).port), '127.0.0.1').setEncoding('latin1');
  socket.write(requests.join(''));
  const replies: string[] = [];
  let received = '';
  for await (const data of socket) {
    received += data;
    for (let end = endOfReply(received, requests[replies.length]); end > 0; ) {
      replies.push(received.slice(0, end));
      received = received.slice(end);
      end = endOfReply(received, requests[replies.length]);
    }
    if (replies.length === requests.length) break;
  }
  assert.equal(received, '');
  return replies;
}

/** How long the first reply in `received` is, 0 where it is not there to its end. */
function endOfReply(received: string, request = ''): number {
  const head = /^[\s\S]*?\r\n\r\n/.exec(received)?.[0];
  if (head === undefined) return 0;
  const hasBody = !request.startsWith('HEAD ') && !head.startsWith('HTTP/1.1 304 ');
  const end = head.length + (hasBody ? Number(/^Content-Length: (\d+)\r$/m.exec(head)?.[1]) : 0);
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
          [{ Range: 'bytes=1-3' }, 'HEAD', 200],
          [{ Range: 'bytes=1-3', 'If-Range': etag }, 'GET', 206],
          [{ Range: 'bytes=1-3', 'If-Range': '"x"' }, 'GET', 200],
          [{ Range: `bytes=${size}-` }, 'GET', 416],
          [{ Connection: 'close' }, 'GET', 200],
        ];
        for (const [i, [conditions, method, status]] of cases.entries()) {
          // A target that nobody asked for yet, and the same one again.
          const asked = headOf(
            `example.com/lib/${path}?${who === 'anonymous'}${i}`,
            { ...credentials, ...conditions },
            method,
          );
          const before = server.registry.reads;
          const [[first = ''], [second = '']] = [await exchange(server, asked), await exchange(server, asked)];
          assert.equal(server.registry.reads, before + 1, `${method} ${JSON.stringify(conditions)}`);
          assert.match(first, new RegExp(`^HTTP/1\\.1 ${status} `), `${method} ${JSON.stringify(conditions)}`);
          assert.equal(withoutDate(second), withoutDate(first));
          assert.ok(Math.abs(Date.parse(/^Date: (.*)\r$/m.exec(second)?.[1] ?? '') - Date.now()) < 10_000);
        }
      });
    }
  }

  it('has the headers that Node would give it', async () => {
    const path = 'example.com/lib/@v/v1.0.0.mod';
    await exchange(server, headOf(path));
    const [own = ''] = await exchange(server, headOf(path));
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
    server.logged.length = 0;
    for (let i = 0; i < 2; i++)
      await exchange(server, headOf('example.com/lib/@v/v1.0.0.info?q', { 'If-None-Match': '*' }));
    const lines = server.logged.map(line => JSON.parse(line));
    assert.equal(lines.length, 2);
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
    const [list, latest] = ['@v/list', '@latest'].map(path => `${server.proxyUrl}/example.com/lib/${path}`);
    const read = async () => {
      const info: unknown = await bodyOf(latest ?? '');
      const version = typeof info === 'string' ? /"Version":"([^"]+)"/.exec(info)?.[1] : info;
      return [await bodyOf(list ?? ''), version];
    };
    await publish(server, 'example.com/lib', 'v1.0.0');
    for (let i = 0; i < 2; i++) assert.deepEqual(await read(), ['v1.0.0\n', 'v1.0.0']);
    assert.equal(server.registry.reads, 2);
    await publish(server, 'example.com/lib', 'v1.1.0');
    for (let i = 0; i < 2; i++) assert.deepEqual(await read(), ['v1.0.0\nv1.1.0\n', 'v1.1.0']);
    for (const version of ['v1.0.0', 'v1.1.0']) {
      const url = `${new URL(server.proxyUrl).origin}/api/v1/packages/acme/go/example.com%2Flib/${version}`;
      assert.equal((await fetch(url, { method: 'DELETE', headers: auth })).status, 204);
    }
    for (let i = 0; i < 2; i++) assert.deepEqual(await read(), [404, 404]);
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
});
