/** The names of an owner's repositories: all that the caller may see, or undefined wherever that is not certain. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createFsFromVolume, Volume } from 'memfs';
import type { Caller } from '../../src/forge/credentials.ts';
import type { Forge } from '../../src/forge/forge.ts';
import { createGiteaForge } from '../../src/forge/gitea/gitea-forge.ts';
import { createGithubForge } from '../../src/forge/github/github-forge.ts';
import { createLocalForge } from '../../src/forge/local/local-forge.ts';
import type { Mishap } from '../support/doubles/faults.ts';
import type { ForgeDouble } from '../support/doubles/forge-double.ts';
import { ada, type HostedKind, hostedKinds, startHostedDouble } from '../support/doubles/hosted-app.ts';
import { scriptForge } from './github/scripted-forge.ts';

const anonymous: Caller = { kind: 'anonymous' };
const service: Caller = { kind: 'service' };
const withToken = (token: string): Caller => ({ kind: 'user', credentials: { kind: 'token', token } });
const adaCaller = withToken(ada.token);

const soon = () => AbortSignal.timeout(20_000);

interface Scene extends AsyncDisposable {
  readonly double: ForgeDouble;
  readonly forge: Forge;
  readonly warnings: object[];
  /** The names in their order, undefined where they can't be told. */
  names(owner: string, caller: Caller): Promise<string[] | undefined>;
  /** `acme/r0`, `acme/r1` and so on. */
  addRepositories(count: number): Promise<void>;
}

/** A forge with ada and acme, sam who is no member, and an adapter with ada's token, or none, which knows both owners. */
async function start(kind: HostedKind, { hasToken = true } = {}): Promise<Scene> {
  const double = await startHostedDouble(kind);
  double.addUser({ name: 'sam' });
  const warnings: object[] = [];
  const options = {
    url: double.url,
    token: hasToken ? ada.token : undefined,
    visibility: 'private',
    userAgent: 'modforge-test',
    timeoutMs: 10_000,
    log: { warn: (facts: object) => warnings.push(facts) },
  } as const;
  const forge = kind === 'gitea' ? createGiteaForge(options) : createGithubForge(options);
  await forge.describe(['acme', 'ada'], soon());
  double.forgetRequests();
  return {
    double,
    forge,
    warnings,
    async names(owner, caller) {
      const names = await forge.repositoryNames(owner, caller, soon());
      return names && [...names].sort();
    },
    async addRepositories(count) {
      await Promise.all(
        Array.from({ length: count }, (_, i) =>
          double.addRepository({ owner: 'acme', name: `r${i}`, isPrivate: true }),
        ),
      );
    },
    [Symbol.asyncDispose]: () => double[Symbol.asyncDispose](),
  };
}

const json = (status: number, body: unknown, headers: Record<string, string> = {}): Mishap => ({
  status,
  headers: { 'Content-Type': 'application/json', ...headers },
  body: JSON.stringify(body),
});

const paths = ({ log }: ForgeDouble) => log.map(({ path }) => path);

for (const kind of hostedKinds) {
  describe(`the names of an owner's repositories at the ${kind} double`, () => {
    it('are those of an organisation, in lower case, private ones for those who may see them', async () => {
      await using scene = await start(kind);
      const { double, names } = scene;
      await double.addRepository({ owner: 'acme', name: 'Open' });
      await double.addRepository({ owner: 'acme', name: 'Secret', isPrivate: true });
      await double.addRepository({ owner: 'ada', name: 'hers' });
      assert.deepEqual(await names('acme', adaCaller), ['open', 'secret']);
      assert.deepEqual(await names('ACME', service), ['open', 'secret']);
      assert.deepEqual(await names('acme', anonymous), ['open']);
      assert.deepEqual(scene.warnings, []);
    });

    it('are those of a user, private ones for that user alone', async () => {
      await using scene = await start(kind);
      const { double, names } = scene;
      const sam = withToken(double.addToken({ user: 'sam' }));
      await double.addRepository({ owner: 'acme', name: 'lib' });
      await double.addRepository({ owner: 'ada', name: 'open' });
      await double.addRepository({ owner: 'ada', name: 'secret', isPrivate: true });
      assert.deepEqual(await names('ada', adaCaller), ['open', 'secret']);
      assert.deepEqual(await names('ada', service), ['open', 'secret']);
      assert.deepEqual(await names('ada', anonymous), ['open']);
      assert.equal(await names('ada', sam), undefined);
      await double.addRepository({ owner: 'sam', name: 'his', isPrivate: true });
      assert.equal(await names('ada', sam), undefined);
    });

    it('of an owner without repositories are none', async () => {
      await using scene = await start(kind);
      assert.deepEqual(await scene.names('acme', adaCaller), []);
      assert.deepEqual(await scene.names('acme', anonymous), []);
    });

    it(`are told for 100 repositories, by ${kind === 'gitea' ? 'two calls' : 'one call'}, and not for 101`, async () => {
      await using scene = await start(kind);
      const { double, names } = scene;
      await scene.addRepositories(100);
      assert.equal((await names('acme', adaCaller))?.length, 100);
      const calls = double.countRequests().rest;
      assert.equal(calls, kind === 'gitea' ? 2 : 1);
      await double.addRepository({ owner: 'acme', name: 'one-more' });
      double.forgetRequests();
      assert.equal(await names('acme', adaCaller), undefined);
      assert.equal(double.countRequests().rest, calls);
    });

    const mishaps: [string, Mishap][] = [
      ['an outage', { status: 502, body: 'bad gateway' }],
      ['an error of the forge', json(500, { message: 'oops' })],
      ['a no', json(403, { message: 'no' })],
      ['a throttle', json(429, { message: 'slow down' }, { 'Retry-After': '60' })],
      ['an absence', json(404, { message: 'Not Found' })],
      ['a page', { status: 200, headers: { 'Content-Type': 'text/html' }, body: '<html></html>' }],
      ['nonsense', json(200, [{ name: 'lib' }])],
      ["somebody else's repositories", json(200, [{ full_name: 'other/lib' }])],
      ['a connection that is cut', 'cut'],
    ];
    for (const [name, mishap] of mishaps) {
      it(`can't be told after ${name}, which is asked for once and is no error`, async () => {
        await using scene = await start(kind);
        scene.double.addFault({ number: 1, when: 'before', mishap });
        assert.equal(await scene.names('acme', adaCaller), undefined);
        assert.equal(scene.double.log.length, 1);
        assert.deepEqual(await scene.names('acme', adaCaller), []);
      });
    }

    it("can't be told to wrong credentials", async () => {
      await using scene = await start(kind);
      assert.equal(await scene.names('acme', withToken('no-such-token')), undefined);
      assert.deepEqual(scene.warnings, []);
    });

    it('are given up after a while, and at once by a caller who goes away', async () => {
      await using scene = await start(kind);
      for (const number of [1, 2]) scene.double.addFault({ number, when: 'before', mishap: 'hang' });
      const started = performance.now();
      assert.equal(await scene.names('acme', adaCaller), undefined);
      assert.ok(performance.now() - started < 9_000);
      const gone = AbortSignal.timeout(50);
      await assert.rejects(scene.forge.repositoryNames('acme', adaCaller, gone), { name: 'TimeoutError' });
      assert.equal(scene.warnings.length, 1);
    });
  });
}

