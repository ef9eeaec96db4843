import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createFsFromVolume, Volume } from 'memfs';
import pino from 'pino';
import { ForgeUnavailable, ReleaseRefused } from '../../src/forge/errors.ts';
import type { Forge } from '../../src/forge/forge.ts';
import { createLocalForge } from '../../src/forge/local/local-forge.ts';
import { GitUnavailable, PushRefused, RefMoved, WriteRefused } from '../../src/git/errors.ts';
import { tagRef } from '../../src/git/ref-name.ts';
import type { Remote } from '../../src/git/remote.ts';
import { createHandler } from '../../src/http/create-handler.ts';
import { type Listener, listen } from '../../src/http/listen.ts';
import { Registry } from '../../src/registry/registry.ts';
import { moduleZip } from '../support/module-zip.ts';
import { publisher } from '../support/test-app.ts';

/** What a forge does that the embedded one can't be made to do: each method of its remotes can be replaced. */
let faults: Partial<Remote> & Partial<Forge> = {};

const log = pino({ level: 'silent' });

function faultyForge(): Forge {
  const forge = createLocalForge({
    fs: createFsFromVolume(new Volume()),
    directory: '/',
    users: new Map([[publisher.name, publisher.password]]),
    visibility: 'private',
    log,
  });
  return {
    ...forge,
    checkReady: signal => (faults.checkReady ?? forge.checkReady)(signal),
    authenticate: (credentials, signal) => (faults.authenticate ?? forge.authenticate)(credentials, signal),
    deleteRelease: (...args) => (faults.deleteRelease ?? forge.deleteRelease)(...args),
    remote: (name, caller) => ({ ...forge.remote(name, caller), ...faults }),
  };
}

describe('faults of the forge', () => {
  let server: Listener;
  const proxyUrl = () => `${server.url}/api/packages/acme/go`;
  const auth = { Authorization: publisher.basic };
  const fail = (error: Error) => () => Promise.reject(error);

  before(async () => {
    const registry = new Registry({
      forge: faultyForge(),
      owners: ['acme'],
      pathRules: [],
      anonymousRead: 'all',
      privatePaths: '',
      republish: 'any',
      cacheBytes: 2 ** 20,
      spoolAboveBytes: 2 ** 20,
      refsTtlMs: 1,
      log,
    });
    const handler = createHandler({
      registry,
      publicUrl: undefined,
      pathRules: [],
      trustProxy: [],
      maxUploadBytes: 2 ** 20,
      spoolAboveBytes: 2 ** 20,
      cacheBytes: 2 ** 20,
      log,
    });
    server = await listen(handler, { host: '127.0.0.1', port: 0, tls: undefined });
    const body = await moduleZip('example.com/lib', 'v1.0.0');
    const response = await fetch(`${proxyUrl()}/upload`, { method: 'PUT', body, headers: auth });
    assert.equal(response.status, 201);
  });
  after(() => server[Symbol.asyncDispose]());

  async function during<T>(broken: typeof faults, work: () => Promise<T>): Promise<T> {
    faults = broken;
    try {
      return await work();
    } finally {
      faults = {};
    }
  }

  for (const [name, error, retryAfter] of [
    ['git is down', new GitUnavailable('the forge does not answer'), '5'],
    ['git is throttled', new GitUnavailable('the forge is throttling', { retryAfterSeconds: 60 }), '60'],
    ['the API is down', new ForgeUnavailable('the forge does not answer'), '5'],
  ] as const) {
    it(`answers 503 and never 404 when ${name}, for what is there and what is not`, async () => {
      for (const path of ['example.com/lib/@v/list', 'example.com/lib/@v/v1.0.0.zip', 'example.com/none/@latest']) {
        const answer = await during({ refs: fail(error) }, () => fetch(`${proxyUrl()}/${path}`));
        assert.equal(answer.status, 503);
        assert.equal(answer.headers.get('retry-after'), retryAfter);
        assert.equal(answer.headers.get('cache-control'), 'no-store');
        assert.equal(await answer.text(), `${error.message}\n`);
      }
      assert.equal((await fetch(`${proxyUrl()}/example.com/lib/@v/list`)).status, 200);
    });
  }

  it('answers 504 when the forge is slow', async () => {
    const slow = Object.assign(new Error('timed out'), { name: 'TimeoutError' });
    const answer = await during({ refs: fail(slow) }, () => fetch(`${proxyUrl()}/example.com/lib/@v/list`));
    assert.equal(answer.status, 504);
    assert.ok(answer.headers.get('retry-after'));
  });

  it('is not ready while the forge is down, and alive all the same', async () => {
    const down = { checkReady: fail(new ForgeUnavailable('no answer')) };
    assert.equal((await during(down, () => fetch(`${server.url}/readyz`))).status, 503);
    assert.equal((await during(down, () => fetch(`${server.url}/healthz`))).status, 200);
  });

  it('tells nothing of a fault of its own but an id', async () => {
    const answer = await during({ refs: fail(new TypeError('secret detail')) }, () =>
      fetch(`${proxyUrl()}/example.com/lib/@v/list`),
    );
    assert.equal(answer.status, 500);
    assert.match(await answer.text(), /^an internal error \(error [0-9a-f-]{36}\)\n$/);
  });

  for (const [name, error, status, text] of [
    ['no right to write', new WriteRefused('the forge says: read only'), 403, /read only/],
    ['content it will not hold', new PushRefused('the forge says: GH001 large file'), 400, /GH001/],
    ['a git that is down', new GitUnavailable('no answer'), 503, /no answer/],
  ] as const) {
    it(`answers ${status} to an upload that meets ${name}`, async () => {
      const body = await moduleZip('example.com/new', 'v1.0.0');
      const answer = await during({ push: fail(error) }, () =>
        fetch(`${proxyUrl()}/upload`, { method: 'PUT', body, headers: auth }),
      );
      assert.equal(answer.status, status);
      assert.match(await answer.text(), text);
    });
  }

  it('reads refs again when somebody else was first, and gives up after some times', async () => {
    let pushes = 0;
    const push = () => {
      pushes++;
      return Promise.reject(new RefMoved(tagRef('v1.0.0')));
    };
    const body = await moduleZip('example.com/unlucky', 'v1.0.0');
    const answer = await during({ push }, () => fetch(`${proxyUrl()}/upload`, { method: 'PUT', body, headers: auth }));
    assert.equal(answer.status, 503);
    assert.ok(pushes > 1 && pushes < 10);
  });

  it('answers 403 to a delete whose release is immutable, and the version stays', async () => {
    const deleteRelease = fail(new ReleaseRefused('the release is immutable'));
    const answer = await during({ deleteRelease }, () =>
      fetch(`${server.url}/api/v1/packages/acme/go/example.com%2Flib/v1.0.0`, { method: 'DELETE', headers: auth }),
    );
    assert.equal(answer.status, 403);
    assert.match(await answer.text(), /immutable/);
    assert.equal((await fetch(`${proxyUrl()}/example.com/lib/@v/v1.0.0.info`)).status, 200);
  });

  it('answers 409 to a delete whose tag moves meanwhile', async () => {
    const push = fail(new RefMoved(tagRef('v1.0.0')));
    const answer = await during({ push }, () =>
      fetch(`${server.url}/api/v1/packages/acme/go/example.com%2Flib/v1.0.0`, { method: 'DELETE', headers: auth }),
    );
    assert.equal(answer.status, 409);
  });
});
