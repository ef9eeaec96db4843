import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pushRefusals } from '../support/doubles/forge-double.ts';
import { type GithubDouble, startGithubDouble } from '../support/doubles/github.ts';
import { basic, makeWorkingCopy, type WorkingCopy } from '../support/doubles/working-copy.ts';
import { gitIn } from '../support/plain-git.ts';
import { ask, assertHolds, fieldOf } from './ask.ts';

interface Scene extends AsyncDisposable {
  readonly github: GithubDouble;
  readonly copy: WorkingCopy;
  /** Tokens of eve, who administers acme, of rob, who may read, and of mallory, who is no member. */
  readonly eve: string;
  readonly rob: string;
  readonly mallory: string;
  readonly remote: string;
  readonly gitdir: string;
  /** Asks REST with a token. */
  readonly as: (token: string, request: string, body?: unknown) => ReturnType<typeof ask>;
}

/** acme, with a private and empty repository `lib`. */
async function makeScene({ isPrivate = true } = {}): Promise<Scene> {
  const github = await startGithubDouble();
  for (const name of ['eve', 'rob', 'mallory']) github.addUser({ name });
  github.addOrganisation({ name: 'acme', members: { eve: 'admin', rob: 'read' } });
  const gitdir = await github.addRepository({ owner: 'acme', name: 'lib', isPrivate });
  const copy = await makeWorkingCopy();
  return {
    github,
    copy,
    gitdir,
    eve: github.addToken({ user: 'eve', scopes: ['repo'] }),
    rob: github.addToken({ user: 'rob', scopes: ['repo'] }),
    mallory: github.addToken({ user: 'mallory', scopes: ['repo'] }),
    remote: `${github.url}/acme/lib.git`,
    as: (token, request, body) => ask(github.apiUrl, request, { authorization: `token ${token}`, body }),
    async [Symbol.asyncDispose]() {
      await copy[Symbol.asyncDispose]();
      await github[Symbol.asyncDispose]();
    },
  };
}

/** Pushes a branch and, in the same push, a tag. */
async function pushVersion({ copy, remote, eve }: Scene, tag: string): Promise<string> {
  const commit = await copy.commit();
  await copy.as(basic(eve), 'push', '--quiet', remote, 'main', `HEAD:refs/tags/${tag}`);
  return commit;
}

const releases = '/repos/acme/lib/releases';

test('REST: 401 to a bad token, 404 without read, 403 to a reader who writes, 401 to anonymous who writes', async () => {
  await using scene = await makeScene();
  const { github, as, rob, mallory } = scene;
  assert.equal((await as('nonsense', 'GET /meta')).status, 401);
  assert.equal((await as(mallory, 'GET /repos/acme/lib')).status, 404);
  assert.equal((await as(rob, 'GET /repos/ACME/Lib')).status, 200);
  assert.equal((await as(rob, `POST ${releases}`, { tag_name: 'v1.0.0' })).status, 403);
  github.setVisibility('acme/lib', 'public');
  assert.equal((await as(mallory, `POST ${releases}`, { tag_name: 'v1.0.0' })).status, 403);
  assert.equal((await ask(github.apiUrl, `POST ${releases}`, { body: { tag_name: 'v1.0.0' } })).status, 401);
});

test('who I am, who others are, and what server this is', async () => {
  await using scene = await makeScene();
  const { as, eve } = scene;
  assertHolds((await as(eve, 'GET /user')).body, { login: 'eve', type: 'User' });
  assertHolds((await as(eve, 'GET /users/acme')).body, { login: 'acme', type: 'Organization' });
  assertHolds((await as(eve, 'GET /orgs/acme')).body, { login: 'acme' });
  assert.equal((await as(eve, 'GET /orgs/rob')).status, 404);
  const { headers } = await as(eve, 'GET /meta');
  assert.equal(headers.get('x-github-enterprise-version'), '3.19.0');
});

test('REST lies at the root where the double is of api.github.com', async () => {
  await using github = await startGithubDouble({ basePath: '' });
  assert.equal(github.apiUrl, github.url);
  assert.equal((await ask(github.url, 'GET /meta')).status, 200);
  assert.equal((await ask(github.url, 'GET /no/where')).status, 404);
});