describe("the names of an owner's repositories at the github double", () => {
  it('cost callers without credentials none of their few calls', async () => {
    await using scene = await start('github');
    await scene.names('acme', anonymous);
    assert.deepEqual(
      scene.double.log.map(({ scheme }) => scheme),
      ['token'],
    );
    await using without = await scriptForge();
    const forge = createGithubForge(without.options());
    for (const caller of [anonymous, service]) {
      assert.equal(await forge.repositoryNames('acme', caller, soon()), undefined);
    }
    assert.deepEqual(without.asked, []);
  });

  it("can't be told to a GitHub App's tokens", async () => {
    await using scene = await start('github');
    for (const token of ['ghs_installation', 'ghu_user']) {
      assert.equal(await scene.names('acme', withToken(token)), undefined);
    }
    assert.deepEqual(paths(scene.double), []);
  });

  it('are told to a fine-grained token for some of them', async () => {
    await using scene = await start('github');
    const { double } = scene;
    await double.addRepository({ owner: 'acme', name: 'open' });
    for (const name of ['chosen', 'other']) await double.addRepository({ owner: 'acme', name, isPrivate: true });
    const fineGrained = { owner: 'acme', repositories: ['chosen'], permissions: { contents: 'read' } } as const;
    const token = double.addToken({ user: ada.name, fineGrained });
    assert.deepEqual(await scene.names('acme', withToken(token)), ['chosen', 'open']);
  });
});

describe("the names of an owner's repositories at the gitea double", () => {
  it('need no token of the service for what anyone sees', async () => {
    await using scene = await start('gitea', { hasToken: false });
    await scene.double.addRepository({ owner: 'acme', name: 'open' });
    assert.deepEqual(await scene.names('acme', anonymous), ['open']);
  });

  it("can't be told to those from whom some are hidden", async () => {
    await using scene = await start('gitea');
    const sam = withToken(scene.double.addToken({ user: 'sam' }));
    await scene.double.addRepository({ owner: 'acme', name: 'open' });
    assert.deepEqual(await scene.names('acme', sam), ['open']);
    await scene.double.addRepository({ owner: 'acme', name: 'secret', isPrivate: true });
    assert.equal(await scene.names('acme', sam), undefined);
  });

  it("can't be told to a token without the scope, nor of a limited organisation to anyone", async () => {
    await using scene = await start('gitea');
    const token = scene.double.addToken({ user: ada.name, scopes: ['read:repository'] });
    assert.equal(await scene.names('acme', withToken(token)), undefined);
    scene.double.setVisibility('acme', 'limited');
    assert.equal(await scene.names('acme', anonymous), undefined);
    assert.deepEqual(scene.warnings, []);
  });

  it("can't be told where one was deleted between two pages", async () => {
    await using scene = await start('gitea');
    await scene.addRepositories(60);
    const mishap = () => scene.double.deleteRepository('acme/r0');
    scene.double.addFault({ number: 2, kind: 'rest', when: 'before', mishap });
    assert.equal(await scene.names('acme', adaCaller), undefined);
    assert.equal((await scene.names('acme', adaCaller))?.length, 59);
  });
});

it('a forge in a folder is asked for each repository: nothing costs less', async () => {
  const fs = createFsFromVolume(new Volume());
  const log = { warn() {} };
  const forge = createLocalForge({ fs, directory: '/', users: new Map(), visibility: 'public', log });
  assert.equal(await forge.repositoryNames('acme', anonymous, soon()), undefined);
});
