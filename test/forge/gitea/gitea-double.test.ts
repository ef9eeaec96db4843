import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Caller } from '../../../src/forge/credentials.ts';
import { ForgeUnavailable, ReleaseRefused } from '../../../src/forge/errors.ts';
import { createGiteaForge } from '../../../src/forge/gitea/gitea-forge.ts';
import { CredentialsRefused, WriteRefused } from '../../../src/git/errors.ts';
import { tagRef } from '../../../src/git/ref-name.ts';
import { startGiteaDouble } from '../../support/doubles/gitea.ts';
import { pushVersion } from '../github/push-version.ts';
import { lib, soon } from '../github/scripted-forge.ts';

/** A Gitea with the organisation acme, Alice who may create in it and Bob who only reads, and an adapter to it. */
async function start() {
  const double = await startGiteaDouble();
  double.addUser({ name: 'alice', password: 'secret' });
  double.addUser({ name: 'bob' });
  double.addUser({ name: 'robot' });
  double.addOrganisation({ name: 'acme', members: { alice: 'admin', bob: 'read', robot: 'admin' } });
  const callerOf = (user: string, scopes?: string[]): Caller => ({
    kind: 'user',
    credentials: { kind: 'token', token: double.addToken({ user, ...(scopes && { scopes }) }) },
  });
  const warnings: object[] = [];
  const options = {
    url: double.url,
    token: double.addToken({ user: 'robot' }),
    visibility: 'private',
    userAgent: 'modforge/test',
    timeoutMs: 5_000,
    log: { warn: (facts: object) => warnings.push(facts) },
  } as const;
  const forge = createGiteaForge(options);
  const calls = () => double.log.filter(({ kind }) => kind === 'rest').map(({ operation }) => operation);
  const [alice, bob] = [callerOf('alice'), callerOf('bob')];
  const dispose = () => double[Symbol.asyncDispose]();
  return { double, forge, options, alice, bob, callerOf, warnings, calls, [Symbol.asyncDispose]: dispose };
}

describe('the Gitea adapter at a Gitea', () => {
  it('a first version costs four calls and the next one, with a Gitea that is slow to see pushes', async () => {
    await using under = await start();
    const { double, forge, calls } = under;
    const credentials = { kind: 'basic', user: 'alice', password: 'secret' } as const;
    const alice: Caller = { kind: 'user', credentials };
    assert.match(await forge.describe(['acme', 'alice'], soon()), /^Gitea 1\.22/);
    await forge.checkReady(soon());
    double.forgetRequests();
    assert.deepEqual(await forge.authenticate(credentials, soon()), { name: 'alice' });
    assert.deepEqual(await forge.createRepository(lib, alice, soon()), { isNew: true, runsActions: false });
    await forge.createRelease(lib, await pushVersion(forge, lib, 'v1.0.0', alice), alice, soon());
    assert.equal(calls().length, 4);
    const release = await pushVersion(forge, lib, 'v1.1.0', alice);
    await forge.createRelease(lib, release, alice, soon());
    assert.equal(calls().length, 5);
    await forge.createRelease(lib, release, alice, soon());
    await forge.deleteRelease(lib, 'v1.1.0', alice, soon());
    await forge.deleteRelease(lib, 'v1.1.0', alice, soon());
    const refs = { prefixes: ['refs/tags/'], signal: soon() };
    assert.ok((await forge.remote(lib, alice).refs(refs)).byName.has(tagRef('v1.1.0')));

    const other = { ...lib, repo: 'other' };
    await forge.createRepository(other, alice, soon());
    double.lagAfterPush(2);
    await forge.createRelease(other, await pushVersion(forge, other, 'v1.0.0', alice), alice, soon());
    assert.deepEqual(under.warnings, []);
  });

  it('a release does not bring back a tag that is gone', async () => {
    await using under = await start();
    const { forge, alice } = under;
    await forge.createRepository(lib, alice, soon());
    const release = await pushVersion(forge, lib, 'v1.0.0', alice);
    const remote = forge.remote(lib, alice);
    const tag = tagRef('v1.0.0');
    await remote.push({ objects: [], updates: [{ name: tag, from: release.commit, to: undefined }], signal: soon() });
    await assert.rejects(forge.createRelease(lib, release, alice, soon()), ReleaseRefused);
    assert.ok(!(await remote.refs({ prefixes: [tag], signal: soon() })).byName.has(tag));
  });

  it('the repository of a user is made by that user', async () => {
    await using under = await start();
    const own = { owner: 'alice', repo: 'lib' };
    assert.deepEqual(await under.forge.createRepository(own, under.alice, soon()), { isNew: true, runsActions: false });
    await assert.rejects(under.forge.createRepository({ ...own, repo: 'other' }, under.bob, soon()), WriteRefused);
  });

  it('an empty repository that a killed process left is set up, one with content is only looked at', async () => {
    await using under = await start();
    const { double, forge, alice, calls } = under;
    await double.addRepository({ owner: 'acme', name: 'lib', isPrivate: true });
    assert.deepEqual(await forge.createRepository(lib, alice, soon()), { isNew: false, runsActions: false });
    await pushVersion(forge, lib, 'v1.0.0', alice);
    double.forgetRequests();
    assert.deepEqual(await forge.createRepository(lib, alice, soon()), { isNew: false, runsActions: false });
    assert.ok(!calls().some(call => call?.startsWith('PATCH')), calls().join());
  });

  it('a token that only reads can publish in no form', async () => {
    await using under = await start();
    const { forge, alice, callerOf } = under;
    await forge.createRepository(lib, alice, soon());
    const reader = callerOf('alice', ['read:repository', 'read:user']);
    assert.ok(reader.kind === 'user' && reader.credentials.kind === 'token');
    const { token } = reader.credentials;
    for (const caller of [
      reader,
      { kind: 'user', credentials: { kind: 'basic', user: 'alice', password: token } } as const,
    ]) {
      await assert.rejects(pushVersion(forge, lib, 'v1.0.0', caller), WriteRefused);
      await assert.rejects(forge.createRepository({ ...lib, repo: 'other' }, caller, soon()), WriteRefused);
    }
  });

  it('a token that may not ask for its user can publish', async () => {
    await using under = await start();
    const { forge, callerOf } = under;
    const caller = callerOf('alice', ['write:repository', 'write:organization']);
    assert.ok(caller.kind === 'user');
    assert.deepEqual(await forge.authenticate(caller.credentials, soon()), { name: '(unknown)' });
    await forge.createRepository(lib, caller, soon());
    await forge.createRelease(lib, await pushVersion(forge, lib, 'v1.0.0', caller), caller, soon());
  });

  it('behind a wall of sign-in it starts, and a page is no answer', async () => {
    await using under = await start();
    const { double, options } = under;
    const forge = createGiteaForge({ ...options, token: undefined });
    double.setSignInWall('gitea');
    await forge.checkReady(soon());
    assert.match(await forge.describe(['acme'], soon()), /^Gitea/);
    double.setSignInWall('proxy');
    await assert.rejects(forge.checkReady(soon()), ForgeUnavailable);
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
  });
});
