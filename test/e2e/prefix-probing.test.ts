/** What it costs a forge that `go` asks for every prefix of every path: requests counted at its double. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ForgeDouble } from '../support/doubles/forge-double.ts';
import {
  ada,
  type HostedAppOptions,
  type HostedKind,
  hostedKinds,
  startHostedApp,
  startHostedDouble,
  uploadTo,
} from '../support/doubles/hosted-app.ts';
import { createGo } from '../support/go-command.ts';
import { moduleZip } from '../support/module-zip.ts';
import { skipWithout } from '../support/skip-without.ts';
import type { TestApp } from '../support/test-app.ts';

/** The host of the doubles' addresses, so that the paths below are the owner's by their name: row 2 of the mapping. */
const ownPath = '127.0.0.1/acme';

/** So many paths, each of a repository of its own that is not there, by both ways to map. */
const unknownPaths = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => (i % 2 === 0 ? `${ownPath}/none-${i}` : `example.com/none/${i}`));

/** What is said of a path in a repository that the caller can't see. */
const absenceOf = (path: string, authorization: string | undefined): number =>
  path.startsWith(ownPath) && authorization === undefined ? 401 : 404;

/** The status of a module's list. */
async function askFor(path: string, app: TestApp, authorization?: string): Promise<number> {
  const headers: Record<string, string> = authorization === undefined ? {} : { Authorization: authorization };
  const response = await fetch(`${app.proxyUrl}/${path}/@v/list`, { headers });
  await response.arrayBuffer();
  return response.status;
}

interface Scene extends AsyncDisposable {
  readonly double: ForgeDouble;
  readonly app: TestApp;
  ask(path: string, authorization?: string): Promise<number>;
  askAll(paths: readonly string[], authorization?: string): Promise<number[]>;
  publish(path: string, app?: TestApp): Promise<void>;
}

/** modforge before a double whose requests are counted from now on. */
async function start(
  kind: HostedKind,
  { repositories = 0, ...options }: Omit<HostedAppOptions, 'kind' | 'double'> & { repositories?: number } = {},
): Promise<Scene> {
  const double = await startHostedDouble(kind);
  const names = Array.from({ length: repositories }, (_, i) => `lib-${i}`);
  await Promise.all(names.map((name, i) => double.addRepository({ owner: 'acme', name, isPrivate: i % 2 === 0 })));
  const app = await startHostedApp({ kind, double, ...options });
  double.forgetRequests();
  const ask = (path: string, authorization?: string) => askFor(path, app, authorization);
  return {
    double,
    app,
    ask,
    askAll: (paths, authorization) => Promise.all(paths.map(path => ask(path, authorization))),
    async publish(path, from = app) {
      const response = await uploadTo(from, await moduleZip(path, 'v1.0.0', { 'c/d/d.go': 'package d\n' }));
      assert.equal(response.status, 201, await response.text());
      await from.settled();
    },
    async [Symbol.asyncDispose]() {
      await app[Symbol.asyncDispose]();
      await double[Symbol.asyncDispose]();
    },
  };
}

const shown = ({ log }: ForgeDouble): string =>
  log.map(({ method, path, status }) => `${method} ${path} ${status}`).join('\n');

