import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { SharedCache } from '../../src/registry/shared-cache.ts';
import { never } from '../support/never.ts';

interface Value {
  readonly n: number;
}

/** A fetch that ends when the test says so, and counts how often it was begun. */
function controlledFetch() {
  let finish: (value: Value) => void = () => {};
  let fail: (error: Error) => void = () => {};
  const state = { calls: 0, aborted: false };
  const fetch = (signal: AbortSignal) => {
    state.calls++;
    signal.addEventListener('abort', () => {
      state.aborted = true;
    });
    return new Promise<Value>((resolve, reject) => {
      finish = resolve;
      fail = reject;
    });
  };
  return { state, fetch, finish: (n: number) => finish({ n }), fail: (error: Error) => fail(error) };
}

describe('SharedCache', () => {
  it('fetches once for all who ask at the same time, and keeps it', async () => {
    const cache = new SharedCache<Value>({ max: 10, ttlMs: 0 });
    const source = controlledFetch();
    const all = Promise.all([1, 2, 3].map(() => cache.get('k', source.fetch, never)));
    source.finish(7);
    assert.deepEqual(await all, [{ n: 7 }, { n: 7 }, { n: 7 }]);
    assert.deepEqual(await cache.get('k', source.fetch, never), { n: 7 });
    assert.equal(source.state.calls, 1);
  });

  it('lets one who waits go without disturbing the others', async () => {
    const cache = new SharedCache<Value>({ max: 10, ttlMs: 0 });
    const source = controlledFetch();
    const gone = new AbortController();
    const first = cache.get('k', source.fetch, gone.signal);
    const second = cache.get('k', source.fetch, never);
    gone.abort(new Error('gone'));
    await assert.rejects(first, /gone/);
    assert.equal(source.state.aborted, false);
    source.finish(1);
    assert.deepEqual(await second, { n: 1 });
  });

  it('stops the fetch when the last one has gone', async () => {
    const cache = new SharedCache<Value>({ max: 10, ttlMs: 0 });
    const source = controlledFetch();
    const gone = new AbortController();
    const both = [cache.get('k', source.fetch, gone.signal), cache.get('k', source.fetch, gone.signal)];
    gone.abort(new Error('gone'));
    await Promise.allSettled(both);
    assert.equal(source.state.aborted, true);
    const again = cache.get('k', source.fetch, never);
    await setImmediate();
    source.finish(2);
    assert.deepEqual(await again, { n: 2 });
  });

  it('keeps no failure', async () => {
    const cache = new SharedCache<Value>({ max: 10, ttlMs: 0 });
    const source = controlledFetch();
    const failing = cache.get('k', source.fetch, never);
    source.fail(new Error('down'));
    await assert.rejects(failing, /down/);
    const again = cache.get('k', source.fetch, never);
    source.finish(3);
    assert.deepEqual(await again, { n: 3 });
  });

  it('keeps no more bytes than it may', async () => {
    const cache = new SharedCache<Value>({ maxBytes: 100, bytesOf: value => value.n });
    cache.set('a', { n: 60 });
    cache.set('b', { n: 60 });
    cache.set('huge', { n: 1000 });
    const source = controlledFetch();
    assert.deepEqual(await cache.get('b', source.fetch, never), { n: 60 });
    for (const key of ['a', 'huge']) {
      const fetched = cache.get(key, source.fetch, never);
      source.finish(1);
      await fetched;
    }
    assert.equal(source.state.calls, 2);
  });

  it('lets go of the very value that it is told to, and of no later one', async () => {
    const released: Value[] = [];
    const owners = { retain() {}, release: (value: Value) => void released.push(value) };
    const cache = new SharedCache<Value>({ maxBytes: 100, bytesOf: () => 1, owners });
    const [first, second] = [{ n: 1 }, { n: 2 }];
    cache.set('a', first);
    cache.delete('a', second);
    assert.equal(cache.peek('a'), first);
    cache.delete('a', first);
    assert.equal(cache.peek('a'), undefined);
    assert.deepEqual(released, [first]);
  });

  it('says until when it keeps a value, whoever asks for it meanwhile', async () => {
    const cache = new SharedCache<Value>({ max: 10, ttlMs: 60_000 });
    const source = controlledFetch();
    assert.ok(cache.keptUntil('k') <= performance.now());
    const fetched = cache.get('k', source.fetch, never);
    const before = performance.now();
    source.finish(1);
    await fetched;
    const until = cache.keptUntil('k');
    assert.ok(until >= before + 60_000 && until <= performance.now() + 60_000);
    while (performance.now() < before + 5) await setImmediate();
    await cache.get('k', source.fetch, never);
    assert.ok(Math.abs(cache.keptUntil('k') - until) < 1);
  });
});
