/** What people do every day, with the real `go`: publish, install, ask for versions, upgrade, check sums. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { hashGoMod } from '../../src/gomod/h1.ts';
import { startAppUnderTest } from '../support/app-under-test.ts';
import { createGo, downloadModules, type Go, parseJsonStream } from '../support/go-command.ts';
import { moduleZip } from '../support/module-zip.ts';
import { publish, publishModule } from '../support/publish.ts';
import { outputOf } from '../support/run-command.ts';
import { skipWithout } from '../support/skip-without.ts';
import { publisher, type TestApp } from '../support/test-app.ts';

const skip = skipWithout('go');

describe('publish and install', { skip }, () => {
  it('a program that needs another published module is installed by @latest and runs', async () => {
    await using app = await startAppUnderTest();
    await using go = await createGo({ proxy: app.proxyUrl });
    await publishModule(app, 'example.com/greeting', 'v1.2.0', {
      'greeting.go': 'package greeting\n\nconst Text = "hello from v1.2.0"\n',
      'lib.go': 'package greeting\n',
    });
    await publishModule(app, 'example.com/tool', 'v1.0.0', {
      'go.mod': 'module example.com/tool\n\ngo 1.21\n\nrequire example.com/greeting v1.2.0\n',
      'lib.go':
        'package main\n\nimport (\n\t"fmt"\n\n\t"example.com/greeting"\n)\n\nfunc main() { fmt.Println(greeting.Text) }\n',
    });

    await go.output('install', 'example.com/tool@latest');
    assert.equal(await outputOf(join(go.bin, 'tool'), []), 'hello from v1.2.0\n');
  });

  it('a zip of two megabytes that curl uploads is installed', { skip: skipWithout('curl') }, async () => {
    await using app = await startAppUnderTest();
    await using go = await createGo({ proxy: app.proxyUrl });
    const zip = await moduleZip('example.com/large', 'v1.0.0', { 'noise.bin': randomBytes(2 ** 21) });
    const file = join(go.home, 'large.zip');
    await writeFile(file, zip);

    const user = `${publisher.name}:${publisher.password}`;
    const said = await outputOf('curl', ['-fsS', '-u', user, '-T', file, `${app.proxyUrl}/upload`]);
    const [module] = await downloadModules(go, ['example.com/large@v1.0.0']);
    assert.equal(module?.Sum, said.split('\n')[1]);
  });

  it('the sums that go computes are those that the publisher was told, and go mod verify agrees', async () => {
    await using app = await startAppUnderTest();
    await using go = await createGo({ proxy: app.proxyUrl });
    const goMod = 'module example.com/lib\n\ngo 1.21\n';
    const h1 = await publishModule(app, 'example.com/lib', 'v1.0.0', {
      'go.mod': goMod,
      'data/bytes.bin': Buffer.from([0, 255, 13, 10, 13]),
      'crlf.txt': 'one\r\ntwo\r\n',
    });

    const [module] = await downloadModules(go, ['example.com/lib@v1.0.0']);
    assert.equal(module?.Sum, h1);
    assert.equal(module.GoModSum, hashGoMod(Buffer.from(goMod)));

    await go.output('mod', 'init', 'example.com/user');
    await go.output('get', 'example.com/lib@v1.0.0');
    assert.match(await go.output('mod', 'verify'), /all modules verified/);
  });

  it('a version that was published a moment ago is there for go, and so is the next', async () => {
    await using app = await startAppUnderTest();
    await using go = await createGo({ proxy: app.proxyUrl });
    for (const version of ['v1.0.0', 'v1.0.1', 'v1.0.2']) {
      await publishModule(app, 'example.com/lib', version);
      assert.equal((await go.output('list', '-m', '-f', '{{.Version}}', 'example.com/lib@latest')).trim(), version);
    }
  });
});

describe('versions of a module', { skip }, () => {
  const versions = ['v1.0.0', 'v1.1.0', 'v1.2.0', 'v1.2.3', 'v1.3.0', 'v1.4.0-rc.1'];
  let app: TestApp;
  before(async () => {
    app = await startAppUnderTest();
    for (const version of versions.toReversed()) await publishModule(app, 'example.com/lib', version);
  });
  after(() => app[Symbol.asyncDispose]());

  /** A main module that needs example.com/lib v1.2.0. */
  async function createUser(): Promise<Go> {
    const go = await createGo({ proxy: app.proxyUrl });
    await go.write({
      'go.mod': 'module example.com/user\n\ngo 1.21\n\nrequire example.com/lib v1.2.0\n',
      'user.go': 'package user\n\nimport _ "example.com/lib"\n',
    });
    return go;
  }

  for (const [query, expected] of [
    ['v1.2', 'v1.2.3'],
    ['v1', 'v1.3.0'],
    ['upgrade', 'v1.3.0'],
    ['patch', 'v1.2.3'],
    ['latest', 'v1.3.0'],
    ['<v1.2.0', 'v1.1.0'],
    ['>v1.2.0', 'v1.2.3'],
    ['v1.0.0', 'v1.0.0'],
    ['v1.4.0-rc.1', 'v1.4.0-rc.1'],
  ] as const) {
    it(`go get @${query} takes ${expected}`, async () => {
      await using go = await createUser();
      await go.output('get', `example.com/lib@${query}`);
      assert.equal(await go.output('list', '-m', 'example.com/lib'), `example.com/lib ${expected}\n`);
    });
  }

  it('go shows what modforge says of a version that is missing', async () => {
    await using go = await createUser();
    const said = await go.failure('get', 'example.com/lib@v1.9.9');
    assert.match(
      said,
      /404 Not Found\n\tserver response: example\.com\/lib@v1\.9\.9: invalid version: unknown revision/,
    );
  });

  it('go list -m -versions lists them in order, with pre-releases', async () => {
    await using go = await createUser();
    const listed = await go.output('list', '-m', '-versions', 'example.com/lib');
    assert.equal(listed, `example.com/lib ${versions.join(' ')}\n`);
  });

  it('go list -m -json tells the tag and the commit that a version comes from', async () => {
    await using go = await createUser();
    const told = await go.output('list', '-m', '-json', 'example.com/lib@v1.2.3');
    const [module] = parseJsonStream<{ Time: string; Origin: { VCS: string; Ref: string; Hash: string } }>(told);
    assert.equal(module?.Origin.VCS, 'git');
    assert.equal(module.Origin.Ref, 'refs/tags/v1.2.3');
    assert.match(module.Origin.Hash, /^[0-9a-f]{40}$/);
    assert.ok(
      Math.abs(Date.now() - Date.parse(module.Time)) < 600_000,
      `Time is when it was published: ${module.Time}`,
    );
  });
});

