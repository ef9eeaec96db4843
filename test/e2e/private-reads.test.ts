/** Modules that nobody reads without credentials, over HTTPS, since `go` sends credentials over nothing else. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startAppUnderTest } from '../support/app-under-test.ts';
import { createGo, downloadModules, type Go } from '../support/go-command.ts';
import { moduleZip } from '../support/module-zip.ts';
import { outputOf } from '../support/run-command.ts';
import { skipWithout } from '../support/skip-without.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';
import { publisher, type TestApp } from '../support/test-app.ts';
import { makeCertificates, type TestCertificates } from '../support/test-certificates.ts';

// Elsewhere than on Linux, go looks for certificates where the system keeps them and not at SSL_CERT_FILE.
const skip = process.platform === 'linux' ? skipWithout('go', 'openssl', 'curl') : 'SSL_CERT_FILE works on Linux only';

const secretModule = 'example.com/secret@v1.0.0';

describe('reading with credentials only', { skip }, () => {
  let folder: TemporaryFolder;
  let certificates: TestCertificates;
  let app: TestApp;
  let publishedSum: string | undefined;

  before(async () => {
    folder = await makeTemporaryFolder();
    certificates = await makeCertificates(folder.path);
    const { ca, cert, key } = certificates;
    app = await startAppUnderTest({
      MODFORGE_TLS_CERT: cert,
      MODFORGE_TLS_KEY: key,
      MODFORGE_ANONYMOUS_READ: 'none',
    });
    const zip = join(folder.path, 'module.zip');
    await writeFile(zip, await moduleZip('example.com/secret', 'v1.0.0', { 'secret.go': 'package secret\n' }));
    const user = `${publisher.name}:${publisher.password}`;
    const said = await outputOf('curl', ['-fsS', '--cacert', ca, '-u', user, '-T', zip, `${app.proxyUrl}/upload`]);
    publishedSum = said.split('\n')[1];
  });

  after(async () => {
    await app[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  const createPrivateGo = (credentials = ''): Promise<Go> =>
    createGo({
      proxy: app.proxyUrl.replace('://', `://${credentials}`),
      env: { SSL_CERT_FILE: certificates.ca },
    });

  /** A line of `.netrc`; the port belongs to the machine's name there, since it is not the default one. */
  const writeNetrc = (go: Go, login: string, password: string): Promise<void> =>
    writeFile(join(go.home, '.netrc'), `machine ${new URL(app.url).host} login ${login} password ${password}\n`);

  it('go installs with the credentials of .netrc', async () => {
    await using go = await createPrivateGo();
    await writeNetrc(go, publisher.name, publisher.password);
    const [module] = await downloadModules(go, [secretModule]);
    assert.equal(module?.Sum, publishedSum);
  });

  it('go installs with the credentials in the address of GOPROXY', async () => {
    await using go = await createPrivateGo(`${publisher.name}:${publisher.password}@`);
    const [module] = await downloadModules(go, [secretModule]);
    assert.equal(module?.Sum, publishedSum);
  });

  it('go installs with a token in the address of GOPROXY', async () => {
    await using go = await createPrivateGo(`${publisher.password}:@`);
    const [module] = await downloadModules(go, [secretModule]);
    assert.equal(module?.Sum, publishedSum);
  });

  it('without credentials go is told that they are needed', async () => {
    await using go = await createPrivateGo();
    const said = await go.failure('mod', 'download', secretModule);
    assert.match(said, /401 Unauthorized\n\tserver response: reading needs credentials/);
  });

  it('with a wrong password go is told so', async () => {
    await using go = await createPrivateGo(`${publisher.name}:guessed@`);
    const said = await go.failure('mod', 'download', secretModule);
    assert.match(
      said,
      /401 Unauthorized\n\tserver response: (no such user, or the password is wrong|the forge refuses these credentials)/,
    );
  });

  it('with a wrong password go is told the same of a module that does not exist', async () => {
    await using go = await createPrivateGo();
    await writeNetrc(go, publisher.name, 'guessed');
    const said = await go.failure('mod', 'download', 'example.com/nothing@v1.0.0');
    assert.match(
      said,
      /401 Unauthorized\n\tserver response: (no such user, or the password is wrong|the forge refuses these credentials)/,
    );
  });

  it('go refuses a server whose certificate it does not know', async () => {
    await using go = await createGo({ proxy: app.proxyUrl });
    assert.match(await go.failure('mod', 'download', secretModule), /certificate signed by unknown authority/);
  });
});
