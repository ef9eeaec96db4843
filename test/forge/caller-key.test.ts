import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { callerKey, keyedHash } from '../../src/forge/caller-key.ts';
import type { Caller, Credentials } from '../../src/forge/credentials.ts';

const user = (credentials: Credentials): Caller => ({ kind: 'user', credentials });

describe('callerKey', () => {
  it('is another one for each caller, and the same whenever he comes', () => {
    const callers = (): Caller[] => [
      { kind: 'anonymous' },
      { kind: 'service' },
      user({ kind: 'basic', user: 'ann', password: 'secret' }),
      user({ kind: 'basic', user: 'ann', password: 'other' }),
      user({ kind: 'basic', user: 'ann","secret', password: '' }),
      user({ kind: 'token', token: 'secret' }),
      user({ kind: 'token', token: 'anonymous' }),
    ];
    const keys = callers().map(callerKey);
    assert.equal(new Set(keys).size, keys.length);
    assert.deepEqual(callers().map(callerKey), keys);
  });

  it('holds nothing of a secret', () => {
    const key = callerKey(user({ kind: 'token', token: 'secret' }));
    assert.match(key, /^[\w-]{43}$/);
    assert.notEqual(key, keyedHash('secret'));
  });
});
