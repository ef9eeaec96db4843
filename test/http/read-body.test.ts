import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { readBody } from '../../src/http/read-body.ts';

const bodyBytes = 64 * 1024 * 1024;

/** Sends a body from a thread of its own, as fast as it is taken. */
const client = `
  const { port, bytes } = require('node:worker_threads').workerData;
  require('node:http').request({ host: '127.0.0.1', port, method: 'PUT' }).end(Buffer.alloc(bytes));
`;

test('of an upload that goes to the disk little is read in one turn of the event loop', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const worker = new Worker(client, { eval: true, workerData: { port, bytes: bodyBytes } });
  const turns: number[] = [0];
  try {
    const [request] = await once(server, 'request');
    request.on('data', (bytes: Buffer) => {
      turns.push((turns.pop() ?? 0) + bytes.byteLength);
    });
    const endTurn = () => {
      turns.push(0);
      turn = setImmediate(endTurn);
    };
    let turn = setImmediate(endTurn);
    await using body = await readBody(request, { maxBytes: bodyBytes, spoolAboveBytes: 0 });
    clearImmediate(turn);
    assert.equal(body.bytes.byteLength, bodyBytes);
  } finally {
    await worker.terminate();
    server.close().closeAllConnections();
  }
  // Others get an answer when a turn is over; a megabyte takes some milliseconds, and libuv would read two.
  assert.ok(Math.max(...turns) <= 1024 * 1024, `${Math.max(...turns)} bytes in a turn`);
});
