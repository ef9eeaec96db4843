import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CredentialsRefused } from '../../src/git/errors.ts';
import { parseAuthorization } from '../../src/http/parse-authorization.ts';

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
const token = (text: string) => ({ kind: 'user', credentials: { kind: 'token', token: text } });
const user = (name: string, password: string) => ({
  kind: 'user',
  credentials: { kind: 'basic', user: name, password },
});

describe('parseAuthorization', () => {
  for (const [header, caller] of [
    [undefined, { kind: 'anonymous' }],
    ['token T', token('T')],
    ['Token T', token('T')],
    ['Bearer T', token('T')],
    [basic('ann:secret'), user('ann', 'secret')],
    [basic('ann:a:b:c'), user('ann', 'a:b:c')],
    [basic('T:'), token('T')],
    [basic('T:x-oauth-basic'), token('T')],
    [basic(':T'), user('', 'T')],
    [basic('änn:pässword'), user('änn', 'pässword')],
  ] as const) {
    it(`reads ${header}`, () => assert.deepEqual(parseAuthorization(header), caller));
  }

  for (const header of ['', 'Basic', 'Basic !', basic('no-colon'), basic(':'), 'Digest x', 'token', 'token a b']) {
    it(`refuses "${header}"`, () => assert.throws(() => parseAuthorization(header), CredentialsRefused));
  }
});
