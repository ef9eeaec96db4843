/** Modules named by a host of ours, found by the real `go` through `?go-get=1`: its user sets GOPRIVATE and nothing else. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startAppUnderTest } from '../support/app-under-test.ts';
import { type ConnectProxy, startConnectProxy } from '../support/connect-proxy.ts';
import { createGo, downloadModules, type Go } from '../support/go-command.ts';
import { moduleZip } from '../support/module-zip.ts';
import { publishModule } from '../support/publish.ts';
import { outputOf } from '../support/run-command.ts';
import { skipWithout } from '../support/skip-without.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';
import { publisher, type TestApp } from '../support/test-app.ts';
import { makeCertificates, type TestCertificates } from '../support/test-certificates.ts';

// Elsewhere than on Linux, go looks for certificates where the system keeps them and not at SSL_CERT_FILE.
const skip = process.platform === 'linux' ? skipWithout('go', 'openssl', 'curl') : 'SSL_CERT_FILE works on Linux only';

const libFiles = { 'lib.go': 'package lib\n', 'deep/er/x.go': 'package er\n', 'c++/x.go': 'package c\n' };

const modules: readonly (readonly [module: string, version: string, files: Record<string, string>])[] = [
  ['go.acme.dev/lib', 'v1.0.0', libFiles],
  ['go.acme.dev/lib', 'v1.1.0', libFiles],
  ['go.acme.dev/lib/v2', 'v2.0.0', { 'lib.go': 'package lib\n' }],
  ['go.acme.dev/lib/sub', 'v0.1.0', { 'sub.go': 'package sub\n' }],
];

const vanity = { MODFORGE_PATHS: 'go.acme.dev/{repo}=acme/{repo}' };

/** What a user sets, over what the tests set for all: a GOPROXY and a checksum database that must not be asked. */
const user = { GOPRIVATE: 'go.acme.dev', GONOSUMDB: '' };
const unusedProxy = 'https://unused.example';

