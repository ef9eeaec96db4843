import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type GiteaDouble, startGiteaDouble } from '../support/doubles/gitea.ts';
import { basic, makeWorkingCopy, type WorkingCopy } from '../support/doubles/working-copy.ts';
import { gitIn } from '../support/plain-git.ts';
import { ask, assertHolds, fieldOf } from './ask.ts';

const zeros = '0'.repeat(40);

interface Scene extends AsyncDisposable {
  readonly gitea: GiteaDouble;
  readonly copy: WorkingCopy;
  /** `token …` headers: of eve, who may write, of rob, who may read, and of mallory, who is no member. */
  readonly eve: string;
  readonly rob: string;
  readonly mallory: string;
  readonly remote: string;
  readonly gitdir: string;
}

/** acme, with a private and empty repository `lib`. */
async function makeScene({ isPrivate = true } = {}): Promise<Scene> {
  const gitea = await startGiteaDouble();
  for (const name of ['eve', 'rob', 'mallory']) gitea.addUser({ name, password: `${name}'s word` });
  gitea.addOrganisation({ name: 'acme', members: { eve: 'admin', rob: 'read' } });
  const gitdir = await gitea.addRepository({ owner: 'acme', name: 'lib', isPrivate });
  const copy = await makeWorkingCopy();
  const tokenOf = (user: string) => `token ${gitea.addToken({ user })}`;
  return {
    gitea,
    copy,
    gitdir,
    eve: tokenOf('eve'),
    rob: tokenOf('rob'),
    mallory: tokenOf('mallory'),
    remote: `${gitea.url}/acme/lib.git`,
    async [Symbol.asyncDispose]() {
      await copy[Symbol.asyncDispose]();
      await gitea[Symbol.asyncDispose]();
    },
  };
}

/** Pushes a branch and, in the same push, a tag. */
async function pushVersion({ copy, remote, eve }: Scene, tag: string): Promise<string> {
  const commit = await copy.commit();
  await copy.as(eve, 'push', '--quiet', remote, 'main', `HEAD:refs/tags/${tag}`);
  return commit;
}

const releases = '/repos/acme/lib/releases';

test('a bad token is 401 on public reads too, and a repository that may not be read is 404', async () => {
  await using scene = await makeScene();
  const { gitea, rob, mallory } = scene;
  assert.equal((await ask(gitea.apiUrl, 'GET /version', { authorization: 'token nonsense' })).status, 401);
  const hidden = await ask(gitea.apiUrl, 'GET /repos/acme/lib', { authorization: mallory });
  assert.deepEqual(
    [hidden.status, hidden.body],
    [404, { errors: [], message: "The target couldn't be found.", url: `${gitea.url}/api/swagger` }],
  );
  assert.equal((await ask(gitea.apiUrl, 'GET /repos/acme/lib')).status, 404);
  assert.equal(
    (await ask(gitea.apiUrl, `POST ${releases}`, { authorization: rob, body: { tag_name: 'v1.0.0' } })).status,
    403,
  );
  const unknown = await ask(gitea.apiUrl, 'GET /no/such/route');
  assert.deepEqual([unknown.status, unknown.headers.get('content-type')], [404, 'text/plain; charset=utf-8']);
});

test('a user by password, by a token as password and by a token as name; /user wants its scope', async () => {
  await using scene = await makeScene();
  const { gitea } = scene;
  const token = gitea.addToken({ user: 'eve', scopes: ['read:user'] });
  for (const authorization of [
    basic("eve's word", 'eve'),
    basic(token),
    basic('', token),
    `token ${token}`,
    `Bearer ${token}`,
  ]) {
    assert.equal((await ask(gitea.apiUrl, 'GET /user', { authorization })).status, 200);
  }
  const other = gitea.addToken({ user: 'eve', scopes: ['write:repository'] });
  assert.equal((await ask(gitea.apiUrl, 'GET /user', { authorization: `token ${other}` })).status, 403);
  gitea.revokeToken(token);
  assert.equal((await ask(gitea.apiUrl, 'GET /user', { authorization: `token ${token}` })).status, 401);
});

test('creating a repository passes over has_issues, which a PATCH then sets; a taken name is 409, a bad one 422', async () => {
  await using scene = await makeScene();
  const { gitea, eve, rob } = scene;
  const create = (name: string, authorization = eve) =>
    ask(gitea.apiUrl, 'POST /orgs/acme/repos', { authorization, body: { name, private: true, has_issues: false } });
  const { status, body } = await create('New');
  assert.equal(status, 201);
  assertHolds(body, { name: 'New', empty: true, private: true, has_issues: true, has_actions: true });
  const off = { has_issues: false, has_wiki: false, has_projects: false, has_actions: false, has_pull_requests: false };
  const patched = await ask(gitea.apiUrl, 'PATCH /repos/acme/New', {
    authorization: eve,
    body: { ...off, default_branch: 'main' },
  });
  assertHolds(patched.body, off);
  assert.deepEqual(
    [(await create('new')).status, (await create('a b')).status, (await create('x.wiki')).status],
    [409, 422, 422],
  );
  assert.equal((await create('another', rob)).status, 403);
});

