import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ForgeUnavailable, ReleaseRefused } from '../../../src/forge/errors.ts';
import { createGiteaForge } from '../../../src/forge/gitea/gitea-forge.ts';
import { CredentialsRefused, WriteRefused } from '../../../src/git/errors.ts';
import {
  alice,
  aliceByToken,
  basic,
  commit,
  lib,
  release,
  type Step,
  scriptForge,
  soon,
} from '../github/scripted-forge.ts';

const api = '/api/v1';
const bare = {
  full_name: 'acme/lib',
  private: true,
  has_issues: true,
  has_wiki: true,
  has_projects: true,
  has_actions: true,
};
const setUp = { ...bare, has_issues: false, has_wiki: false, has_projects: false, has_actions: false };
const create = { call: `POST ${api}/orgs/acme/repos`, status: 201, body: bare };
const patch = { call: `PATCH ${api}/repos/acme/lib`, status: 200, body: setUp };
const conflict = { ...create, status: 409, body: { message: 'The repository with the same name already exists.' } };
const notFound = { message: "The target couldn't be found.", url: 'http://x/api/swagger', errors: [] };
const noScope = { message: 'token does not have at least one of required scope(s): [read:user]' };
const version = { call: `GET ${api}/version`, status: 200, body: { version: '1.22.0' } };
const post = `POST ${api}/repos/acme/lib/releases`;
const callsOf = (asked: readonly { call: string }[]) => asked.map(({ call }) => call);

describe('gitea: who it is', () => {
  it('the host is that of the address, without port and with its path, and the API is below it', async () => {
    await using server = await scriptForge({ ...version, call: `GET /git${api}/version` });
    const forge = createGiteaForge(server.options({ url: `${server.url}/git/` }));
    assert.equal(forge.host, '127.0.0.1/git');
    await forge.checkReady(soon());
  });

  it('the start check asks for the version and each owner', async () => {
    await using server = await scriptForge(
      version,
      { call: `GET ${api}/orgs/alice`, status: 404, body: notFound },
      { call: `GET ${api}/users/alice`, status: 200, body: { login: 'alice' } },
      { call: `GET ${api}/user`, status: 200, body: { login: 'Alice' } },
      { call: `POST ${api}/user/repos`, status: 201, body: { ...bare, full_name: 'alice/lib' } },
      { ...patch, call: `PATCH ${api}/repos/alice/lib`, body: { ...setUp, full_name: 'alice/lib' } },
    );
    const forge = createGiteaForge(server.options({ token: 'of-the-service' }));
    assert.equal(await forge.describe(['alice'], soon()), `Gitea 1.22.0 at ${server.url}`);
    await forge.createRepository({ owner: 'alice', repo: 'lib' }, alice, soon());
    assert.equal(server.asked.length, 6);
    assert.equal(server.asked[0]?.authorization, 'token of-the-service');
  });

  const wrong: [string, Step[], RegExp][] = [
    [
      'a wrong address',
      [{ ...version, status: 404, body: '404 page not found' }],
      /cannot reach Gitea at .* \(MODFORGE_FORGE_URL\)/,
    ],
    ['a page of HTML', [{ ...version, body: '<html>' }], /cannot reach Gitea/],
    [
      'a wrong token',
      [{ ...version, status: 401, body: { message: 'invalid username, password or token' } }],
      /MODFORGE_TOKEN\): invalid/,
    ],
    [
      'an unknown owner',
      [
        version,
        { call: `GET ${api}/orgs/acme`, status: 404, body: notFound },
        { call: `GET ${api}/users/acme`, status: 404, body: notFound },
      ],
      /cannot find the owner acme \(MODFORGE_OWNERS\)/,
    ],
  ];
  for (const [name, steps, message] of wrong) {
    it(`${name} is told at the start`, async () => {
      await using server = await scriptForge(...steps);
      await assert.rejects(
        createGiteaForge(server.options({ token: 'x' })).describe(['acme'], soon()),
        (error: unknown) => error instanceof ForgeUnavailable && message.test(error.message),
      );
    });
  }

  it('without a token an owner that is not seen may be hidden: it is logged', async () => {
    await using server = await scriptForge(
      { ...version, status: 403, body: { message: 'Only signed in user is allowed to call APIs.' } },
      { call: `GET ${api}/orgs/acme`, status: 404, body: notFound },
      { call: `GET ${api}/users/acme`, status: 404, body: notFound },
    );
    assert.equal(await createGiteaForge(server.options()).describe(['acme'], soon()), `Gitea at ${server.url}`);
    assert.deepEqual(server.warnings, [{ owner: 'acme' }]);
  });
});

