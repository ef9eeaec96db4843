import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type FSWatcher, readdirSync, watch } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { packObject } from '../../src/git/packed-object.ts';
import type { BegunPush } from '../../src/git/remote.ts';
import { EarlyPush } from '../../src/registry/early-push.ts';
import { type CraftedEntry, craftZip } from '../support/craft-zip.ts';
import { fsck } from '../support/plain-git.ts';
import { skipWithout } from '../support/skip-without.ts';
import { makeTemporaryFolder } from '../support/temporary-folder.ts';
import { publisher, startTestApp } from '../support/test-app.ts';

const module = 'example.com/lib';

/** So many files that threads hash them in several batches. */
const contents = Array.from({ length: 20 }, () => randomBytes(100_000));

function zipOf(version: string, last: Partial<CraftedEntry> = {}): Buffer {
  const name = (path: string) => `${module}@${version}/${path}`;
  const files = contents.map((content, i) => ({ name: name(`${i}`), content }));
  const goMod = { name: name('go.mod'), content: `module ${module}\n` };
  return craftZip([goMod, ...files, { name: name('last'), content: version, ...last }]);
}

/** A modforge on the disk with one small version, and the temporary packs that are made in its repository. */
async function start() {
  const folder = await makeTemporaryFolder();
  const app = await startTestApp({ MODFORGE_FORGE: 'local', MODFORGE_DATA: folder.path });
  const gitdir = join(folder.path, 'acme/example.com__lib.git');
  const packs = join(gitdir, 'objects/pack');
  const publish = async (zip: Buffer) => {
    const headers = { Authorization: publisher.basic };
    const response = await fetch(`${app.proxyUrl}/upload`, { method: 'PUT', body: zip, headers });
    return { status: response.status, text: await response.text() };
  };
  const names = [`${module}@v1.0.0/go.mod`, `${module}@v1.0.0/a`];
  const first = craftZip(names.map(name => ({ name, content: `module ${module}\n` })));
  assert.equal((await publish(first)).status, 201);
  const before = readdirSync(packs);
  const begun = new Set<string>();
  const watcher: FSWatcher = watch(packs, (_event, name) => {
    if (name?.endsWith('.new-pack')) begun.add(name);
  });
  return {
    gitdir,
    publish,
    begun,
    newFiles: () => readdirSync(packs).filter(name => !before.includes(name)),
    async [Symbol.asyncDispose]() {
      watcher.close();
      await app[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const extensions = (names: readonly string[]) => names.map(name => name.replace(/.*\./, '')).sort();

describe('an upload whose files go into the repository early', { skip: skipWithout('git') }, () => {
  it('becomes one pack', async () => {
    await using scene = await start();
    assert.equal((await scene.publish(zipOf('v1.1.0'))).status, 201);
    assert.equal(scene.begun.size, 1);
    assert.deepEqual(extensions(scene.newFiles()), ['idx', 'pack']);
    assert.equal(await fsck(scene.gitdir), '');
  });

  it('leaves nothing where it turns out to be wrong', async () => {
    await using scene = await start();
    const { status, text } = await scene.publish(zipOf('v1.1.0', { crc32: 1 }));
    assert.equal(status, 400);
    assert.match(text, /checksum/);
    assert.equal(scene.begun.size, 1);
    assert.deepEqual(scene.newFiles(), []);
  });

  it('leaves one pack where several are published at once', async () => {
    await using scene = await start();
    const answers = await Promise.all(Array.from({ length: 4 }, () => scene.publish(zipOf('v1.1.0'))));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409, 409, 409]);
    assert.deepEqual(extensions(scene.newFiles()), ['idx', 'pack']);
    assert.equal(await fsck(scene.gitdir), '');
  });
});

describe('an EarlyPush', () => {
  const [one, two] = ['one', 'two'].map(text => packObject('blob', Buffer.from(text)));
  assert.ok(one && two);

  function fakePush(add: BegunPush['add']) {
    const push = { add, push: async () => {}, isDisposed: false, [Symbol.asyncDispose]: async () => {} };
    push[Symbol.asyncDispose] = async () => {
      push.isDisposed = true;
    };
    return push;
  }

  it('begins once, and holds nothing that is known', async () => {
    const added: unknown[] = [];
    const push = fakePush(async objects => void added.push(...objects));
    let beginnings = 0;
    {
      await using early = new EarlyPush(async () => {
        beginnings += 1;
        return { push, known: new Set([one.id]) };
      });
      assert.equal(await early.begun(), undefined);
      await early.add([one, two]);
      await early.add([one]);
      assert.equal(await early.begun(), push);
    }
    assert.deepEqual([beginnings, added, push.isDisposed], [1, [two], true]);
  });

  it('takes nothing where there is nothing to begin with', async () => {
    await using early = new EarlyPush(async () => undefined);
    await early.add([one]);
    assert.equal(await early.begun(), undefined);
  });

  it('tells what could not be taken', async () => {
    const push = fakePush(async () => Promise.reject(new Error('the disk is full')));
    {
      await using early = new EarlyPush(async () => ({ push, known: new Set() }));
      await assert.rejects(early.add([one]), /the disk is full/);
    }
    assert.ok(push.isDisposed);
  });
});