test('names of new repositories change without a word; a taken name is 422, whatever its case', async () => {
  await using scene = await makeScene();
  const { as, eve, rob } = scene;
  const create = (name: string, token = eve) =>
    as(token, 'POST /orgs/acme/repos', { name, private: true, has_issues: false });
  const made = await create('a~b c.git');
  assert.equal(made.status, 201);
  assertHolds(made.body, { name: 'a-b-c', private: true, has_issues: false, permissions: { admin: true } });
  const taken = await create('A-B-C');
  assert.equal(taken.status, 422);
  assertHolds(taken.body, {
    message: 'Repository creation failed.',
    errors: [{ message: 'name already exists on this account' }],
  });
  assert.equal((await create('x.wiki')).status, 422);
  assert.equal((await create('other', rob)).status, 403);
});

test('settings: features, Actions, visibility, and a default branch only where there is one', async () => {
  await using scene = await makeScene();
  const { as, eve, rob, copy, remote } = scene;
  const patch = (body: unknown) => as(eve, 'PATCH /repos/acme/lib', body);
  assertHolds((await patch({ has_wiki: false, has_projects: false })).body, {
    has_wiki: false,
    has_projects: false,
    has_issues: true,
  });
  const actions = '/repos/acme/lib/actions/permissions';
  assertHolds((await as(eve, `GET ${actions}`)).body, { enabled: true });
  assert.equal((await as(eve, `PUT ${actions}`, { enabled: false })).status, 204);
  assertHolds((await as(eve, `GET ${actions}`)).body, { enabled: false });
  assert.equal((await as(rob, `GET ${actions}`)).status, 403);
  assert.equal((await patch({ default_branch: 'trunk' })).status, 422);
  await copy.commit();
  await copy.as(basic(eve), 'push', '--quiet', remote, 'HEAD:refs/heads/one', 'HEAD:refs/heads/two');
  assertHolds((await as(eve, 'GET /repos/acme/lib')).body, { default_branch: 'one' });
  assertHolds((await patch({ default_branch: 'two' })).body, { default_branch: 'two' });
  assert.equal((await patch({ default_branch: 'trunk' })).status, 422);
});

test('a release: an invalid target is 422 even where the tag is there, a missing tag is made, a second release is 422', async () => {
  await using scene = await makeScene();
  const { as, eve, gitdir } = scene;
  const create = (tag_name: string, target_commitish?: string) =>
    as(eve, `POST ${releases}`, { tag_name, ...(target_commitish && { target_commitish }) });
  assert.equal((await create('v1.0.0')).status, 422);
  const commit = await pushVersion(scene, 'v1.0.0');
  const bad = await create('v1.0.0', '0'.repeat(40));
  assert.equal(bad.status, 422);
  assertHolds(bad.body, { errors: [{ code: 'invalid', field: 'target_commitish' }] });
  assert.equal((await create('v1.0.0', commit)).status, 201);
  assertHolds((await create('v1.0.0', commit)).body, { errors: [{ code: 'already_exists', field: 'tag_name' }] });
  assert.equal((await create('v1.1.0', commit)).status, 201);
  assert.equal(await gitIn(gitdir)('rev-parse', 'v1.1.0'), commit);
});

test('a release is found by its tag, slash and all, and deleted by its number; the tag stays', async () => {
  await using scene = await makeScene();
  const { as, eve, gitdir } = scene;
  const commit = await pushVersion(scene, 'sub/v1.0.0');
  const made = await as(eve, `POST ${releases}`, { tag_name: 'sub/v1.0.0', target_commitish: commit });
  for (const tag of ['sub/v1.0.0', 'sub%2Fv1.0.0']) {
    assert.equal((await as(eve, `GET ${releases}/tags/${tag}`)).status, 200);
    assertHolds((await as(eve, `GET /repos/acme/lib/git/ref/tags/${tag}`)).body, {
      object: { sha: commit, type: 'commit' },
    });
  }
  const id = fieldOf(made.body, 'id');
  assert.deepEqual(
    [(await as(eve, `DELETE ${releases}/${id}`)).status, (await as(eve, `DELETE ${releases}/${id}`)).status],
    [204, 404],
  );
  assert.equal(await gitIn(gitdir)('tag', '--list'), 'sub/v1.0.0');
});