test('no release before a branch was pushed, nor for a moment after', async () => {
  await using scene = await makeScene();
  const { gitea, eve, copy, remote } = scene;
  gitea.lagAfterPush(2);
  const create = () =>
    ask(gitea.apiUrl, `POST ${releases}`, {
      authorization: eve,
      body: { tag_name: 'v1.0.0', target_commitish: zeros },
    });
  await copy.commit();
  await copy.as(eve, 'push', '--quiet', remote, 'HEAD:refs/tags/v1.0.0');
  const afterTag = await create();
  assert.deepEqual(
    [afterTag.status, afterTag.body],
    [422, { message: 'repo is empty', url: `${gitea.url}/api/swagger` }],
  );
  await copy.as(eve, 'push', '--quiet', remote, 'main');
  assert.deepEqual([(await create()).status, (await create()).status, (await create()).status], [422, 422, 201]);
  assert.equal((await create()).status, 409);
});

test('a release with a target of forty zeros never makes a tag, any other target does', async () => {
  await using scene = await makeScene();
  const { gitea, eve, gitdir } = scene;
  const commit = await pushVersion(scene, 'v1.0.0');
  const create = (tag_name: string, target_commitish: string) =>
    ask(gitea.apiUrl, `POST ${releases}`, { authorization: eve, body: { tag_name, target_commitish } });
  assert.equal((await create('v1.0.0', zeros)).status, 201);
  assert.equal((await create('v1.0.1', zeros)).status, 500);
  assert.equal(await gitIn(gitdir)('tag', '--list'), 'v1.0.0');
  assert.equal((await create('v1.0.2', commit)).status, 201);
  assert.equal(await gitIn(gitdir)('rev-parse', 'v1.0.2'), commit);
});

test('releases are found and deleted by tag and by id, slashes escaped; the tag stays', async () => {
  await using scene = await makeScene();
  const { gitea, eve, gitdir } = scene;
  await pushVersion(scene, 'sub/v1.0.0');
  const authorization = eve;
  const create = () =>
    ask(gitea.apiUrl, `POST ${releases}`, { authorization, body: { tag_name: 'sub/v1.0.0', target_commitish: zeros } });
  const byTag = `${releases}/tags/sub%2Fv1.0.0`;
  await create();
  assert.equal((await ask(gitea.apiUrl, `GET ${byTag}`, { authorization })).status, 200);
  assert.equal((await ask(gitea.apiUrl, `DELETE ${byTag}`, { authorization })).status, 204);
  assert.equal((await ask(gitea.apiUrl, `DELETE ${byTag}`, { authorization })).status, 404);
  const { body } = await create();
  const id = fieldOf(body, 'id');
  assert.equal((await ask(gitea.apiUrl, `DELETE ${releases}/${id}`, { authorization })).status, 204);
  assert.equal(await gitIn(gitdir)('tag', '--list'), 'sub/v1.0.0');
});

test('releases fold case; a tag that goes before its release leaves a draft, which the next push of the tag brings back', async () => {
  await using scene = await makeScene();
  const { gitea, eve: authorization, copy, remote } = scene;
  await pushVersion(scene, 'v1.0.0-RC1');
  await copy.as(authorization, 'push', '--quiet', remote, 'HEAD:refs/tags/v1.0.0-rc1');
  const create = (tag_name: string) =>
    ask(gitea.apiUrl, `POST ${releases}`, { authorization, body: { tag_name, body: 'old', target_commitish: zeros } });
  assert.deepEqual([(await create('v1.0.0-RC1')).status, (await create('v1.0.0-rc1')).status], [201, 409]);
  const isDraft = async () => {
    const { body } = await ask(gitea.apiUrl, `GET ${releases}/tags/v1.0.0-RC1`, { authorization });
    return fieldOf(body, 'draft');
  };
  await copy.as(authorization, 'push', '--quiet', remote, ':refs/tags/v1.0.0-rc1');
  assert.equal(await isDraft(), true);
  await copy.as(authorization, 'push', '--quiet', remote, 'HEAD:refs/tags/v1.0.0-rc1');
  assert.equal(await isDraft(), false);
});