describe('what a go.mod says of versions', { skip }, () => {
  it('go list -m -u -retracted shows a retracted version, a deprecated module and the update', async () => {
    await using app = await startAppUnderTest();
    await using go = await createGo({ proxy: app.proxyUrl });
    await publishModule(app, 'example.com/old', 'v1.0.0');
    await publishModule(app, 'example.com/old', 'v1.1.0', {
      'go.mod':
        '// Deprecated: use example.com/new\nmodule example.com/old\n\ngo 1.21\n\nretract v1.0.0 // loses data\n',
    });
    await go.write({ 'go.mod': 'module example.com/user\n\ngo 1.21\n\nrequire example.com/old v1.0.0\n' });

    const told = await go.output('list', '-m', '-u', '-retracted', '-json', 'example.com/old');
    type Told = { Retracted: string[]; Deprecated: string; Update: { Version: string } };
    const [module] = parseJsonStream<Told>(told);
    assert.deepEqual(module?.Retracted, ['loses data']);
    assert.equal(module.Deprecated, 'use example.com/new');
    assert.equal(module.Update.Version, 'v1.1.0');
  });

  it('@latest of a module whose highest version retracts itself is the one below', async () => {
    await using app = await startAppUnderTest();
    await using go = await createGo({ proxy: app.proxyUrl });
    await publishModule(app, 'example.com/lib', 'v1.0.0');
    await publish(
      app,
      await moduleZip('example.com/lib', 'v1.1.0', { 'go.mod': 'module example.com/lib\n\nretract v1.1.0\n' }),
    );
    assert.equal(await go.output('list', '-m', 'example.com/lib@latest'), 'example.com/lib v1.0.0\n');
  });
});