describe('gitea: credentials', () => {
  it('Basic goes to the API as it came, a token as a token', async () => {
    const user = { call: `GET ${api}/user`, status: 200, body: { login: 'alice' } };
    await using server = await scriptForge(user, user);
    const forge = createGiteaForge(server.options());
    await forge.authenticate({ kind: 'basic', user: 'alice', password: 'pass:wörd' }, soon());
    await forge.authenticate({ kind: 'token', token: 'abc' }, soon());
    assert.deepEqual(
      server.asked.map(({ authorization }) => authorization),
      [basic('alice', 'pass:wörd'), 'token abc'],
    );
  });

  it('each check of credentials asks, so that a revoked token is seen', async () => {
    await using server = await scriptForge(
      { call: `GET ${api}/user`, status: 200, body: { login: 'alice' } },
      { call: `GET ${api}/user`, status: 401, body: { message: 'user does not exist' } },
    );
    const forge = createGiteaForge(server.options());
    await forge.authenticate({ kind: 'token', token: 'abc' }, soon());
    await assert.rejects(forge.authenticate({ kind: 'token', token: 'abc' }, soon()), CredentialsRefused);
  });

  it('a token without read:user is good, and nobody knows whose it is', async () => {
    await using server = await scriptForge({ call: `GET ${api}/user`, status: 403, body: noScope });
    const login = await createGiteaForge(server.options()).authenticate({ kind: 'token', token: 'abc' }, soon());
    assert.deepEqual(login, { name: '(unknown)' });
  });

  it('an account that may not sign in is refused', async () => {
    const body = { message: 'This user is prohibited from signing in.' };
    await using server = await scriptForge({ call: `GET ${api}/user`, status: 403, body });
    const asked = createGiteaForge(server.options()).authenticate({ kind: 'token', token: 'abc' }, soon());
    await assert.rejects(asked, CredentialsRefused);
  });

  it('git gets Basic in every case, so that Gitea looks at the scopes', async () => {
    await using server = await scriptForge();
    const forge = createGiteaForge(server.options({ token: 'of-the-service' }));
    const expected = new Map([
      [alice, basic('alice', 'secret-of-alice')],
      [aliceByToken, basic('x-access-token', 'secret-of-alice')],
      [{ kind: 'service' } as const, basic('x-access-token', 'of-the-service')],
      [{ kind: 'anonymous' } as const, undefined],
    ]);
    for (const [caller, authorization] of expected) {
      await forge.remote(lib, caller).refs({ prefixes: ['refs/'], signal: soon() });
      assert.equal(server.gitAuthorizations.at(-1), authorization);
    }
  });
});

describe('gitea: repositories', () => {
  it('a new one costs two calls, the second switches everything off', async () => {
    await using server = await scriptForge(create, patch);
    const state = await createGiteaForge(server.options()).createRepository(lib, alice, soon());
    assert.deepEqual(state, { isNew: true, runsActions: false });
    assert.deepEqual(
      server.asked.map(({ body }) => body),
      [
        { name: 'lib', auto_init: false, private: true },
        { has_issues: false, has_wiki: false, has_projects: false, has_actions: false },
      ],
    );
  });

  it('a public one is asked for as such', async () => {
    await using server = await scriptForge(
      { ...create, body: { ...bare, private: false } },
      { ...patch, body: { ...setUp, private: false } },
    );
    await createGiteaForge(server.options({ visibility: 'public' })).createRepository(lib, alice, soon());
    assert.deepEqual(server.asked[0]?.body, { name: 'lib', auto_init: false, private: false });
    assert.deepEqual(server.warnings, []);
  });

  it('one that came out public when private was asked for is refused', async () => {
    await using server = await scriptForge(create, { ...patch, body: { ...setUp, private: false } });
    await assert.rejects(createGiteaForge(server.options()).createRepository(lib, alice, soon()), WriteRefused);
  });

  it('Actions that stay on are told, other settings that stay are logged', async () => {
    await using server = await scriptForge(create, { ...patch, body: { ...setUp, has_wiki: true, has_actions: true } });
    const state = await createGiteaForge(server.options()).createRepository(lib, alice, soon());
    assert.deepEqual(state, { isNew: true, runsActions: true });
    assert.deepEqual(server.warnings, [{ repository: 'acme/lib', left: ['has_wiki'] }]);
  });

  it('an empty one that is there has its settings completed', async () => {
    await using server = await scriptForge(conflict, patch);
    const state = await createGiteaForge(server.options()).createRepository(lib, alice, soon());
    assert.deepEqual(state, { isNew: false, runsActions: false });
  });

  it('one that people pushed to is only looked at', async () => {
    await using server = await scriptForge(conflict, { call: `GET ${api}/repos/acme/lib`, status: 200, body: bare });
    server.refs = new Map([['refs/heads/main', commit]]);
    const state = await createGiteaForge(server.options()).createRepository(lib, alice, soon());
    assert.deepEqual(state, { isNew: false, runsActions: true });
  });

  it('who may push to an empty one but not set it up publishes all the same', async () => {
    await using server = await scriptForge(conflict, {
      ...patch,
      status: 403,
      body: { message: 'user should be the owner' },
    });
    const state = await createGiteaForge(server.options()).createRepository(lib, alice, soon());
    assert.deepEqual(state, { isNew: false, runsActions: true });
    assert.equal(server.warnings.length, 1);
  });

  it('where the owner is no organisation it is made by that user, and by no other', async () => {
    const own = { ...lib, owner: 'alice' };
    const steps = [
      { call: `POST ${api}/orgs/alice/repos`, status: 404, body: notFound },
      { call: `GET ${api}/user`, status: 200, body: { login: 'alice' } },
      { call: `POST ${api}/user/repos`, status: 201, body: { ...bare, full_name: 'alice/lib' } },
      { ...patch, call: `PATCH ${api}/repos/alice/lib`, body: { ...setUp, full_name: 'alice/lib' } },
    ];
    await using server = await scriptForge(...steps);
    await createGiteaForge(server.options()).createRepository(own, alice, soon());
    assert.deepEqual(callsOf(server.asked), callsOf(steps));
    await using again = await scriptForge(...steps.slice(1, 2), ...steps.slice(0, 1), ...steps.slice(2));
    const forge = createGiteaForge(again.options());
    assert.ok(alice.kind === 'user');
    await forge.authenticate(alice.credentials, soon());
    await forge.createRepository(own, alice, soon());
    assert.equal(again.asked.length, 4);
    await using other = await scriptForge({ ...create, status: 404, body: notFound }, ...steps.slice(1, 2));
    await assert.rejects(createGiteaForge(other.options()).createRepository(lib, alice, soon()), WriteRefused);
  });

  it('a name that the forge reserves is refused in its words', async () => {
    const body = { message: 'name is reserved [name: -]' };
    await using server = await scriptForge({ ...create, status: 422, body });
    await assert.rejects(
      createGiteaForge(server.options()).createRepository(lib, alice, soon()),
      (error: unknown) =>
        error instanceof WriteRefused && /cannot create acme\/lib: name is reserved/.test(error.message),
    );
  });

  it('one that was renamed is not written to under its old name', async () => {
    await using server = await scriptForge(
      conflict,
      { ...patch, status: 307, headers: { location: `${api}/repos/acme/lib2` } },
      { ...patch, call: `PATCH ${api}/repos/acme/lib2`, body: { ...setUp, full_name: 'acme/lib2' } },
    );
    await assert.rejects(createGiteaForge(server.options()).createRepository(lib, alice, soon()), WriteRefused);
  });
});

