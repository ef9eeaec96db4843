/**
 * Public modules, published as they are and fetched back by the real `go`: their sums must be the very ones that the public
 * checksum database gives. Whatever modforge did to a file, a name or a mode would show.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startAppUnderTest } from '../support/app-under-test.ts';
import { createGo, type DownloadedModule, downloadModules, parseJsonStream } from '../support/go-command.ts';
import { publish } from '../support/publish.ts';
import { runCommand } from '../support/run-command.ts';
import { skipWithout } from '../support/skip-without.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';
import type { TestApp } from '../support/test-app.ts';

interface RealModule {
  readonly path: string;
  readonly version: string;
  readonly sum: string;
  readonly goModSum: string;
  /** Why the module is here. */
  readonly reason: string;
}

const skip = skipWithout('go');
const fixtures = join(import.meta.dirname, '../fixtures');
const modules = parseTable(await readFile(join(fixtures, 'real-modules.txt'), 'utf8'));
const isStored = ({ reason }: RealModule): boolean => reason.endsWith('.zip');

function parseTable(text: string): RealModule[] {
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'));
  return lines.map(line => {
    const [path = '', version = '', sum = '', goModSum = '', ...reason] = line.split(/ +/);
    return { path, version, sum, goModSum, reason: reason.join(' ') };
  });
}

/** Publishes the zip, and fetches the module with a `go` that has never seen it. */
async function checkRoundTrip(app: TestApp, module: RealModule, zip: Buffer): Promise<void> {
  assert.equal(await publish(app, zip), module.sum);
  await using go = await createGo({ proxy: app.proxyUrl });
  const [downloaded] = await downloadModules(go, [`${module.path}@${module.version}`]);
  assert.equal(downloaded?.Error, undefined);
  assert.deepEqual([downloaded?.Sum, downloaded?.GoModSum], [module.sum, module.goModSum]);
}

describe('modules that are stored with the tests', { skip }, () => {
  for (const module of modules.filter(isStored)) {
    it(`${module.path} ${module.version} comes back with its public sums`, async () => {
      await using app = await startAppUnderTest();
      await checkRoundTrip(app, module, await readFile(join(fixtures, module.reason)));
    });
  }
});

describe('modules that are downloaded', { skip }, () => {
  let folder: TemporaryFolder;
  let app: TestApp;
  const downloads = new Map<string, DownloadedModule>();

  before(async () => {
    folder = await makeTemporaryFolder();
    app = await startAppUnderTest();
    for (const module of await downloadPublicly(folder, modules)) downloads.set(module.Path, module);
  });
  after(async () => {
    await app[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  for (const module of modules.filter(module => !isStored(module))) {
    it(`${module.path} ${module.version} comes back with its public sums: ${module.reason}`, async test => {
      const download = downloads.get(module.path);
      if (download?.Zip === undefined) {
        const reason = `the network does not give it: ${download?.Error}`;
        if (process.env.CI) assert.fail(reason);
        return test.skip(reason);
      }
      assert.deepEqual([download.Sum, download.GoModSum], [module.sum, module.goModSum], 'the table is not right');
      await checkRoundTrip(app, module, await readFile(download.Zip));
    });
  }
});

/** The modules as this machine's own proxy gives them, which `go` checks against this machine's own checksum database. */
async function downloadPublicly(folder: TemporaryFolder, wanted: readonly RealModule[]): Promise<DownloadedModule[]> {
  const args = wanted.map(({ path, version }) => `${path}@${version}`);
  const env = { ...process.env, GOMODCACHE: folder.path, GOFLAGS: '-modcacherw', GOTOOLCHAIN: 'local' };
  const { stdout } = await runCommand('go', ['mod', 'download', '-json', ...args], { cwd: folder.path, env });
  return parseJsonStream<DownloadedModule>(stdout);
}
