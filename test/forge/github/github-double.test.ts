import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Caller } from '../../../src/forge/credentials.ts';
import { ForgeUnavailable, ReleaseRefused } from '../../../src/forge/errors.ts';
import { createGithubForge } from '../../../src/forge/github/github-forge.ts';
import { CredentialsRefused, WriteRefused } from '../../../src/git/errors.ts';
import { tagRef } from '../../../src/git/ref-name.ts';
import { startGithubDouble } from '../../support/doubles/github.ts';
import { pushVersion } from './push-version.ts';
import { lib, soon } from './scripted-forge.ts';

/** A GitHub with the organisation acme, Alice who may create in it and Bob who only reads, and an adapter to it. */
async function start() {
  const double = await startGithubDouble();
  double.addUser({ name: 'alice' });
  double.addUser({ name: 'bob' });
  double.addUser({ name: 'robot' });
  double.addOrganisation({ name: 'acme', members: { alice: 'admin', bob: 'read', robot: 'admin' } });
  const callerOf = (user: string): Caller => ({
    kind: 'user',
    credentials: { kind: 'token', token: double.addToken({ user }) },
  });
  const warnings: object[] = [];
  const forge = createGithubForge({
    url: double.url,
    token: double.addToken({ user: 'robot' }),
    visibility: 'private',
    userAgent: 'modforge/test',
    timeoutMs: 5_000,
    log: { warn: facts => warnings.push(facts) },
  });
  const calls = () => double.log.filter(({ kind }) => kind === 'rest').map(({ operation }) => operation);
  const [alice, bob] = [callerOf('alice'), callerOf('bob')];
  return { double, forge, alice, bob, warnings, calls, [Symbol.asyncDispose]: () => double[Symbol.asyncDispose]() };
}

describe('the GitHub adapter at a GitHub', () => {
  it('a first version costs five calls and the next one, with a REST that lags after pushes', async () => {
    await using under = await start();
    const { double, forge, alice, calls } = under;
    assert.match(await forge.describe(['acme', 'alice'], soon()), /^GitHub/);
    await forge.checkReady(soon());
    double.forgetRequests();
    assert.ok(alice.kind === 'user');
    assert.deepEqual(await forge.authenticate(alice.credentials, soon()), { name: 'alice' });
    assert.deepEqual(await forge.createRepository(lib, alice, soon()), { isNew: true, runsActions: false });
    await forge.createRelease(lib, await pushVersion(forge, lib, 'v1.0.0', alice), alice, soon());
    assert.equal(calls().length, 5);
    await forge.createRelease(lib, await pushVersion(forge, lib, 'v1.1.0', alice), alice, soon());
    assert.equal(calls().length, 6);

    double.lagAfterPush(2);
    const release = await pushVersion(forge, lib, 'v1.2.0', alice);
    await forge.createRelease(lib, release, alice, soon());
    await forge.createRelease(lib, release, alice, soon());
    await forge.deleteRelease(lib, 'v1.2.0', alice, soon());
    await forge.deleteRelease(lib, 'v1.2.0', alice, soon());
    const { byName } = await forge.remote(lib, alice).refs({ prefixes: ['refs/tags/'], signal: soon() });
    assert.ok(byName.has(tagRef('v1.2.0')));
    assert.deepEqual(under.warnings, []);
  });

  it('the repository of a user is made by that user', async () => {
    await using under = await start();
    const own = { owner: 'alice', repo: 'lib' };
    assert.deepEqual(await under.forge.createRepository(own, under.alice, soon()), { isNew: true, runsActions: false });
    await assert.rejects(under.forge.createRepository({ ...own, repo: 'other' }, under.bob, soon()), WriteRefused);
  });

  it('an empty repository that a killed process left is set up, one with content is not', async () => {
    await using under = await start();
    const { double, forge, alice, calls } = under;
    await double.addRepository({ owner: 'acme', name: 'lib', isPrivate: true });
    assert.deepEqual(await forge.createRepository(lib, alice, soon()), { isNew: false, runsActions: false });
    await pushVersion(forge, lib, 'v1.0.0', alice);
    double.forgetRequests();
    assert.deepEqual(await forge.createRepository(lib, alice, soon()), { isNew: false, runsActions: false });
    assert.ok(!calls().some(call => call?.startsWith('PATCH') || call?.startsWith('PUT')), calls().join());
  });

  it('immutable releases are told', async () => {
    await using under = await start();
    const { double, forge, alice } = under;
    await forge.createRepository(lib, alice, soon());
    double.setImmutableReleases('acme/lib', true);
    await forge.createRelease(lib, await pushVersion(forge, lib, 'v1.0.0', alice), alice, soon());
    await assert.rejects(forge.deleteRelease(lib, 'v1.0.0', alice, soon()), ReleaseRefused);
  });

  it('wrong credentials, no right and throttles are told apart', async () => {
    await using under = await start();
    const { double, forge, alice, bob } = under;
    await assert.rejects(forge.authenticate({ kind: 'token', token: 'wrong' }, soon()), CredentialsRefused);
    await assert.rejects(forge.createRepository(lib, bob, soon()), WriteRefused);
    double.throttle({ requests: 1, retryAfterSeconds: 30, kind: 'rest' });
    await assert.rejects(
      forge.createRepository(lib, alice, soon()),
      (error: unknown) => error instanceof ForgeUnavailable && error.retryAfterSeconds === 30,
    );
    double.setQuota(0);
    await assert.rejects(forge.createRepository(lib, alice, soon()), ForgeUnavailable);
  });
});
