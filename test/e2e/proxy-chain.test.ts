/**
 * modforge first, another proxy behind it, as GOPROXY=ours,theirs has it: only what is not ours may be asked of them. An outage
 * that looked like an absence would let the other proxy answer for our modules.
 */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { startAppUnderTest } from '../support/app-under-test.ts';
import { createGo } from '../support/go-command.ts';
import { listenOnLoopback } from '../support/listen-on-loopback.ts';
import { moduleZip } from '../support/module-zip.ts';
import { publishModule } from '../support/publish.ts';
import { skipWithout } from '../support/skip-without.ts';
import { makeTemporaryFolder } from '../support/temporary-folder.ts';
import { startTestApp } from '../support/test-app.ts';

interface OtherProxy extends AsyncDisposable {
  readonly url: string;
  /** Paths that were asked for. */
  readonly asked: string[];
}

/** A proxy that has one version of one module. */
async function startOtherProxy(module: string, version: string): Promise<OtherProxy> {
  const files = new Map<string, string | Buffer>([
    [`/${module}/@v/list`, `${version}\n`],
    [`/${module}/@v/${version}.info`, JSON.stringify({ Version: version })],
    [`/${module}/@v/${version}.mod`, `module ${module}\n`],
    [`/${module}/@v/${version}.zip`, await moduleZip(module, version, { 'other.go': 'package other\n' })],
  ]);
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const file = files.get(request.url ?? '');
    response.statusCode = file === undefined ? 404 : 200;
    response.end(file);
  });
  return { ...(await listenOnLoopback(server)), asked };
}

describe('another proxy behind modforge', { skip: skipWithout('go') }, () => {
  it('is asked for a module that modforge does not have', async () => {
    await using app = await startAppUnderTest();
    await using other = await startOtherProxy('example.org/theirs', 'v1.0.0');
    await using go = await createGo({ proxy: `${app.proxyUrl},${other.url}` });
    await publishModule(app, 'example.com/ours', 'v1.0.0');
    await go.output('mod', 'init', 'example.com/user');

    await go.output('get', 'example.com/ours@latest', 'example.org/theirs@latest');
    const needed = await go.output('list', '-m', 'all');
    assert.equal(needed, 'example.com/user\nexample.com/ours v1.0.0\nexample.org/theirs v1.0.0\n');
  });

  it('is asked for a version that modforge does not have', async () => {
    await using app = await startAppUnderTest();
    await using other = await startOtherProxy('example.com/lib', 'v1.1.0');
    await using go = await createGo({ proxy: `${app.proxyUrl},${other.url}` });
    await publishModule(app, 'example.com/lib', 'v1.0.0');

    await go.output('mod', 'download', 'example.com/lib@v1.1.0');
  });

  it('is never asked where modforge wants credentials', async () => {
    await using app = await startAppUnderTest({ MODFORGE_ANONYMOUS_READ: 'none' });
    await using other = await startOtherProxy('example.com/lib', 'v1.0.0');
    await using go = await createGo({ proxy: `${app.proxyUrl},${other.url}` });
    await publishModule(app, 'example.com/lib', 'v1.0.0');

    const said = await go.failure('mod', 'download', 'example.com/lib@v1.0.0');
    assert.match(said, /401 Unauthorized\n\tserver response: reading needs credentials/);
    assert.deepEqual(other.asked, []);
  });

  it('is never asked where the path is only ever ours and reading it needs credentials', async () => {
    await using app = await startAppUnderTest({
      MODFORGE_ANONYMOUS_READ: 'public',
      MODFORGE_PRIVATE: '*.acme.dev,acme.dev',
    });
    await using other = await startOtherProxy('acme.dev/secret', 'v9.0.0');
    await using go = await createGo({ proxy: `${app.proxyUrl},${other.url}` });

    const said = await go.failure('mod', 'download', 'acme.dev/secret@v9.0.0');
    assert.match(said, /401 Unauthorized\n\tserver response: no such module, or credentials are needed/);
    assert.deepEqual(other.asked, []);
  });

  it('is never asked where the store of a module fails', async () => {
    await using data = await makeTemporaryFolder();
    await using app = await startTestApp({ MODFORGE_FORGE: 'local', MODFORGE_DATA: data.path });
    await using other = await startOtherProxy('example.com/lib', 'v1.0.0');
    await using go = await createGo({ proxy: `${app.proxyUrl},${other.url}` });
    await publishModule(app, 'example.com/lib', 'v1.0.0');
    await app.settled();
    await writeFile(join(data.path, 'acme/example.com__lib.git/refs/tags/v1.0.0'), 'what a full disk leaves');

    for (const version of ['v1.0.0', 'v1.9.9', 'latest']) {
      const said = await go.failure('mod', 'download', `example.com/lib@${version}`);
      assert.match(said, /503 Service Unavailable/);
    }
    assert.deepEqual(other.asked, []);
  });

  it('is never asked where the repository of a module is one that can not be read', async () => {
    await using data = await makeTemporaryFolder();
    await using app = await startTestApp({ MODFORGE_FORGE: 'local', MODFORGE_DATA: data.path });
    await using other = await startOtherProxy('example.com/lib', 'v1.0.0');
    await using go = await createGo({ proxy: `${app.proxyUrl},${other.url}` });
    await mkdir(join(data.path, 'acme/example.com__lib.git/HEAD'), { recursive: true });

    const said = await go.failure('mod', 'download', 'example.com/lib@v1.0.0');
    assert.match(said, /503 Service Unavailable/);
    assert.deepEqual(other.asked, []);
  });
});
