import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selfTest } from '../../src/registry/self-test.ts';
import { never } from '../support/never.ts';

test('a machine that hashes and inflates rightly passes', async () => {
  // Threads do not keep the process from ending.
  const alive = setInterval(() => {}, 1_000);
  await selfTest({ times: 1, maxMs: 0 }, never).finally(() => clearInterval(alive));
});

test('it stops when told', async () => {
  await assert.rejects(selfTest({ times: 1, maxMs: 0 }, AbortSignal.abort(new Error('as told'))), /as told/);
});
