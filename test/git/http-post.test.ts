import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createHttpPoster } from '../../src/git/http-post.ts';
import { type GitService, requestService } from '../../src/git/smart-http-request.ts';

test('reading goes over a new connection where the kept one was closed; a push never uses a kept one', async () => {
  const requests: string[][] = [];
  const sockets: Socket[] = [];
  const server = createServer(socket => {
    const heard: string[] = [];
    requests.push(heard);
    sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', data => {
      const service = /git-[a-z]+-pack/.exec(data.toString())?.[0] ?? 'more';
      heard.push(service);
      const head = `HTTP/1.1 200 OK\r\nContent-Type: application/x-${service}-result\r\nContent-Length: 2\r\n\r\n`;
      if (heard.length === 1) socket.write(`${head}ok`);
      else socket.resetAndDestroy();
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  using poster = createHttpPoster();
  const url = new URL(`http://127.0.0.1:${port}/lib.git`);
  const ask = async (service: GitService) => {
    const signal = AbortSignal.timeout(10_000);
    const target = { url, credentials: undefined, poster, userAgent: 'test', timeoutMs: 5_000 };
    const body = await requestService(target, { service, body: Buffer.from('0000'), signal });
    const pieces: Buffer[] = [];
    for await (const piece of body) pieces.push(piece);
    return Buffer.concat(pieces).toString();
  };
  try {
    assert.equal(await ask('git-upload-pack'), 'ok');
    assert.equal(await ask('git-receive-pack'), 'ok');
    assert.equal(await ask('git-upload-pack'), 'ok');
    assert.deepEqual(requests, [['git-upload-pack', 'git-upload-pack'], ['git-receive-pack'], ['git-upload-pack']]);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});

test('an answer that ends before its time is no answer, and one that nobody takes does not pile up', async () => {
  const sent = { bytes: 0 };
  const server = createServer(socket => {
    socket.on('error', () => {});
    socket.once('data', async data => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n');
      if (data.includes('/cut-length')) socket.end('Content-Length: 10\r\n\r\nhello');
      else if (data.includes('/cut-chunk')) socket.end('Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
      else {
        socket.write('Content-Length: 100000000\r\n\r\n');
        const piece = Buffer.alloc(100_000);
        for (; sent.bytes < 100_000_000 && !socket.destroyed; sent.bytes += piece.byteLength) {
          if (!socket.write(piece)) await once(socket, 'drain').catch(() => {});
        }
      }
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  using poster = createHttpPoster();
  const post = async (path: string) => {
    const url = new URL(`http://127.0.0.1:${port}${path}`);
    const signal = AbortSignal.timeout(10_000);
    const request = { url, headers: {}, body: Buffer.alloc(0), connection: 'new', timeoutMs: 5_000, signal } as const;
    return (await poster.post(request)).body;
  };
  try {
    for (const path of ['/cut-length', '/cut-chunk']) {
      const pieces: string[] = [];
      await assert.rejects(async () => {
        for await (const piece of await post(path)) pieces.push(piece.toString());
      }, path);
      assert.deepEqual(pieces, ['hello'], path);
    }
    for await (const _ of await post('/large')) {
      await sleep(300);
      break;
    }
    assert.ok(sent.bytes < 20_000_000, `${sent.bytes} bytes were taken`);
  } finally {
    server.close();
  }
});

test('an answer whose request was given up is none, however much of it had come', async () => {
  const server = createServer(socket => {
    socket.on('error', () => {});
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  using poster = createHttpPoster();
  const controller = new AbortController();
  const { signal } = controller;
  const url = new URL(`http://127.0.0.1:${port}/`);
  const request = { url, headers: {}, body: Buffer.alloc(0), connection: 'new', timeoutMs: 5_000, signal } as const;
  try {
    const { body } = await poster.post(request);
    await sleep(50);
    controller.abort(new Error('given up'));
    await sleep(50);
    await assert.rejects(async () => {
      for await (const _ of body);
    }, /given up/);
  } finally {
    server.close();
  }
});
