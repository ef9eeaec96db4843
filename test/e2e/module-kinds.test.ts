/** Every kind of module path and version that Go knows, published and then fetched by the real `go`. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hashGoMod } from '../../src/gomod/h1.ts';
import { startAppUnderTest } from '../support/app-under-test.ts';
import { createGo, downloadModules } from '../support/go-command.ts';
import { publishModule } from '../support/publish.ts';
import { skipWithout } from '../support/skip-without.ts';

const skip = skipWithout('go');

interface Case {
  readonly kind: string;
  /** Published in this order; of one owner. */
  readonly modules: readonly (readonly [module: string, version: string])[];
  readonly goMod?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

const inOneRepository = { MODFORGE_PATHS: 'git.acme.dev/{repo}=acme/{repo}' };

const cases: readonly Case[] = [
  {
    kind: 'upper case in the path, and a path that differs in case alone',
    modules: [
      ['example.com/Team/SDK', 'v1.0.0'],
      ['example.com/team/sdk', 'v1.0.0'],
    ],
  },
  { kind: 'upper case in the version', modules: [['example.com/lib', 'v1.0.0-RC1']] },
  {
    kind: '/v2 and /v3 beside v1, in the same repository',
    modules: [
      ['example.com/lib', 'v1.5.0'],
      ['example.com/lib/v2', 'v2.0.0'],
      ['example.com/lib/v3', 'v3.1.0'],
    ],
  },
  {
    kind: 'nested, each in a repository of its own',
    modules: [
      ['example.com/a', 'v1.0.0'],
      ['example.com/a/sub', 'v1.0.0'],
      ['example.com/a/sub/v2', 'v2.0.0'],
    ],
  },
  {
    kind: 'nested, all in one repository by a rule',
    env: inOneRepository,
    modules: [
      ['git.acme.dev/tools', 'v1.0.0'],
      ['git.acme.dev/tools/sub/dir', 'v1.0.0'],
      ['git.acme.dev/tools/sub/dir/v2', 'v2.0.0'],
    ],
  },
  {
    kind: 'a sub-directory whose root is no module',
    env: inOneRepository,
    modules: [['git.acme.dev/mono/service', 'v0.1.0']],
  },
  {
    kind: 'gopkg.in style',
    modules: [
      ['gopkg.in/thing.v1', 'v1.0.0'],
      ['gopkg.in/thing.v2', 'v2.3.0'],
      ['gopkg.in/team/Thing.v3', 'v3.0.0-20240102030405-abcdefabcdef'],
    ],
  },
  { kind: 'without a go.mod', goMod: false, modules: [['example.com/before-modules', 'v1.0.0']] },
  {
    kind: '+incompatible',
    goMod: false,
    modules: [
      ['example.com/before-modules', 'v2.0.0+incompatible'],
      ['example.com/before-modules', 'v3.0.0-beta+incompatible'],
    ],
  },
  {
    kind: 'pseudo-versions of all three forms',
    modules: [
      ['example.com/lib', 'v0.0.0-20240102030405-abcdefabcdef'],
      ['example.com/lib', 'v1.2.4-0.20240102030405-abcdefabcdef'],
      ['example.com/lib', 'v1.3.0-rc.1.0.20240102030405-abcdefabcdef'],
    ],
  },
  {
    kind: 'characters that need care: dashes, dots, tildes, underscores',
    modules: [
      ['example.com/a__b/c_d', 'v1.0.0'],
      ['example.com/a/b/c~d-e.f', 'v1.0.0-a.b-c.0'],
    ],
  },
];

describe('a module of every kind comes back as it was published', { skip }, () => {
  for (const { kind, modules, goMod = true, env } of cases) {
    it(kind, async () => {
      await using app = await startAppUnderTest(env);
      await using go = await createGo({ proxy: app.proxyUrl });
      const published: string[] = [];
      for (const [module, version] of modules) {
        const files = { 'which.txt': `${module} ${version}` };
        published.push(await publishModule(app, module, version, files, { goMod }));
      }

      const downloaded = await downloadModules(
        go,
        modules.map(([module, version]) => `${module}@${version}`),
      );
      const expected = modules.map(([Path, Version], i) => {
        return { Path, Version, Sum: published[i], GoModSum: hashGoMod(Buffer.from(`module ${Path}\n`)) };
      });
      assert.deepEqual(
        downloaded.map(
          ({ Error: failure, Path, Version, Sum, GoModSum }) => failure ?? { Path, Version, Sum, GoModSum },
        ),
        expected,
      );
    });
  }
});

describe('go finds the module and the version', { skip }, () => {
  it('of a package in a deep folder, among modules above and beside it', async () => {
    await using app = await startAppUnderTest();
    await using go = await createGo({ proxy: app.proxyUrl });
    await publishModule(app, 'example.com/team', 'v1.0.0');
    await publishModule(app, 'example.com/team/lib', 'v1.1.0', { 'a/b/c/c.go': 'package c\n' });
    await publishModule(app, 'example.com/team/lib/a/x', 'v1.2.0');
    await go.write({
      'go.mod': 'module example.com/user\n\ngo 1.21\n',
      'user.go': 'package user\n\nimport _ "example.com/team/lib/a/b/c"\n',
    });

    await go.output('mod', 'tidy');
    assert.equal(await go.output('list', '-m', 'all'), 'example.com/user\nexample.com/team/lib v1.1.0\n');
  });

  for (const [which, versions, expected] of [
    ['the highest release, though a pre-release is higher', ['v1.0.0', 'v1.1.0-rc.1'], 'v1.0.0'],
    ['the highest pre-release, where nothing is released', ['v0.1.0-alpha', 'v0.1.0-beta'], 'v0.1.0-beta'],
    [
      'the highest pseudo-version, where there is nothing else',
      ['v0.0.0-20240102030405-abcdefabcdef', 'v0.0.0-20230102030405-abcdefabcdef'],
      'v0.0.0-20240102030405-abcdefabcdef',
    ],
  ] as const) {
    it(`@latest is ${which}`, async () => {
      await using app = await startAppUnderTest();
      await using go = await createGo({ proxy: app.proxyUrl });
      for (const version of versions) await publishModule(app, 'example.com/lib', version);
      assert.equal(await go.output('list', '-m', 'example.com/lib@latest'), `example.com/lib ${expected}\n`);
    });
  }

  it('a pseudo-version is in no list, and its time is the one in its name', async () => {
    await using app = await startAppUnderTest();
    await using go = await createGo({ proxy: app.proxyUrl });
    const version = 'v1.2.4-0.20240102030405-abcdefabcdef';
    await publishModule(app, 'example.com/lib', 'v1.2.3');
    await publishModule(app, 'example.com/lib', version);

    const at = ['list', '-m', '-f', '{{.Version}} {{.Time.Unix}}', `example.com/lib@${version}`];
    assert.equal(await go.output(...at), `${version} ${Date.UTC(2024, 0, 2, 3, 4, 5) / 1000}\n`);
    assert.equal(await go.output('list', '-m', '-versions', 'example.com/lib@v1.2.3'), 'example.com/lib v1.2.3\n');
  });
});