describe('gitea: releases', () => {
  it('the target can make no tag', async () => {
    await using server = await scriptForge({ call: post, status: 201, body: { id: 1 } });
    await createGiteaForge(server.options()).createRelease(lib, { ...release, isPrerelease: true }, alice, soon());
    assert.deepEqual(server.asked[0]?.body, {
      tag_name: 'v1.2.3',
      target_commitish: '0'.repeat(40),
      name: 'v1.2.3',
      body: 'go get it',
      prerelease: true,
    });
  });

  it('it is tried again while Gitea takes the repository for empty, does not find it or fails', async () => {
    await using server = await scriptForge(
      { call: post, status: 422, body: { message: 'repo is empty' } },
      { call: post, status: 404, body: notFound },
      { call: post, status: 500, body: { message: 'database is locked' } },
      { call: post, status: 201, body: { id: 1 } },
    );
    server.refs = new Map([['refs/tags/v1.2.3', commit]]);
    await createGiteaForge(server.options()).createRelease(lib, release, alice, soon());
    assert.equal(server.asked.length, 4);
  });

  it('a tag that is gone gets no release, and does not come back', async () => {
    await using server = await scriptForge({ call: post, status: 500, body: { message: 'object does not exist' } });
    await assert.rejects(
      createGiteaForge(server.options()).createRelease(lib, release, alice, soon()),
      (error: unknown) => error instanceof ReleaseRefused && /the tag is gone/.test(error.message),
    );
    assert.equal(server.asked.length, 1);
  });

  it('one that is there already is fine, other refusals are told', async () => {
    await using server = await scriptForge(
      { call: post, status: 409, body: { message: 'Release is has no Tag' } },
      { call: post, status: 403, body: { message: 'user should have a permission to write to a repo' } },
    );
    const forge = createGiteaForge(server.options());
    await forge.createRelease(lib, release, alice, soon());
    await assert.rejects(forge.createRelease(lib, release, alice, soon()), ReleaseRefused);
  });

  it('a release is deleted by its tag in one call; none is fine', async () => {
    const call = `DELETE ${api}/repos/acme/lib/releases/tags/sub%2Fv1.2.3`;
    await using server = await scriptForge(
      { call, status: 204 },
      { call, status: 404, body: notFound },
      { call, status: 403, body: { message: 'no' } },
      { call, status: 422, body: { message: 'the tag is protected' } },
      { call, status: 200, body: '<html>' },
    );
    const forge = createGiteaForge(server.options());
    await forge.deleteRelease(lib, 'sub/v1.2.3', alice, soon());
    await forge.deleteRelease(lib, 'sub/v1.2.3', alice, soon());
    await assert.rejects(forge.deleteRelease(lib, 'sub/v1.2.3', alice, soon()), WriteRefused);
    await assert.rejects(forge.deleteRelease(lib, 'sub/v1.2.3', alice, soon()), ReleaseRefused);
    await assert.rejects(forge.deleteRelease(lib, 'sub/v1.2.3', alice, soon()), ForgeUnavailable);
  });
});
