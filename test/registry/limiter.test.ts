import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Limiter } from '../../src/registry/limiter.ts';
import { never } from '../support/never.ts';

it('a limiter lets so many run at a time, in their order, whatever becomes of them', async () => {
  const limiter = new Limiter(2);
  let running = 0;
  let most = 0;
  const begun: number[] = [];
  const signals = [0, 1, 2, 3, 4].map(i => (i === 3 ? AbortSignal.abort(new Error('gone')) : never));
  const outcomes = await Promise.allSettled(
    signals.map((signal, i) =>
      limiter.run(async () => {
        begun.push(i);
        most = Math.max(most, ++running);
        await setImmediate();
        running--;
        if (i === 1) throw new Error('failed');
        return i;
      }, signal),
    ),
  );
  assert.equal(most, 2);
  assert.deepEqual(begun, [0, 1, 2, 4]);
  assert.deepEqual(
    outcomes.map(outcome => outcome.status),
    ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
  );
});