describe('a vanity path over HTTPS', { skip }, () => {
  let folder: TemporaryFolder;
  let certificates: TestCertificates;

  before(async () => {
    folder = await makeTemporaryFolder();
    certificates = await makeCertificates(folder.path, 'go.acme.dev', 'modules.acme.dev');
  });
  after(() => folder[Symbol.asyncDispose]());

  const startApp = (env: Record<string, string> = {}): Promise<TestApp> =>
    startAppUnderTest({ MODFORGE_TLS_CERT: certificates.cert, MODFORGE_TLS_KEY: certificates.key, ...vanity, ...env });

  const startProxy = (app: TestApp): Promise<ConnectProxy> => startConnectProxy(Number(new URL(app.url).port));

  const createUsersGo = (proxy: ConnectProxy): Promise<Go> =>
    createGo({ proxy: unusedProxy, env: { ...user, HTTPS_PROXY: proxy.url, SSL_CERT_FILE: certificates.ca } });

  /** Publishes the modules; gives their `h1:`. */
  async function publishAll(app: TestApp): Promise<string[]> {
    const zip = join(folder.path, 'module.zip');
    const credentials = `${publisher.name}:${publisher.password}`;
    const sums: string[] = [];
    for (const module of modules) {
      await writeFile(zip, await moduleZip(...module));
      const args = ['-fsS', '--cacert', certificates.ca, '-u', credentials, '-T', zip, `${app.proxyUrl}/upload`];
      sums.push((await outputOf('curl', args)).split('\n')[1] ?? '');
    }
    return sums;
  }

  const download = async (go: Go): Promise<(string | undefined)[]> => {
    const wanted = modules.map(([module, version]) => `${module}@${version}`);
    return (await downloadModules(go, wanted)).map(module => module.Sum ?? module.Error);
  };

  it('go downloads modules, their major versions and sub-directories, and asks nobody else', async () => {
    await using app = await startApp();
    const sums = await publishAll(app);
    await using proxy = await startProxy(app);
    await using go = await createUsersGo(proxy);
    assert.deepEqual(await download(go), sums);
    assert.deepEqual([...new Set(proxy.targets)], ['go.acme.dev:443']);
  });

  it('go lists versions, and finds the modules of packages', async () => {
    await using app = await startApp();
    await publishAll(app);
    await using proxy = await startProxy(app);
    await using go = await createUsersGo(proxy);
    await go.write({ 'go.mod': 'module example.com/user\n' });
    assert.equal(await go.output('list', '-m', '-versions', 'go.acme.dev/lib'), 'go.acme.dev/lib v1.0.0 v1.1.0\n');
    const packages = ['go.acme.dev/lib/deep/er', 'go.acme.dev/lib/c++', 'go.acme.dev/lib/v2', 'go.acme.dev/lib/sub'];
    await go.output('get', ...packages);
    const inModules = await go.output(
      'list',
      '-f',
      '{{.ImportPath}} {{.Module.Path}} {{.Module.Version}}',
      ...packages,
    );
    assert.deepEqual(inModules.trim().split('\n'), [
      'go.acme.dev/lib/deep/er go.acme.dev/lib v1.1.0',
      'go.acme.dev/lib/c++ go.acme.dev/lib v1.1.0',
      'go.acme.dev/lib/v2 go.acme.dev/lib/v2 v2.0.0',
      'go.acme.dev/lib/sub go.acme.dev/lib/sub v0.1.0',
    ]);
    assert.deepEqual([...new Set(proxy.targets)], ['go.acme.dev:443']);
  });

  it('go is led to the service where that has another name', async () => {
    await using app = await startApp({ MODFORGE_PUBLIC_URL: 'https://modules.acme.dev' });
    const sums = await publishAll(app);
    await using proxy = await startProxy(app);
    await using go = await createUsersGo(proxy);
    assert.deepEqual(await download(go), sums);
    assert.deepEqual([...new Set(proxy.targets)].sort(), ['go.acme.dev:443', 'modules.acme.dev:443']);
  });

  it('where reading needs credentials, go sends those that .netrc has for the host', async () => {
    await using app = await startApp({ MODFORGE_ANONYMOUS_READ: 'none' });
    const sums = await publishAll(app);
    await using proxy = await startProxy(app);
    await using go = await createUsersGo(proxy);
    const { name, password } = publisher;
    await writeFile(join(go.home, '.netrc'), `machine go.acme.dev login ${name} password ${password}\n`);
    assert.deepEqual(await download(go), sums);
  });

  it('where reading needs credentials, go without any is told so', async () => {
    await using app = await startApp({ MODFORGE_ANONYMOUS_READ: 'none' });
    await using proxy = await startProxy(app);
    await using go = await createUsersGo(proxy);
    const said = await go.failure('mod', 'download', 'go.acme.dev/lib@v1.0.0');
    assert.match(said, /401 Unauthorized\n\tserver response: reading needs credentials/);
  });
});

describe('a vanity path over plain HTTP', { skip }, () => {
  it('go downloads modules with GOINSECURE', async () => {
    await using app = await startAppUnderTest(vanity);
    const sum = await publishModule(app, 'go.acme.dev/lib/v2', 'v2.0.0');
    // modforge is its own proxy here: it takes plain requests for any host, and no CONNECT, so that HTTPS fails at once.
    const proxies = { HTTP_PROXY: app.url, HTTPS_PROXY: app.url };
    await using go = await createGo({ proxy: unusedProxy, env: { ...user, ...proxies, GOINSECURE: 'go.acme.dev' } });
    const [module] = await downloadModules(go, ['go.acme.dev/lib/v2@v2.0.0']);
    assert.equal(module?.Sum, sum);
  });

  it('go refuses it without', async () => {
    await using app = await startAppUnderTest(vanity);
    const proxies = { HTTP_PROXY: app.url, HTTPS_PROXY: app.url };
    await using go = await createGo({ proxy: unusedProxy, env: { ...user, ...proxies } });
    const said = await go.failure('mod', 'download', 'go.acme.dev/lib/v2@v2.0.0');
    assert.match(said, /unrecognized import path "go\.acme\.dev\/lib\/v2": https fetch/);
  });
});
