import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ForgeUnavailable, ReleaseRefused } from '../../../src/forge/errors.ts';
import { createGithubForge } from '../../../src/forge/github/github-forge.ts';
import { CredentialsRefused, WriteRefused } from '../../../src/git/errors.ts';
import { alice, aliceByToken, basic, commit, lib, release, type Step, scriptForge, soon } from './scripted-forge.ts';

const api = '/api/v3';
const made = { full_name: 'acme/lib', private: true, has_issues: false, has_wiki: false, has_projects: false };
const create = { call: `POST ${api}/orgs/acme/repos`, status: 201, body: made };
const exists = {
  message: 'Repository creation failed.',
  errors: [{ resource: 'Repository', code: 'custom', field: 'name', message: 'name already exists on this account' }],
};
const actionsOff = { call: `PUT ${api}/repos/acme/lib/actions/permissions`, status: 204 };
const actions = (enabled: boolean) => ({
  call: `GET ${api}/repos/acme/lib/actions/permissions`,
  status: 200,
  body: { enabled },
});
const refusedFor = (field: string, code: string) => ({
  message: 'Validation Failed',
  errors: [{ resource: 'Release', code, field }],
});
const post = `POST ${api}/repos/acme/lib/releases`;
const callsOf = (asked: readonly { call: string }[]) => asked.map(({ call }) => call);

describe('github: who it is', () => {
  it('the API of github.com has a host of its own, that of GitHub Enterprise a path', async () => {
    for (const [url, expected] of [
      ['https://github.com', 'https://api.github.com/user'],
      ['https://acme.ghe.com', 'https://api.acme.ghe.com/user'],
      ['https://git.acme.dev/hub/', 'https://git.acme.dev/hub/api/v3/user'],
    ] as const) {
      const urls: string[] = [];
      const fetch = async (input: string | URL | Request) => {
        urls.push(String(input));
        return Response.json({ login: 'alice' });
      };
      await using server = await scriptForge();
      const forge = createGithubForge(server.options({ url, fetch }));
      assert.deepEqual(await forge.authenticate({ kind: 'token', token: 'x' }, soon()), { name: 'alice' });
      assert.deepEqual(urls, [expected]);
    }
  });

  it('the host is that of the address, without port and with its path', async () => {
    await using server = await scriptForge();
    const hostOf = (url: string) => createGithubForge(server.options({ url })).host;
    assert.equal(hostOf('https://github.com/'), 'github.com');
    assert.equal(hostOf('https://git.acme.dev:8443/hub'), 'git.acme.dev/hub');
  });

  it('the start check asks for the version and each owner, and remembers which owner is a user', async () => {
    await using server = await scriptForge(
      {
        call: `GET ${api}/meta`,
        status: 200,
        body: { verifiable_password_authentication: true, installed_version: '3.14.2' },
      },
      { call: `GET ${api}/users/alice`, status: 200, body: { login: 'alice', type: 'User' } },
      { call: `GET ${api}/user`, status: 200, body: { login: 'alice' } },
      { call: `POST ${api}/user/repos`, status: 201, body: { ...made, full_name: 'alice/lib' } },
      { call: `PUT ${api}/repos/alice/lib/actions/permissions`, status: 204 },
      { call: `GET ${api}/repos/alice/lib/actions/permissions`, status: 200, body: { enabled: false } },
    );
    const forge = createGithubForge(server.options({ token: 'of-the-service' }));
    assert.equal(await forge.describe(['alice'], soon()), `GitHub Enterprise Server 3.14.2 at ${server.url}`);
    assert.deepEqual(await forge.createRepository({ owner: 'alice', repo: 'lib' }, alice, soon()), {
      isNew: true,
      runsActions: false,
    });
    assert.deepEqual(
      server.asked.map(({ authorization }) => authorization),
      ['token of-the-service', 'token of-the-service', ...Array(4).fill('token secret-of-alice')],
    );
  });

  const wrong: [string, Step[], RegExp][] = [
    [
      'a wrong address',
      [{ call: `GET ${api}/meta`, status: 404, body: '<html>' }],
      /cannot reach GitHub at .* \(MODFORGE_FORGE_URL\)/,
    ],
    [
      'a wrong token',
      [{ call: `GET ${api}/meta`, status: 401, body: { message: 'Bad credentials' } }],
      /MODFORGE_TOKEN\): Bad credentials/,
    ],
    [
      'an unknown owner',
      [
        { call: `GET ${api}/meta`, status: 200, body: { verifiable_password_authentication: false } },
        { call: `GET ${api}/users/acme`, status: 404, body: { message: 'Not Found' } },
      ],
      /cannot find the owner acme \(MODFORGE_OWNERS\).*Not Found/,
    ],
  ];
  for (const [name, steps, message] of wrong) {
    it(`${name} is told at the start`, async () => {
      await using server = await scriptForge(...steps);
      const forge = createGithubForge(server.options({ token: 'of-the-service' }));
      await assert.rejects(forge.describe(['acme'], soon()), (error: unknown) => {
        assert.ok(error instanceof ForgeUnavailable);
        assert.match(error.message, message);
        return true;
      });
    });
  }

  it('it is ready with a quota and without', async () => {
    await using server = await scriptForge(
      { call: `GET ${api}/rate_limit`, status: 200, body: { rate: { remaining: 0 } } },
      { call: `GET ${api}/rate_limit`, status: 404, body: { message: 'Rate limiting is not enabled.' } },
      { call: `GET ${api}/rate_limit`, status: 502, body: '<html>' },
      { call: `GET ${api}/rate_limit`, status: 502, body: '<html>' },
    );
    const forge = createGithubForge(server.options());
    await forge.checkReady(soon());
    await forge.checkReady(soon());
    await assert.rejects(forge.checkReady(soon()), ForgeUnavailable);
  });
});

