import assert from 'node:assert/strict';
import { createConnection } from 'node:net';
import { it } from 'node:test';

it('a test that talks to another machine fails', async () => {
  assert.throws(() => createConnection(80, '192.0.2.1'), /may talk to this machine only/);
  assert.throws(() => createConnection({ port: 80, host: 'example.com' }), /may talk to this machine only/);
  await assert.rejects(fetch('http://192.0.2.1/'), /fetch failed/);
});
