import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { createHttpPoster } from '../../src/git/http-post.ts';

test('a connection that the server closes when it is used again is replaced by a new one, once', async () => {
  const sockets: Socket[] = [];
  const server = createServer(socket => {
    sockets.push(socket);
    let requests = 0;
    socket.on('error', () => {});
    socket.on('data', () => {
      requests += 1;
      if (requests === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      else socket.resetAndDestroy();
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  using poster = createHttpPoster();
  const ask = async (body: Buffer | Iterable<Uint8Array>) => {
    const url = new URL(`http://127.0.0.1:${port}/`);
    const signal = AbortSignal.timeout(10_000);
    const response = await poster.post({ url, headers: {}, body, timeoutMs: 5_000, signal });
    const pieces: Buffer[] = [];
    for await (const piece of response.body) pieces.push(piece);
    return Buffer.concat(pieces).toString();
  };
  try {
    assert.equal(await ask(Buffer.from('one')), 'ok');
    assert.equal(await ask(Buffer.from('two')), 'ok');
    assert.equal(sockets.length, 2);
    // What was produced as it was sent can't be sent again.
    await assert.rejects(ask([Buffer.from('three')]), { code: 'ECONNRESET' });
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});