describe('github: credentials', () => {
  it('a Basic password is the token, whatever the user name, and calls carry the user agent', async () => {
    await using server = await scriptForge({ call: `GET ${api}/user`, status: 200, body: { login: 'Alice' } });
    const forge = createGithubForge(server.options());
    assert.deepEqual(await forge.authenticate({ kind: 'basic', user: 'x', password: 'ghp_1' }, soon()), {
      name: 'Alice',
    });
    assert.equal(server.asked[0]?.authorization, 'token ghp_1');
    assert.match(server.asked[0]?.userAgent ?? '', /^modforge\/test /);
  });

  it('who may not ask for a user is not believed to be who it says', async () => {
    const body = { message: 'Resource not accessible by integration' };
    await using server = await scriptForge({ call: `GET ${api}/user`, status: 403, body });
    const forge = createGithubForge(server.options());
    const login = await forge.authenticate({ kind: 'basic', user: 'alice', password: 'ghs_1' }, soon());
    assert.deepEqual(login, { name: '(unknown)' });
  });

  const failures: [string, Omit<Step, 'call'>, new (...args: never[]) => Error, number?][] = [
    ['401', { status: 401, body: { message: 'Bad credentials' } }, CredentialsRefused],
    [
      '403 of a suspended account',
      { status: 403, body: { message: 'Sorry. Your account was suspended.' } },
      CredentialsRefused,
    ],
    ['429', { status: 429, body: { message: 'slow down' }, headers: { 'retry-after': '17' } }, ForgeUnavailable, 17],
    [
      '403 with retry-after',
      { status: 403, body: { message: 'no' }, headers: { 'retry-after': '9' } },
      ForgeUnavailable,
      9,
    ],
    [
      'a secondary limit without a time',
      { status: 403, body: { message: 'You have exceeded a secondary rate limit.' } },
      ForgeUnavailable,
      60,
    ],
    ['404', { status: 404, body: { message: 'Not Found' } }, ForgeUnavailable],
    ['HTML with 200', { status: 200, body: '<html>sign in</html>' }, ForgeUnavailable],
    ['HTML with 401', { status: 401, body: '<html>sign in</html>' }, ForgeUnavailable],
    ['JSON that is no user', { status: 200, body: {} }, ForgeUnavailable],
    ['a redirect to another host', { status: 302, headers: { location: 'http://localhost:1/user' } }, ForgeUnavailable],
  ];
  for (const [name, step, expected, seconds] of failures) {
    it(`${name} is ${expected.name}`, async () => {
      const steps = Array(2).fill({ call: `GET ${api}/user`, ...step });
      await using server = await scriptForge(...steps);
      const forge = createGithubForge(server.options());
      await assert.rejects(
        forge.authenticate({ kind: 'token', token: 'secret-of-alice' }, soon()),
        (error: unknown) => {
          assert.ok(error instanceof expected, String(error));
          assert.doesNotMatch(`${error.message} ${JSON.stringify(error)} ${error.stack}`, /secret-of-alice/);
          if (error instanceof ForgeUnavailable) assert.equal(error.retryAfterSeconds, seconds);
          return true;
        },
      );
    });
  }

  it('a quota that is spent says when it is there again', async () => {
    const reset = Math.floor(Date.now() / 1000) + 600;
    const headers = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(reset) };
    const body = { message: 'API rate limit exceeded for user ID 1.' };
    await using server = await scriptForge({ call: `GET ${api}/user`, status: 403, body, headers });
    const forge = createGithubForge(server.options());
    await assert.rejects(forge.authenticate({ kind: 'token', token: 'x' }, soon()), (error: unknown) => {
      assert.ok(error instanceof ForgeUnavailable);
      assert.ok(Math.abs((error.retryAfterSeconds ?? 0) - 600) < 5);
      return true;
    });
  });

  it('a forge that fails once is asked again', async () => {
    await using server = await scriptForge(
      { call: `GET ${api}/user`, status: 502, body: '<html>' },
      { call: `GET ${api}/user`, status: 200, body: { login: 'alice' } },
    );
    const forge = createGithubForge(server.options());
    assert.deepEqual(await forge.authenticate({ kind: 'token', token: 'x' }, soon()), { name: 'alice' });
  });

  it('a redirect on the same host is followed with method and credentials', async () => {
    await using server = await scriptForge(
      { call: `GET ${api}/user`, status: 301, headers: { location: `${api}/users/7` } },
      { call: `GET ${api}/users/7`, status: 200, body: { login: 'alice' } },
    );
    const forge = createGithubForge(server.options());
    await forge.authenticate({ kind: 'token', token: 'x' }, soon());
    assert.deepEqual(
      server.asked.map(({ authorization }) => authorization),
      ['token x', 'token x'],
    );
  });

  it('no redirect leads to another host', async () => {
    await using other = await scriptForge({ call: 'GET /user', status: 200, body: { login: 'mallory' } });
    const headers = { location: `${other.url}/user` };
    const steps = Array(2).fill({ call: `GET ${api}/user`, status: 302, headers });
    await using server = await scriptForge(...steps);
    await assert.rejects(
      createGithubForge(server.options()).authenticate({ kind: 'token', token: 'x' }, soon()),
      ForgeUnavailable,
    );
    assert.deepEqual(other.asked, []);
  });

  it("git that refuses the service's token is an outage, a caller's is not", async () => {
    await using server = await scriptForge();
    server.refusesGit = true;
    const forge = createGithubForge(server.options({ token: 'of-the-service' }));
    const refs = { prefixes: ['refs/'], signal: soon() };
    await assert.rejects(forge.remote(lib, { kind: 'service' }).refs(refs), ForgeUnavailable);
    await assert.rejects(forge.remote(lib, alice).refs(refs), CredentialsRefused);
  });

  it('what can be no token is refused unasked', async () => {
    await using server = await scriptForge();
    const forge = createGithubForge(server.options());
    await assert.rejects(
      forge.authenticate({ kind: 'basic', user: 'a', password: 'b\nc' }, soon()),
      CredentialsRefused,
    );
    assert.deepEqual(server.asked, []);
  });

  it('a forge that does not answer is given up after the time limit, and at once when the caller goes away', async () => {
    await using server = await scriptForge();
    const fetch = (_: unknown, init?: RequestInit) =>
      new Promise<Response>((_, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason)));
    const forge = createGithubForge(server.options({ fetch, timeoutMs: 50 }));
    await assert.rejects(forge.authenticate({ kind: 'token', token: 'x' }, soon()), ForgeUnavailable);
    const controller = new AbortController();
    const asked = createGithubForge(server.options({ fetch })).authenticate(
      { kind: 'token', token: 'x' },
      controller.signal,
    );
    controller.abort(new Error('gone'));
    await assert.rejects(asked, { message: 'gone' });
  });

  it('git gets Basic with the user name x-access-token, and nothing for those without credentials', async () => {
    await using server = await scriptForge();
    const forge = createGithubForge(server.options({ token: 'of-the-service' }));
    const expected = new Map([
      [alice, basic('x-access-token', 'secret-of-alice')],
      [aliceByToken, basic('x-access-token', 'secret-of-alice')],
      [{ kind: 'service' } as const, basic('x-access-token', 'of-the-service')],
      [{ kind: 'anonymous' } as const, undefined],
    ]);
    for (const [caller, authorization] of expected) {
      await forge.remote(lib, caller).refs({ prefixes: ['refs/'], signal: soon() });
      assert.equal(server.gitAuthorizations.at(-1), authorization);
    }
    assert.equal(forge.remote(lib, alice).url, `${server.url}/acme/lib.git`);
  });
});