test('a tag that goes before its release leaves a draft without one', async () => {
  await using scene = await makeScene();
  const { as, eve, copy, remote } = scene;
  await pushVersion(scene, 'v1.0.0');
  const id = fieldOf((await as(eve, `POST ${releases}`, { tag_name: 'v1.0.0' })).body, 'id');
  await copy.as(basic(eve), 'push', '--quiet', remote, ':refs/tags/v1.0.0');
  assert.equal((await as(eve, `GET ${releases}/tags/v1.0.0`)).status, 404);
  const { body } = await as(eve, `GET ${releases}/${id}`);
  assertHolds(body, { draft: true });
  assert.match(String(fieldOf(body, 'tag_name')), /^untagged-/);
});

test('an immutable release is not deleted, locks its tag, and burns the name beyond the repository', async () => {
  await using scene = await makeScene();
  const { github, as, eve, copy, remote } = scene;
  github.setImmutableReleases('acme/lib', true);
  assertHolds((await as(eve, 'GET /repos/acme/lib/immutable-releases')).body, { enabled: true });
  await pushVersion(scene, 'v1.0.0');
  const { body } = await as(eve, `POST ${releases}`, { tag_name: 'v1.0.0' });
  assertHolds(body, { immutable: true });
  assert.equal((await as(eve, `DELETE ${releases}/${fieldOf(body, 'id')}`)).status, 403);
  const refused = await copy.tryAs(basic(eve), 'push', remote, ':refs/tags/v1.0.0');
  assert.match(refused.stderr, /Cannot change this immutable tag/);
  await github.deleteRepository('acme/lib');
  await github.addRepository({ owner: 'acme', name: 'lib' });
  await copy.as(basic(eve), 'push', '--quiet', remote, 'main');
  const burned = await as(eve, `POST ${releases}`, { tag_name: 'v1.0.0' });
  assertHolds([burned.status, burned.body], [422, { errors: [{ field: 'tag_name' }] }]);
});

test('after a push REST lags', async () => {
  await using scene = await makeScene();
  const { github, as, eve } = scene;
  github.lagAfterPush(2);
  const commit = await pushVersion(scene, 'v1.0.0');
  const create = async () =>
    (await as(eve, `POST ${releases}`, { tag_name: 'v1.0.0', target_commitish: commit })).status;
  assert.equal((await as(eve, 'GET /repos/acme/lib/git/ref/tags/v1.0.0')).status, 404);
  assert.deepEqual([await create(), await create()], [404, 201]);
});

test('a release of a commit with workflows, and a push of one, want the scope for workflows', async () => {
  await using scene = await makeScene();
  const { github, as, eve, copy, remote } = scene;
  const commit = await copy.commit('.github/workflows/ci.yml');
  const refused = await copy.tryAs(basic(eve), 'push', remote, 'main');
  assert.match(refused.stderr, /refusing to allow .* workflow `\.github\/workflows\/ci\.yml` without `workflow` scope/);
  const able = github.addToken({ user: 'eve', scopes: ['repo', 'workflow'] });
  await copy.as(basic(able), 'push', '--quiet', remote, 'main', 'HEAD:refs/tags/v1.0.0');
  const body = { tag_name: 'v1.0.0', target_commitish: commit };
  assert.deepEqual(
    [(await as(eve, `POST ${releases}`, body)).status, (await as(able, `POST ${releases}`, body)).status],
    [404, 201],
  );
});

