/** Who may do what where a forge is behind modforge: the forge's own rights, in each form of credentials, and nothing beside them. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ForgeDouble } from '../support/doubles/forge-double.ts';
import { startGiteaDouble } from '../support/doubles/gitea.ts';
import { startGithubDouble } from '../support/doubles/github.ts';
import {
  ada,
  addPeople,
  type HostedKind,
  hostedKinds,
  startHostedApp,
  startHostedDouble,
  uploadTo,
} from '../support/doubles/hosted-app.ts';
import { moduleZip } from '../support/module-zip.ts';
import type { TestApp } from '../support/test-app.ts';

/** The owner's by its name: the forge's host, which is this machine, and the owner. */
const ownModule = '127.0.0.1/acme/lib';
const otherModule = 'example.com/secret';
const modules = [otherModule, ownModule];

const secret = 'TheContentThatIsNobodyElses';
const wrong = 'no-such-token';
const files = ['list', 'v1.0.0.info', 'v1.0.0.mod', 'v1.0.0.zip', 'latest.info'];

const basic = (user: string, password: string) => `Basic ${btoa(`${user}:${password}`)}`;

/** A token of `user` in each form that an Authorization header can show it in. */
const formsOf = (user: string, token: string): [form: string, authorization: string][] => [
  ['Basic user:token', basic(user, token)],
  ['Basic :token', basic('', token)],
  ['Basic token:', basic(token, '')],
  ['Basic token:x-oauth-basic', basic(token, 'x-oauth-basic')],
  ['token X', `token ${token}`],
  ['Bearer X', `Bearer ${token}`],
  ['bearer X', `bearer ${token}`],
];