for (const kind of hostedKinds) {
  describe(`asking for what is not there: the ${kind} double`, () => {
    it('go finds the module of a package, and its other prefixes cost two requests', {
      skip: skipWithout('go'),
    }, async () => {
      await using scene = await start(kind, { env: { MODFORGE_VISIBILITY: 'public' } });
      const { double } = scene;
      await scene.publish('example.com/a/b');
      await using app = await startHostedApp({ kind, double });
      await using go = await createGo({ proxy: app.proxyUrl });
      await go.output('mod', 'init', 'example.org/main');
      double.forgetRequests();
      await go.output('get', 'example.com/a/b/c/d');
      assert.match(await go.output('list', '-m', 'all'), /^example\.com\/a\/b v1\.0\.0$/m);
      const others = double.log.filter(({ path }) => !path.startsWith('/acme/example.com__a__b.git/'));
      assert.ok(others.length <= 2, shown(double));
    });

    it('a module and all prefixes of its packages are looked for once each, also when they are asked for again', async () => {
      await using scene = await start(kind);
      const { double } = scene;
      const elements = 'example.com/a/b/c/d/v2/e'.split('/');
      const prefixes = elements.map((_, i) => elements.slice(0, i + 1).join('/'));
      await scene.publish('example.com/a/b');
      double.forgetRequests();
      // Over https go repeats every 4xx.
      for (let times = 1; times <= 2; times++) {
        const statuses = await scene.askAll([...prefixes, ...prefixes], ada.basic);
        const expected = prefixes.map(prefix => (prefix === 'example.com/a/b' ? 200 : 404));
        assert.deepEqual(statuses, [...expected, ...expected]);
      }
      const looked = double.log.filter(({ kind }) => kind === 'git').map(({ path }) => path);
      assert.equal(new Set(looked).size, looked.length, shown(double));
      assert.ok(double.countRequests().rest <= 1, shown(double));
    });

    for (const [who, authorization] of [
      ['a member', ada.basic],
      ['somebody without credentials', undefined],
    ] as const) {
      it(`a burst of ${who} costs 3 requests at most`, async () => {
        await using scene = await start(kind, { repositories: 100 });
        const { double } = scene;
        const paths = unknownPaths(100);
        const expected = paths.map(path => absenceOf(path, authorization));
        assert.deepEqual(await scene.askAll(paths, authorization), expected);
        assert.ok(double.log.length <= 3, shown(double));
        assert.equal(double.countRequests().git, 1, shown(double));
        for (const [i, path] of paths.entries()) assert.equal(await scene.ask(path, authorization), expected[i]);
        assert.ok(double.log.length <= 3, shown(double));
      });
    }

    it('one after another they cost no more', async () => {
      await using scene = await start(kind, { repositories: 60 });
      for (const path of unknownPaths(100)) assert.equal(await scene.ask(path, ada.basic), 404);
      assert.ok(scene.double.log.length <= 3, shown(scene.double));
    });

    it('what is published meanwhile is found at once, by everyone who may read it', async () => {
      await using scene = await start(kind, { env: { MODFORGE_VISIBILITY: 'public' } });
      const paths = unknownPaths(20);
      const [own = '', other = ''] = paths.slice(8);
      for (const path of [own, other]) {
        await scene.askAll(paths, ada.basic);
        await scene.askAll(paths);
        await scene.publish(path);
        for (const authorization of [ada.basic, undefined]) {
          const statuses = await scene.askAll(paths, authorization);
          assert.equal(statuses[paths.indexOf(path)], 200, shown(scene.double));
        }
      }
      const known = (path: string) => [own, other].includes(path);
      const expected = paths.map(path => (known(path) ? 200 : absenceOf(path, undefined)));
      assert.deepEqual(await scene.askAll(paths), expected);
    });

    it('what is made beside modforge is found when the absence has had its time', async () => {
      await using scene = await start(kind, { refsTtlMs: 200 });
      await using other = await startHostedApp({ kind, double: scene.double });
      const paths = unknownPaths(20);
      const [made = ''] = paths.slice(9);
      assert.deepEqual(new Set(await scene.askAll(paths, ada.basic)), new Set([404]));
      await scene.publish(made, other);
      await sleep(450);
      const statuses = await scene.askAll(paths, ada.basic);
      assert.deepEqual(
        paths.filter((_, i) => statuses[i] === 200),
        [made],
      );
    });

    it('who may read a private repository finds it in a burst, and nobody else', async () => {
      await using scene = await start(kind);
      const { double } = scene;
      double.addUser({ name: 'rob' });
      double.addUser({ name: 'sam' });
      const [rob, sam] = ['rob', 'sam'].map(user => `token ${double.addToken({ user })}`);
      const modules = [`${ownPath}/secret`, 'example.com/secret'];
      for (const module of modules) await scene.publish(module);
      double.setRole('acme/secret', 'rob', 'read');
      await using app = await startHostedApp({ kind, double });
      const paths = [...unknownPaths(10), ...modules, ...unknownPaths(20).slice(10)];
      const found = async (authorization: string | undefined) => {
        assert.equal(await askFor('example.com/none', app, authorization), 404);
        const statuses = await Promise.all(paths.map(path => askFor(path, app, authorization)));
        for (const [i, status] of statuses.entries()) {
          if (status !== 200) assert.equal(status, absenceOf(paths[i] ?? '', authorization));
        }
        return paths.filter((_, i) => statuses[i] === 200);
      };
      assert.deepEqual(await found(ada.basic), modules);
      assert.deepEqual(await found(rob), [`${ownPath}/secret`]);
      assert.deepEqual(await found(sam), []);
      double.forgetRequests();
      assert.deepEqual(await found(undefined), []);
      // Nor does the time that it takes tell anything: nobody asked for these two.
      assert.deepEqual(
        double.log.filter(({ path }) => path.includes('secret')),
        [],
        shown(double),
      );
    });

    it('without a list every repository is looked for, and none is taken for absent', async () => {
      await using scene = await start(kind, { repositories: 4 });
      const { double } = scene;
      await scene.publish('example.com/there');
      await using app = await startHostedApp({ kind, double });
      const paths = [...unknownPaths(10), 'example.com/there'];
      double.forgetRequests();
      const mishap = { status: 403, headers: { 'Content-Type': 'application/json' }, body: '{"message":"no"}' };
      double.addFault({ number: 1, kind: 'rest', when: 'before', mishap });
      const statuses = await Promise.all(paths.map(path => askFor(path, app, ada.basic)));
      assert.deepEqual(statuses, [...Array(10).fill(404), 200]);
      assert.deepEqual(double.countRequests(), { git: 11, rest: 1 }, shown(double));
    });

    for (const [name, mishap] of [
      ['an error', { status: 500, body: 'oops' }],
      ['nothing', 'cut'],
      ['a throttle', { status: 429, headers: { 'Retry-After': '60' }, body: 'slow down' }],
      ['a page', { status: 200, headers: { 'Content-Type': 'text/html' }, body: '<html></html>' }],
    ] as const) {
      it(`a forge that answers everything with ${name} has no absences`, async () => {
        await using scene = await start(kind);
        const paths = unknownPaths(10);
        for (let number = 1; number <= 3 * paths.length; number++) {
          scene.double.addFault({ number, when: 'before', mishap });
        }
        assert.deepEqual(new Set(await scene.askAll(paths, ada.basic)), new Set([503]));
        assert.equal(scene.double.countRequests().rest, 1, shown(scene.double));
      });
    }

    it('wrong credentials are refused in a burst too', async () => {
      await using scene = await start(kind, { repositories: 1 });
      const wrong = `Basic ${btoa('ada:no-such-token')}`;
      assert.deepEqual(new Set(await scene.askAll(unknownPaths(10), wrong)), new Set([401]));
    });
  });
}