test('a fine-grained token may do what it was given, whatever `permissions` says of its owner', async () => {
  await using scene = await makeScene();
  const { github, as, copy, remote } = scene;
  const tokenFor = (contents: 'read' | 'write', repositories?: string[]) =>
    github.addToken({
      user: 'eve',
      fineGrained: { owner: 'acme', permissions: { contents }, ...(repositories && { repositories }) },
    });
  const readOnly = tokenFor('read');
  await pushVersion(scene, 'v1.0.0');
  assertHolds((await as(readOnly, 'GET /repos/acme/lib')).body, { permissions: { push: true, admin: true } });
  const refused = await as(readOnly, `POST ${releases}`, { tag_name: 'v1.0.0' });
  assert.equal(refused.status, 403);
  assertHolds(refused.body, { message: 'Resource not accessible by personal access token' });
  assert.equal((await copy.tryAs(basic(readOnly), 'ls-remote', remote)).exitCode, 0);
  assert.match((await copy.tryAs(basic(readOnly), 'push', remote, 'HEAD:refs/tags/v1.0.1')).stderr, /error: 403/);
  assert.equal((await as(readOnly, 'POST /orgs/acme/repos', { name: 'new' })).status, 403);
  const elsewhere = tokenFor('write', ['other']);
  assert.equal((await as(elsewhere, 'GET /repos/acme/lib')).status, 404);
  assert.equal((await as(tokenFor('write'), `POST ${releases}`, { tag_name: 'v1.0.0' })).status, 201);
});

test('classic tokens: public_repo reaches public repositories, others read what all may', async () => {
  await using scene = await makeScene();
  const { github, as } = scene;
  await pushVersion(scene, 'v1.0.0');
  const publicOnly = github.addToken({ user: 'eve', scopes: ['public_repo'] });
  const none = github.addToken({ user: 'eve', scopes: [] });
  assert.equal((await as(publicOnly, 'GET /repos/acme/lib')).status, 404);
  github.setVisibility('acme/lib', 'public');
  assert.equal((await as(none, `POST ${releases}`, { tag_name: 'v1.0.0' })).status, 403);
  assert.equal((await as(publicOnly, `POST ${releases}`, { tag_name: 'v1.0.0' })).status, 201);
});

test('single sign-on refuses tokens that were not authorised, in REST and in git', async () => {
  await using scene = await makeScene();
  const { github, as, eve, remote } = scene;
  github.requireSso('acme');
  const refused = await as(eve, 'GET /repos/acme/lib');
  assert.equal(refused.status, 403);
  assert.match(refused.headers.get('x-github-sso') ?? '', /^required; url=/);
  const git = await ask(remote, 'GET /info/refs?service=git-upload-pack', { authorization: basic(eve) });
  assert.equal(git.status, 403);
  const authorised = github.addToken({ user: 'eve', scopes: ['repo'], authorizedFor: ['Acme'] });
  assert.equal((await as(authorised, 'GET /repos/acme/lib')).status, 200);
});

test('git: 401 to anonymous whether it exists or not, 404 without read, 403 for a push without write; Basic alone', async () => {
  await using scene = await makeScene();
  const { github, eve, rob, mallory, copy, remote } = scene;
  const get = async (name: string, authorization?: string) => {
    const { status, headers } = await ask(github.url, `GET /acme/${name}.git/info/refs?service=git-upload-pack`, {
      authorization,
    });
    return [status, headers.get('www-authenticate')];
  };
  const wanted = [401, 'Basic realm="GitHub"'];
  assert.deepEqual([await get('lib'), await get('none'), await get('lib', basic('wrong'))], [wanted, wanted, wanted]);
  assert.deepEqual(
    [await get('lib', basic(mallory)), await get('none', basic(eve))],
    [
      [404, null],
      [404, null],
    ],
  );
  assert.deepEqual(await get('lib', `Bearer ${eve}`), wanted);
  assert.deepEqual(await get('LIB', basic(rob)), [200, null]);
  await copy.commit();
  assert.match(
    (await copy.tryAs(basic(rob), 'push', remote, 'main')).stderr,
    /Permission to acme\/lib\.git denied to rob|error: 403/,
  );
});