test('a tag with a release is not deleted by REST; one without is', async () => {
  await using scene = await makeScene();
  const { gitea, eve: authorization } = scene;
  await pushVersion(scene, 'v1.0.0');
  await ask(gitea.apiUrl, `POST ${releases}`, { authorization, body: { tag_name: 'v1.0.0' } });
  const remove = () => ask(gitea.apiUrl, 'DELETE /repos/acme/lib/tags/v1.0.0', { authorization });
  assert.equal((await remove()).status, 409);
  await ask(gitea.apiUrl, `DELETE ${releases}/tags/v1.0.0`, { authorization });
  assert.deepEqual([(await remove()).status, (await remove()).status], [204, 404]);
});

test('refs are listed by prefix, always as a list; tags come all at once, or in pages without Link', async () => {
  await using scene = await makeScene();
  const { gitea, eve: authorization } = scene;
  for (const tag of ['v1.0.0', 'v1.0.0+incompatible', 'v1.1.0']) await pushVersion(scene, tag);
  const refs = await ask(gitea.apiUrl, 'GET /repos/acme/lib/git/refs/tags/v1.0.0', { authorization });
  assertHolds(refs.body, [{ ref: 'refs/tags/v1.0.0' }, { ref: 'refs/tags/v1.0.0+incompatible' }]);
  assert.equal((await ask(gitea.apiUrl, 'GET /repos/acme/lib/git/refs/tags/v9', { authorization })).status, 404);
  const page = await ask(gitea.apiUrl, 'GET /repos/acme/lib/tags?page=2&limit=2', { authorization });
  assertHolds(page.body, [{ name: 'v1.1.0' }]);
  assert.deepEqual([page.headers.get('link'), page.headers.get('x-total-count')], [null, '3']);
});

test('lists of repositories have Link, pages of at most 50, and pass over per_page', async () => {
  await using scene = await makeScene();
  const { gitea, eve: authorization } = scene;
  await Promise.all(Array.from({ length: 51 }, (_, i) => gitea.addRepository({ owner: 'acme', name: `r${i}` })));
  const count = async (query: string) => {
    const { body, headers } = await ask(gitea.apiUrl, `GET /orgs/acme/repos?${query}`, { authorization });
    return [
      Array.isArray(body) && body.length,
      headers.get('x-total-count'),
      headers.get('link')?.includes('rel="next"') ?? false,
    ];
  };
  assert.deepEqual(await count('per_page=100'), [30, '52', true]);
  assert.deepEqual(await count('limit=100'), [50, '52', true]);
  assert.deepEqual(await count('limit=50&page=2'), [2, '52', false]);
});

test('git: 401 to anonymous for what is not public, without WWW-Authenticate to bad credentials, 404 without read', async () => {
  await using scene = await makeScene();
  const { gitea, mallory, eve } = scene;
  const get = (path: string, authorization?: string) =>
    ask(gitea.url, `GET ${path}/info/refs?service=git-upload-pack`, { authorization });
  const anonymous = await get('/acme/lib.git');
  assert.deepEqual([anonymous.status, anonymous.headers.has('www-authenticate')], [401, true]);
  const wrong = await get('/acme/lib.git', basic('wrong', 'eve'));
  assert.deepEqual([wrong.status, wrong.headers.has('www-authenticate')], [401, false]);
  assert.equal((await get('/acme/lib.git', mallory)).status, 404);
  assert.equal((await get('/acme/none.git', eve)).status, 404);
  assert.equal((await get('/acme/none.git')).status, 401);
  gitea.setVisibility('acme/lib', 'public');
  assert.equal((await get('/acme/lib.git')).status, 200);
});

test('git: a push without write is 200 and refused by the hook, one to an unknown repository 403', async () => {
  await using scene = await makeScene();
  const { gitea, copy, remote, rob, eve, gitdir } = scene;
  await copy.commit();
  const { stderr, exitCode } = await copy.tryAs(rob, 'push', remote, 'main');
  assert.notEqual(exitCode, 0);
  assert.match(stderr, /User permission denied for writing\..*pre-receive hook declined/s);
  assert.deepEqual(
    gitea.log.map(({ status }) => status),
    [200, 200],
  );
  assert.equal(await gitIn(gitdir)('for-each-ref'), '');
  assert.match((await copy.tryAs(eve, 'push', `${gitea.url}/acme/none.git`, 'main')).stderr, /error: 403/);
});