interface Got {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

async function get(app: TestApp, path: string, authorization?: string): Promise<Got> {
  const headers: Record<string, string> = authorization === undefined ? {} : { Authorization: authorization };
  const response = await fetch(`${app.proxyUrl}/${path}`, { headers });
  const { status } = response;
  return { status, text: Buffer.from(await response.arrayBuffer()).toString('latin1'), headers: response.headers };
}

const zipOf = (module: string, version: string) => moduleZip(module, version, { 'a.go': `package a // ${secret}\n` });

async function publish(app: TestApp, module: string, version: string): Promise<void> {
  const response = await uploadTo(app, await zipOf(module, version));
  assert.equal(response.status, 201, await response.text());
  await app.settled();
}

/** A token that may read all of acme's repositories, and write nothing. */
const addReadOnlyToken = (kind: HostedKind, double: ForgeDouble): string =>
  kind === 'gitea'
    ? double.addToken({ user: ada.name, scopes: ['read:repository', 'read:user', 'read:organization'] })
    : double.addToken({ user: ada.name, fineGrained: { owner: 'acme', permissions: { contents: 'read' } } });

/** Refused so that it is asked again later: never an absence, which `go` would take to the next proxy. */
function checkUnavailable({ status, headers, text }: { status: number; headers: Headers; text: string }): void {
  assert.ok([429, 503, 504].includes(status), `${status} ${text}`);
  assert.match(headers.get('retry-after') ?? '', /^[1-9]\d*$/);
  assert.equal(headers.get('cache-control'), 'no-store');
  assert.ok(!text.includes(secret));
}

/** Answered as its path asks and the same as for a repository that does not exist. */
async function checkHidden(app: TestApp, authorization: string | undefined, statuses: readonly number[]) {
  for (const [i, module] of modules.entries()) {
    const name = module.split('/').at(-1) ?? '';
    const absent = module.replace(name, 'absent');
    for (const file of files) {
      const got = await get(app, `${module}/@v/${file}`, authorization);
      assert.equal(got.status, statuses[i], `${module} ${file}: ${got.text}`);
      const other = await get(app, `${absent}/@v/${file}`, authorization);
      assert.equal(other.status, got.status);
      assert.equal(other.text, got.text.replaceAll(name, 'absent'));
      for (const header of ['cache-control', 'vary', 'www-authenticate']) {
        assert.equal(other.headers.get(header), got.headers.get(header));
      }
      if (got.status === 401) assert.match(got.headers.get('www-authenticate') ?? '', /^Basic realm=/);
    }
  }
}

for (const kind of hostedKinds) {
  describe(`rights at the ${kind} double`, () => {
    let double: ForgeDouble;
    let app: TestApp;
    let readOnly: string;
    let stranger: string;
    let reader: string;
    before(async () => {
      double = await startHostedDouble(kind);
      double.addUser({ name: 'sam' });
      double.addUser({ name: 'rob' });
      stranger = double.addToken({ user: 'sam' });
      reader = double.addToken({ user: 'rob' });
      readOnly = addReadOnlyToken(kind, double);
      app = await startHostedApp({ kind, double, refsTtlMs: 1 });
      for (const module of modules) await publish(app, module, 'v1.0.0');
      for (const repository of ['acme/example.com__secret', 'acme/lib']) double.setRole(repository, 'rob', 'read');
    });
    after(async () => {
      await app[Symbol.asyncDispose]();
      await double[Symbol.asyncDispose]();
    });

    const checkNotPublished = async () => {
      for (const module of modules) {
        assert.equal((await get(app, `${module}/@v/list`, ada.basic)).text, 'v1.0.0\n');
      }
      assert.equal((await get(app, 'example.com/new/@v/list', ada.basic)).status, 404);
    };

    for (const [i, [form]] of formsOf('', '').entries()) {
      it(`a read-only token as "${form}" can neither publish nor delete`, async () => {
        const [, authorization = ''] = formsOf(ada.name, readOnly)[i] ?? [];
        for (const [module, version] of [
          [otherModule, 'v1.1.0'],
          [ownModule, 'v1.1.0'],
          ['example.com/new', 'v1.0.0'],
        ] as const) {
          const zip = await zipOf(module, version);
          const answer = await uploadTo(app, zip, authorization);
          assert.equal(answer.status, 403, await answer.text());
          const url = `${app.proxyUrl}/${module}/@v/${version}.zip`;
          const named = await fetch(url, { method: 'PUT', body: zip, headers: { Authorization: authorization } });
          assert.equal(named.status, 403, await named.text());
        }
        for (const module of modules) {
          const url = `${app.url}/api/v1/packages/acme/go/${encodeURIComponent(module)}/v1.0.0`;
          const deleted = await fetch(url, { method: 'DELETE', headers: { Authorization: authorization } });
          assert.equal(deleted.status, 403, await deleted.text());
        }
        await app.settled();
        await checkNotPublished();
      });

      it(`a read-only token as "${form}" reads a private repository`, async () => {
        const [, authorization] = formsOf(ada.name, readOnly)[i] ?? [];
        for (const module of modules) {
          for (const file of files) {
            const { status, text, headers } = await get(app, `${module}/@v/${file}`, authorization);
            assert.equal(status, 200, text);
            assert.match(headers.get('cache-control') ?? '', /^private, /);
          }
        }
      });

      it(`a stranger's token as "${form}" gets 404 for a private repository, as for none`, async () => {
        await checkHidden(app, formsOf('sam', stranger)[i]?.[1], [404, 404]);
      });

      it(`a wrong token as "${form}" gets 401 for whatever it asks`, async () => {
        const [, authorization = ''] = formsOf(ada.name, wrong)[i] ?? [];
        await checkHidden(app, authorization, [401, 401]);
        const answer = await uploadTo(app, await zipOf(otherModule, 'v1.1.0'), authorization);
        assert.equal(answer.status, 401, await answer.text());
      });
    }

    it('who may read as a collaborator, with a token for everything, can not publish', async () => {
      for (const module of modules) {
        assert.equal((await get(app, `${module}/@v/v1.0.0.mod`, `token ${reader}`)).status, 200);
        const answer = await uploadTo(app, await zipOf(module, 'v1.1.0'), `token ${reader}`);
        assert.equal(answer.status, 403, await answer.text());
      }
      await checkNotPublished();
    });

    it('a stranger can not publish, whether the repository exists or not', async () => {
      for (const module of [...modules, 'example.com/new']) {
        const answer = await uploadTo(app, await zipOf(module, 'v1.1.0'), `token ${stranger}`);
        const text = await answer.text();
        assert.equal(answer.status, 403, text);
        assert.ok(!text.includes('v1.0.0'));
      }
      await checkNotPublished();
    });

    it("anonymous gets 404 outside the owner's namespace and 401 inside, also right after others have read", async () => {
      for (const module of modules) {
        assert.equal((await get(app, `${module}/@v/v1.0.0.zip`, ada.basic)).status, 200);
      }
      await checkHidden(app, undefined, [404, 401]);
      await checkHidden(app, `token ${stranger}`, [404, 404]);
    });

    it('anonymous and strangers read what the forge shows to anyone', async () => {
      await using open = await startHostedApp({ kind, double, env: { MODFORGE_VISIBILITY: 'public' } });
      await publish(open, 'example.com/open', 'v1.0.0');
      for (const authorization of [undefined, `token ${stranger}`]) {
        for (const file of files) {
          const { status, text } = await get(open, `example.com/open/@v/${file}`, authorization);
          assert.equal(status, 200, text);
        }
      }
      assert.equal((await get(open, 'example.com/open/@v/list', `token ${wrong}`)).status, 401);
    });

    for (const [name, mishap] of [
      ['a 404 in HTML', { status: 404, headers: { 'Content-Type': 'text/html' }, body: '<html>not here</html>' }],
      ['a 403 in HTML', { status: 403, headers: { 'Content-Type': 'text/html' }, body: '<html>go away</html>' }],
      ['a page instead of git', { status: 200, headers: { 'Content-Type': 'text/html' }, body: '<html>hi</html>' }],
      ['a gateway without a forge', { status: 502, body: 'bad gateway' }],
      ['a 429', { status: 429, headers: { 'Retry-After': '7' }, body: 'slow down' }],
      ['a cut connection', 'cut'],
    ] as const) {
      it(`${name} is an outage to readers, never an absence`, async () => {
        for (const module of modules) {
          for (const authorization of [undefined, ada.basic]) {
            await using fresh = await startHostedApp({ kind, double });
            // The credentials are known before the outage: it meets git alone. A cut connection is tried twice.
            double.addFault({ number: 1, kind: 'git', when: 'before', mishap });
            if (mishap === 'cut') double.addFault({ number: 2, kind: 'git', when: 'before', mishap });
            checkUnavailable(await get(fresh, `${module}/@v/list`, authorization));
          }
        }
      });
    }
  });
}

describe('what Gitea hides from who has not signed in', () => {
  it("a limited organisation's public repository is shown to users, and to nobody without credentials", async () => {
    await using double = await startHostedDouble('gitea');
    double.addUser({ name: 'sam' });
    const stranger = double.addToken({ user: 'sam' });
    const env = { MODFORGE_VISIBILITY: 'public' };
    await using app = await startHostedApp({ kind: 'gitea', double, env, refsTtlMs: 1 });
    for (const module of modules) await publish(app, module, 'v1.0.0');
    double.setVisibility('acme', 'limited');
    await checkHidden(app, undefined, [404, 401]);
    for (const module of modules) {
      const { status, headers } = await get(app, `${module}/@v/v1.0.0.zip`, `token ${stranger}`);
      assert.equal(status, 200);
      assert.match(headers.get('cache-control') ?? '', /^private, /);
    }
    await checkHidden(app, undefined, [404, 401]);
    double.setVisibility('acme', 'private');
    await checkHidden(app, `token ${stranger}`, [404, 404]);
  });

  for (const wall of ['gitea', 'proxy'] as const) {
    it(`behind a sign-in wall of ${wall === 'gitea' ? 'its own' : 'a proxy'} only users read`, async () => {
      await using double = await startGiteaDouble();
      addPeople(double);
      const env = { MODFORGE_VISIBILITY: 'public' };
      await using app = await startHostedApp({ kind: 'gitea', double, env, refsTtlMs: 1 });
      for (const module of modules) await publish(app, module, 'v1.0.0');
      double.setSignInWall(wall);
      for (const module of modules) {
        assert.equal((await get(app, `${module}/@v/v1.0.0.zip`, `token ${ada.token}`)).status, 200);
      }
      if (wall === 'gitea') return await checkHidden(app, undefined, [404, 401]);
      // The login page says nothing of what there is.
      for (const module of [...modules, 'example.com/absent', '127.0.0.1/acme/absent']) {
        for (const file of files) checkUnavailable(await get(app, `${module}/@v/${file}`));
      }
    });
  }
});

describe('what GitHub says with 403', () => {
  const start = async () => {
    const double = await startGithubDouble();
    addPeople(double);
    const setUp = await startHostedApp({ kind: 'github', double });
    for (const module of modules) await publish(setUp, module, 'v1.0.0');
    await setUp[Symbol.asyncDispose]();
    return double;
  };

  for (const status of [403, 429]) {
    it(`a ${status} with Retry-After is told on with it, to readers and to publishers`, async () => {
      await using double = await start();
      await using app = await startHostedApp({ kind: 'github', double, refsTtlMs: 1 });
      double.throttle({ requests: 1000, retryAfterSeconds: 37, status });
      for (const module of [...modules, 'example.com/absent']) {
        for (const authorization of [undefined, ada.basic, `token ${wrong}`]) {
          for (const file of files) {
            const got = await get(app, `${module}/@v/${file}`, authorization);
            checkUnavailable(got);
            assert.equal(got.headers.get('retry-after'), '37');
          }
        }
        const answer = await uploadTo(app, await zipOf(module, 'v1.1.0'));
        checkUnavailable({ status: answer.status, headers: answer.headers, text: await answer.text() });
        assert.equal(answer.headers.get('retry-after'), '37');
      }
    });
  }

  it('a quota that is used up is told on with the time of its reset, and hurts no reader', async () => {
    await using double = await start();
    await using app = await startHostedApp({ kind: 'github', double, refsTtlMs: 1 });
    double.setQuota(0);
    const answer = await uploadTo(app, await zipOf(otherModule, 'v1.1.0'));
    checkUnavailable({ status: answer.status, headers: answer.headers, text: await answer.text() });
    assert.ok(Number(answer.headers.get('retry-after')) > 3000);
    assert.equal((await get(app, `${otherModule}/@v/v1.0.0.zip`, ada.basic)).status, 200);
  });

  it('a token that was not authorised for single sign-on reads and publishes nothing', async () => {
    await using double = await start();
    double.requireSso('acme');
    double.addToken({ user: ada.name, value: 'authorised', authorizedFor: ['acme'] });
    const env = { MODFORGE_TOKEN: 'authorised' };
    await using app = await startHostedApp({ kind: 'github', double, env, refsTtlMs: 1 });
    assert.equal((await get(app, `${otherModule}/@v/list`, 'token authorised')).status, 200);
    await checkHidden(app, ada.basic, [404, 404]);
    const answer = await uploadTo(app, await zipOf(otherModule, 'v1.1.0'));
    assert.equal(answer.status, 403, await answer.text());
  });
});