test('a renamed repository is 301 to its number in REST, which answers, and redirects in git', async () => {
  await using scene = await makeScene();
  const { github, as, eve, mallory, copy, remote } = scene;
  await pushVersion(scene, 'v1.0.0');
  await github.renameRepository('acme/lib', 'acme/moved');
  const moved = await as(eve, 'GET /repos/acme/lib/git/ref/tags/v1.0.0');
  assert.equal(moved.status, 301);
  const location = moved.headers.get('location') ?? '';
  assert.match(location, /\/repositories\/\d+\/git\/ref\/tags\/v1\.0\.0$/);
  assert.equal((await ask(location, 'GET ', { authorization: `token ${eve}` })).status, 200);
  assert.equal((await as(eve, `POST ${releases}`, { tag_name: 'v1.0.0' })).status, 307);
  assert.equal((await as(mallory, 'GET /repos/acme/lib')).status, 404);
  assert.match(await copy.as(basic(eve), 'ls-remote', remote), /refs\/tags\/v1\.0\.0/);
  assert.equal((await ask(remote, 'POST /git-upload-pack', { authorization: basic(eve) })).status, 307);
});

test('pushes are refused in the forge’s own words, and by fsck', async () => {
  await using scene = await makeScene();
  const { github, eve, copy, remote } = scene;
  await copy.commit();
  for (const text of Object.values(pushRefusals)) {
    github.refusePushes(text);
    const { stderr } = await copy.tryAs(basic(eve), 'push', remote, 'main');
    assert.match(stderr, /GH0\d+.*pre-receive hook declined/s);
  }
  github.refusePushes(undefined);
  await copy.as(basic(eve), 'push', '--quiet', remote, 'main');
  const commit = `tree ${await copy.git('rev-parse', 'HEAD^{tree}')}\nauthor A <a<b>@c> 1 +0000\ncommitter A <a@c> 1 +0000\n\nx\n`;
  const id = await copy.git.with({ input: commit })('hash-object', '-t', 'commit', '-w', '--literally', '--stdin');
  assert.match((await copy.tryAs(basic(eve), 'push', remote, `${id}:refs/tags/v1.0.0`)).stderr, /badEmail|fsck/);
});

test('lists come in pages with Link, of what the caller may see', async () => {
  await using scene = await makeScene();
  const { github, as, eve, mallory } = scene;
  await Promise.all([1, 2, 3].map(i => github.addRepository({ owner: 'acme', name: `open${i}` })));
  const seen = async (token: string, request: string) => {
    const { body, headers } = await as(token, request);
    return [Array.isArray(body) && body.length, /rel="next"/.test(headers.get('link') ?? '')];
  };
  assert.deepEqual(await seen(eve, 'GET /orgs/acme/repos?per_page=3'), [3, true]);
  assert.deepEqual(await seen(eve, 'GET /orgs/acme/repos?per_page=3&page=2'), [1, false]);
  assert.deepEqual(await seen(mallory, 'GET /orgs/acme/repos'), [3, false]);
  assert.deepEqual(await seen(eve, 'GET /user/repos'), [4, false]);
  assert.deepEqual(await seen(eve, 'GET /users/eve/repos'), [0, false]);
});

test('quota: each call costs one but a 304, none left is 403, anonymous callers have 60', async () => {
  await using scene = await makeScene();
  const { github, eve } = scene;
  const authorization = `token ${eve}`;
  const first = await ask(github.apiUrl, 'GET /repos/acme/lib', { authorization });
  assert.equal(first.headers.get('x-ratelimit-remaining'), '4999');
  const headers = { 'if-none-match': first.headers.get('etag') ?? '' };
  const again = await ask(github.apiUrl, 'GET /repos/acme/lib', { authorization, headers });
  assert.deepEqual([again.status, again.headers.get('x-ratelimit-remaining'), again.body], [304, '4999', undefined]);
  assert.equal((await ask(github.apiUrl, 'GET /meta')).headers.get('x-ratelimit-limit'), '60');
  github.setQuota(1);
  await ask(github.apiUrl, 'GET /meta', { authorization });
  const refused = await ask(github.apiUrl, 'GET /meta', { authorization });
  assert.deepEqual([refused.status, refused.headers.get('x-ratelimit-remaining')], [403, '0']);
  assert.ok(Number(refused.headers.get('x-ratelimit-reset')) > 0);
});