test('the hole of 1.22: git looks at the scopes of a token only where it comes as Basic', async () => {
  await using scene = await makeScene();
  const { gitea, copy, remote, gitdir } = scene;
  const readOnly = gitea.addToken({ user: 'eve', scopes: ['read:user'] });
  await copy.commit();
  assert.match((await copy.tryAs(basic(readOnly), 'push', remote, 'main')).stderr, /error: 403/);
  assert.equal((await ask(gitea.apiUrl, 'GET /repos/acme/lib', { authorization: `Bearer ${readOnly}` })).status, 403);
  await copy.as(`Bearer ${readOnly}`, 'push', '--quiet', remote, 'main');
  await copy.as(`token ${readOnly}`, 'push', '--quiet', remote, 'HEAD:refs/tags/v1.0.0');
  assert.equal(await gitIn(gitdir)('tag', '--list'), 'v1.0.0');
  const reader = gitea.addToken({ user: 'eve', scopes: ['read:repository'] });
  assert.equal((await copy.tryAs(basic(reader), 'ls-remote', remote)).exitCode, 0);
  assert.match((await copy.tryAs(basic(reader), 'push', remote, 'HEAD:refs/tags/v1.0.1')).stderr, /error: 403/);
});

test('a limited organisation says private: false and is hidden from anonymous callers, a private one from all but members', async () => {
  await using scene = await makeScene({ isPrivate: false });
  const { gitea, eve, mallory } = scene;
  const seen = async (authorization?: string) =>
    Promise.all(
      ['GET /orgs/acme', 'GET /repos/acme/lib'].map(
        async request => (await ask(gitea.apiUrl, request, { authorization })).status,
      ),
    );
  const refs = async (authorization?: string) =>
    (await ask(scene.remote, 'GET /info/refs?service=git-upload-pack', { authorization })).status;
  gitea.setVisibility('acme', 'limited');
  assert.deepEqual(
    [await seen(), await refs(), await seen(mallory), await refs(mallory)],
    [[404, 404], 401, [200, 200], 200],
  );
  gitea.setVisibility('acme', 'private');
  assert.deepEqual(
    [await seen(mallory), await refs(mallory), await seen(eve), await refs(eve)],
    [[404, 404], 404, [200, 200], 200],
  );
  assertHolds((await ask(gitea.apiUrl, 'GET /repos/acme/lib', { authorization: eve })).body, {
    private: false,
  });
});

test('sign-in walls: Gitea’s own says 403 and 401, a proxy’s sends to a page', async () => {
  await using scene = await makeScene({ isPrivate: false });
  const { gitea, rob } = scene;
  const refs = `${gitea.url}/acme/lib.git/info/refs?service=git-upload-pack`;
  gitea.setSignInWall('gitea');
  assert.deepEqual([(await ask(gitea.apiUrl, 'GET /version')).status, (await fetch(refs)).status], [403, 401]);
  assert.equal((await fetch(refs, { headers: { authorization: rob } })).status, 200);
  gitea.setSignInWall('proxy');
  assert.equal((await ask(gitea.apiUrl, 'GET /version')).status, 302);
  const page = await fetch(refs);
  assert.deepEqual([page.status, page.headers.get('content-type')], [200, 'text/html; charset=utf-8']);
});

test('a renamed repository is 307 in REST and git, with the rest of the address', async () => {
  await using scene = await makeScene();
  const { gitea, eve: authorization } = scene;
  await gitea.renameRepository('acme/lib', 'acme/Moved');
  const rest = await ask(gitea.apiUrl, 'GET /repos/acme/lib/releases', { authorization });
  assert.deepEqual([rest.status, rest.headers.get('location')], [307, '/api/v1/repos/acme/Moved/releases']);
  const git = await ask(gitea.url, 'POST /acme/lib.git/git-upload-pack', { authorization });
  assert.deepEqual([git.status, git.headers.get('location')], [307, '/acme/Moved.git/git-upload-pack']);
});

test('the first branch that is pushed becomes the default one; fsck is not run', async () => {
  await using scene = await makeScene();
  const { gitea, eve: authorization, copy, remote } = scene;
  await copy.commit();
  await copy.as(authorization, 'push', '--quiet', remote, 'HEAD:refs/heads/trunk', 'HEAD:refs/modforge/module');
  assertHolds((await ask(gitea.apiUrl, 'GET /repos/acme/lib', { authorization })).body, {
    default_branch: 'trunk',
    empty: false,
  });
  const commit = `tree ${await copy.git('rev-parse', 'HEAD^{tree}')}\nauthor A <a<b>@c> 1 +0000\ncommitter A <a@c> 1 +0000\n\nx\n`;
  const id = await copy.git.with({ input: commit })('hash-object', '-t', 'commit', '-w', '--literally', '--stdin');
  await copy.as(authorization, 'push', '--quiet', remote, `${id}:refs/tags/v1.0.0`);
});
