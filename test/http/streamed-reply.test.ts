import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { StreamedReply } from '../../src/http/streamed-reply.ts';
import { sliceOf } from '../../src/spool/slice.ts';
import { createSpool } from '../../src/spool/spool.ts';
import { countTurns } from '../support/count-turns.ts';

test('others have their turn while a client takes what is at hand as fast as it is read', async () => {
  await using spool = await createSpool();
  // The last megabyte is not on the disk yet, so that there is nothing to wait for.
  const bytes = Buffer.alloc(2 ** 20, 'go');
  for (let at = 0; at < bytes.byteLength; at += 2 ** 16) await spool.append(bytes.subarray(at, at + 2 ** 16));
  const spent = { ms: 0, bytes: 0 };
  const client = new Writable({
    highWaterMark: 1,
    write(chunk: Buffer, _encoding, done) {
      const start = performance.now();
      while (performance.now() - start < 10);
      spent.ms += 10;
      spent.bytes += chunk.byteLength;
      done();
    },
  });
  const response = Object.assign(client, { writeHead() {} }) as unknown as ServerResponse;
  const turns = await countTurns(() => new StreamedReply(200, {}, sliceOf(spool)).send(response));
  assert.equal(spent.bytes, bytes.byteLength);
  assert.ok(turns >= spent.ms / 10, `${turns} turns in ${spent.ms} ms`);
});
