import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { hashObject } from '../../src/git/object-id.ts';
import { gitBytes } from '../support/git-bytes.ts';
import { moduleZip } from '../support/module-zip.ts';
import { skipWithout } from '../support/skip-without.ts';
import { makeTemporaryFolder } from '../support/temporary-folder.ts';
import { publisher, startTestApp } from '../support/test-app.ts';

const module = 'example.com/lib';
const noise = randomBytes(300_000);

/** A modforge on the disk, with a version that holds the noise and has the only pack. */
async function start() {
  const folder = await makeTemporaryFolder();
  const app = await startTestApp({ MODFORGE_FORGE: 'local', MODFORGE_DATA: folder.path });
  const gitdir = join(folder.path, 'acme/example.com__lib.git');
  const packs = () => {
    const names = readdirSync(join(gitdir, 'objects/pack')).filter(name => name.endsWith('.pack'));
    return names.map(name => join(gitdir, 'objects/pack', name));
  };
  const publish = async (version: string) => {
    const zip = await moduleZip(module, version, { 'noise.bin': noise, 'lib.go': `package lib // ${version}\n` });
    const headers = { Authorization: publisher.basic };
    const response = await fetch(`${app.proxyUrl}/upload`, { method: 'PUT', body: zip, headers });
    assert.equal(response.status, 201, await response.text());
  };
  await publish('v1.0.0');
  const [first, ...more] = packs();
  assert.ok(first !== undefined && more.length === 0 && statSync(first).size > noise.byteLength);
  return {
    gitdir,
    first,
    publish,
    bytesOfOtherPacks: () => packs().reduce((sum, path) => sum + (path === first ? 0 : statSync(path).size), 0),
    async [Symbol.asyncDispose]() {
      await app[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

describe('the next version of a module', { skip: skipWithout('git') }, () => {
  it('sends nothing that the one before it has', async () => {
    await using scene = await start();
    await scene.publish('v1.1.0');
    assert.ok(scene.bytesOfOtherPacks() < 5_000);
    gitBytes(scene.gitdir, ['fsck', '--strict']);
    assert.deepEqual(gitBytes(scene.gitdir, ['cat-file', 'blob', 'v1.1.0:noise.bin']), noise);
  });

  it('is sent whole where the repository has lost what it had', async () => {
    await using scene = await start();
    const pack = readFileSync(scene.first);
    for (const end of ['pack', 'idx']) rmSync(scene.first.replace(/pack$/, end));
    gitBytes(scene.gitdir, ['unpack-objects', '-q'], pack);
    const id = hashObject('blob', noise);
    rmSync(join(scene.gitdir, 'objects', id.slice(0, 2), id.slice(2)));
    await scene.publish('v1.1.0');
    assert.ok(scene.bytesOfOtherPacks() > noise.byteLength);
    assert.deepEqual(gitBytes(scene.gitdir, ['cat-file', 'blob', 'v1.1.0:noise.bin']), noise);
  });
});