describe('github: repositories', () => {
  it('a new one costs three calls, with everything off before the first push', async () => {
    await using server = await scriptForge(create, actionsOff, actions(false));
    const forge = createGithubForge(server.options());
    assert.deepEqual(await forge.createRepository(lib, alice, soon()), { isNew: true, runsActions: false });
    assert.deepEqual(
      server.asked.map(({ body }) => body),
      [
        { name: 'lib', auto_init: false, private: true, has_issues: false, has_wiki: false, has_projects: false },
        { enabled: false },
        undefined,
      ],
    );
  });

  it('Actions that can not be switched off are told', async () => {
    const refused = { ...actionsOff, status: 409, body: { message: 'Conflict' } };
    await using server = await scriptForge(create, refused, actions(true));
    const forge = createGithubForge(server.options());
    assert.deepEqual(await forge.createRepository(lib, alice, soon()), { isNew: true, runsActions: true });
    assert.equal(server.warnings.length, 1);
  });

  it('an empty one that is there has its settings completed', async () => {
    await using server = await scriptForge(
      { ...create, status: 422, body: exists },
      { call: `PATCH ${api}/repos/acme/lib`, status: 200, body: made },
      actionsOff,
      actions(false),
    );
    const forge = createGithubForge(server.options());
    assert.deepEqual(await forge.createRepository(lib, alice, soon()), { isNew: false, runsActions: false });
    assert.deepEqual(server.asked[1]?.body, { has_issues: false, has_wiki: false, has_projects: false });
  });

  it('one that people pushed to is left alone', async () => {
    await using server = await scriptForge({ ...create, status: 422, body: exists }, actions(true));
    server.refs = new Map([['refs/heads/main', commit]]);
    const forge = createGithubForge(server.options());
    assert.deepEqual(await forge.createRepository(lib, alice, soon()), { isNew: false, runsActions: true });
    assert.deepEqual(callsOf(server.asked), [create.call, actions(true).call]);
  });

  it('who may push to an empty one but not set it up publishes all the same', async () => {
    const no = { status: 403, body: { message: 'Must have admin rights to Repository.' } };
    await using server = await scriptForge(
      { ...create, status: 422, body: exists },
      { call: `PATCH ${api}/repos/acme/lib`, ...no },
      { ...actionsOff, ...no },
      { ...actions(true), ...no },
    );
    const forge = createGithubForge(server.options());
    assert.deepEqual(await forge.createRepository(lib, alice, soon()), { isNew: false, runsActions: true });
  });

  const refusals: [string, Step[], RegExp][] = [
    [
      'no right',
      [{ ...create, status: 403, body: { message: 'You need admin access.' } }],
      /cannot create acme\/lib: You need admin access\./,
    ],
    ['another name', [{ ...create, body: { ...made, full_name: 'acme/lib-1' } }], /acme\/lib is called acme\/lib-1/],
    ['public, not private', [{ ...create, body: { ...made, private: false } }], /made acme\/lib public/],
    [
      'someone else as the owner',
      [
        { ...create, status: 404, body: { message: 'Not Found' } },
        { call: `GET ${api}/user`, status: 200, body: { login: 'alice' } },
      ],
      /only acme can, .* this is alice/,
    ],
  ];
  for (const [name, steps, message] of refusals) {
    it(`${name}: refused`, async () => {
      await using server = await scriptForge(...steps);
      await assert.rejects(
        createGithubForge(server.options()).createRepository(lib, alice, soon()),
        (error: unknown) => {
          assert.ok(error instanceof WriteRefused, String(error));
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }

  it('one that exists and is not shown is refused', async () => {
    await using server = await scriptForge({ ...create, status: 422, body: exists });
    server.refs = undefined;
    await assert.rejects(createGithubForge(server.options()).createRepository(lib, alice, soon()), WriteRefused);
  });

  it("that the service's own token is refused is an outage", async () => {
    await using server = await scriptForge({ ...create, status: 401, body: { message: 'Bad credentials' } });
    const forge = createGithubForge(server.options({ token: 'x' }));
    await assert.rejects(forge.createRepository(lib, { kind: 'service' }, soon()), ForgeUnavailable);
  });

  it('nobody creates without credentials', async () => {
    await using server = await scriptForge();
    const forge = createGithubForge(server.options());
    await assert.rejects(forge.createRepository(lib, { kind: 'anonymous' }, soon()), WriteRefused);
  });
});

describe('github: releases', () => {
  it('the target is the commit, and one call makes it', async () => {
    await using server = await scriptForge({ call: post, status: 201, body: { id: 1 } });
    await createGithubForge(server.options()).createRelease(lib, release, alice, soon());
    assert.deepEqual(server.asked[0]?.body, {
      tag_name: 'v1.2.3',
      target_commitish: commit,
      name: 'v1.2.3',
      body: 'go get it',
      prerelease: false,
      make_latest: 'legacy',
    });
    assert.deepEqual(server.gitAuthorizations, []);
  });

  const lags: [string, Omit<Step, 'call'>][] = [
    ['404', { status: 404, body: { message: 'Not Found' } }],
    ['an empty repository', { status: 422, body: { message: 'Repository is empty.' } }],
    ['an unknown commit', { status: 422, body: refusedFor('target_commitish', 'invalid') }],
    ['500', { status: 500, body: { message: 'Server Error' } }],
  ];
  for (const [name, step] of lags) {
    it(`it is tried again after ${name}`, async () => {
      await using server = await scriptForge({ call: post, ...step }, { call: post, status: 201, body: { id: 1 } });
      server.refs = new Map([['refs/tags/v1.2.3', commit]]);
      await createGithubForge(server.options()).createRelease(lib, release, alice, soon());
      assert.deepEqual(callsOf(server.asked), [post, post]);
    });
  }

  it('no release is tried again of a tag that went or moved meanwhile', async () => {
    for (const refs of [new Map(), new Map([['refs/tags/v1.2.3', '2'.repeat(40)]]), undefined]) {
      await using server = await scriptForge({ call: post, status: 404, body: { message: 'Not Found' } });
      server.refs = refs;
      await assert.rejects(
        createGithubForge(server.options()).createRelease(lib, release, alice, soon()),
        ReleaseRefused,
      );
      assert.deepEqual(callsOf(server.asked), [post]);
    }
  });

  it('when the signal ends, what came in the way is told', async () => {
    await using server = await scriptForge({ call: post, status: 404, body: { message: 'Not Found' } });
    const making = createGithubForge(server.options()).createRelease(lib, release, alice, AbortSignal.timeout(150));
    await assert.rejects(making, (error: unknown) => {
      assert.ok(error instanceof ForgeUnavailable);
      assert.match(error.message, /cannot make the release v1\.2\.3 of acme\/lib: Not Found/);
      return true;
    });
  });

  it('one that is there already is fine', async () => {
    await using server = await scriptForge({ call: post, status: 422, body: refusedFor('tag_name', 'already_exists') });
    await createGithubForge(server.options()).createRelease(lib, release, alice, soon());
  });

  it('an immutable release that used the tag, and a missing right, are told in the words of GitHub', async () => {
    for (const [status, message] of [
      [422, 'tag_name was used by an immutable release'],
      [403, 'Resource not accessible by personal access token'],
    ] as const) {
      await using server = await scriptForge({ call: post, status, body: { message } });
      await assert.rejects(
        createGithubForge(server.options()).createRelease(lib, release, alice, soon()),
        (error: unknown) => error instanceof ReleaseRefused && error.message.endsWith(message),
      );
    }
  });

  const find = `GET ${api}/repos/acme/lib/releases/tags/sub%2Fv1.2.3`;
  const found = { call: find, status: 200, body: { id: 7, immutable: false } };
  const remove = `DELETE ${api}/repos/acme/lib/releases/7`;

  it('a release is deleted by its id; none is fine', async () => {
    await using server = await scriptForge(
      found,
      { call: remove, status: 204 },
      { call: find, status: 404, body: { message: 'Not Found' } },
      found,
      { call: remove, status: 404, body: { message: 'Not Found' } },
    );
    const forge = createGithubForge(server.options());
    for (let times = 0; times < 3; times++) await forge.deleteRelease(lib, 'sub/v1.2.3', alice, soon());
    assert.equal(server.asked.length, 5);
  });

  it('an immutable release stays, and says so', async () => {
    await using server = await scriptForge({ ...found, body: { id: 7, immutable: true } });
    await assert.rejects(
      createGithubForge(server.options()).deleteRelease(lib, 'sub/v1.2.3', alice, soon()),
      (error: unknown) => error instanceof ReleaseRefused && /immutable/.test(error.message),
    );
  });

  it('without the right it is not deleted, and HTML is no success', async () => {
    const no = { call: remove, status: 403, body: { message: 'Must have push access' } };
    const page = { call: remove, status: 200, body: '<html>sign in</html>' };
    await using server = await scriptForge(found, no, found, page);
    const forge = createGithubForge(server.options());
    await assert.rejects(forge.deleteRelease(lib, 'sub/v1.2.3', alice, soon()), WriteRefused);
    await assert.rejects(forge.deleteRelease(lib, 'sub/v1.2.3', alice, soon()), ForgeUnavailable);
  });

  it('no caller writes more than GitHub takes in a minute, and the others go on', async () => {
    const steps = Array.from({ length: 81 }, () => ({ call: post, status: 201, body: { id: 1 } }));
    await using server = await scriptForge(...steps);
    const forge = createGithubForge(server.options());
    for (let times = 0; times < 80; times++) await forge.createRelease(lib, release, alice, soon());
    await assert.rejects(
      forge.createRelease(lib, release, alice, AbortSignal.timeout(100)),
      (error: unknown) => error instanceof ForgeUnavailable && error.retryAfterSeconds === 60,
    );
    assert.equal(server.asked.length, 80);
    await forge.createRelease(lib, release, aliceByToken, soon());
    assert.equal(server.asked.length, 81);
  });
});
