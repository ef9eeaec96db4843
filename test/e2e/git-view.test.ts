/** What was published, as people see it who have nothing but git; and what modforge makes of what they change there. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { moduleZip } from '../support/module-zip.ts';
import { fsck, type Git, gitIn } from '../support/plain-git.ts';
import { publish, publishModule, type Reply, upload } from '../support/publish.ts';
import type { CommandResult } from '../support/run-command.ts';
import { skipWithout } from '../support/skip-without.ts';
import { makeTemporaryFolder } from '../support/temporary-folder.ts';
import { publisher, startTestApp, type TestApp } from '../support/test-app.ts';

const skip = skipWithout('git');

interface StoredApp extends TestApp {
  /** The folder of a repository. */
  repository(name: string): string;
  /** Another modforge on the same folder, which has cached nothing yet. */
  startAnother(env?: Record<string, string>): Promise<TestApp>;
}

/** modforge on the disk forge, in a folder that goes with it. */
async function startStoredApp(env: Record<string, string> = {}): Promise<StoredApp> {
  const folder = await makeTemporaryFolder();
  const stored = { MODFORGE_FORGE: 'local', MODFORGE_DATA: folder.path, ...env };
  const app = await startTestApp(stored);
  return {
    ...app,
    repository: name => join(folder.path, 'acme', `${name}.git`),
    startAnother: more => startTestApp({ ...stored, ...more }),
    async [Symbol.asyncDispose]() {
      await app[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function read({ proxyUrl }: TestApp, path: string): Promise<Reply & { headers: Headers }> {
  const response = await fetch(`${proxyUrl}/${path}`);
  return { status: response.status, text: await response.text(), headers: response.headers };
}

async function deleteVersion({ url }: TestApp, module: string, version: string): Promise<Reply> {
  const address = `${url}/api/v1/packages/acme/go/${encodeURIComponent(module)}/${version}`;
  const response = await fetch(address, { method: 'DELETE', headers: { Authorization: publisher.basic } });
  return { status: response.status, text: await response.text() };
}

/** example.com/lib with these versions, each with a file that tells it apart, and nothing left to do in the background. */
async function publishLib(app: TestApp, ...versions: string[]): Promise<void> {
  for (const version of versions)
    await publishModule(app, 'example.com/lib', version, { 'version.txt': `${version}\n` });
  await app.settled();
}

const libRepository = 'example.com__lib';

describe('a published module seen by git', { skip }, () => {
  it('is a sound repository that can be cloned, with main at the highest version', async () => {
    await using app = await startStoredApp();
    await using folder = await makeTemporaryFolder();
    await publishLib(app, 'v1.1.0', 'v1.0.0', 'v1.2.0-rc.1');

    assert.equal(await fsck(app.repository(libRepository)), '');
    await gitIn(folder.path)('clone', '--quiet', app.repository(libRepository), 'clone');
    const git = gitIn(join(folder.path, 'clone'));
    assert.equal(await git('branch', '--show-current'), 'main');
    assert.equal(await git('describe', '--tags', 'HEAD'), 'v1.2.0-rc.1');
    assert.equal(await git('tag'), 'v1.0.0\nv1.1.0\nv1.2.0-rc.1');
    assert.equal(await readFile(join(folder.path, 'clone/version.txt'), 'utf8'), 'v1.2.0-rc.1\n');
  });

  it('has a commit a version, with its record and its publisher', async () => {
    await using app = await startStoredApp();
    const h1 = await publishModule(app, 'example.com/lib', 'v1.0.0');
    const git = gitIn(app.repository(libRepository));

    const trailers = await git('log', '-1', '--format=%(trailers:only,unfold)', 'v1.0.0');
    assert.match(trailers, /^Module: example\.com\/lib\nVersion: v1\.0\.0\nZip-Hash: \S+\nGo-Mod-Hash: h1:\S+\n*$/);
    assert.equal(await git('log', '-1', '--format=%(trailers:key=Zip-Hash,valueonly)%-', 'v1.0.0'), h1);
    const who = `${publisher.name} <${publisher.name}@users.noreply.localhost>`;
    assert.equal(
      await git('log', '-1', '--format=%s|%an <%ae>|%cn <%ce>', 'v1.0.0'),
      `example.com/lib v1.0.0|${who}|${who}`,
    );
    assert.match(await git('ls-tree', '-r', 'v1.0.0'), /^(100644 blob .*\n?)+$/);
  });

  it('carries the marker that says whose it is', async () => {
    await using app = await startStoredApp();
    await publishModule(app, 'example.com/lib/v2', 'v2.0.0');
    const git = gitIn(app.repository(libRepository));
    assert.match(await git('log', '--format=%B|%P', 'refs/modforge/module'), /\nModule: example\.com\/lib\n+\|$/);
    assert.equal(await git('ls-tree', 'refs/modforge/module'), '');
  });

  it('has as parent the highest lower version of the same major that was there', async () => {
    await using app = await startStoredApp();
    await publishLib(
      app,
      'v1.0.0',
      'v1.2.0',
      'v1.1.0',
      'v1.3.0-rc.1',
      'v1.2.1-0.20240102030405-abcdefabcdef',
      'v1.4.0',
    );
    await publishModule(app, 'example.com/lib/v2', 'v2.0.0');
    await publishModule(app, 'example.com/lib/v2', 'v2.0.1');
    const git = gitIn(app.repository(libRepository));

    const parentOf = async (version: string) => {
      const parents = await git('log', '-1', '--format=%P', version);
      return parents === '' ? 'none' : await git('describe', '--tags', '--exact-match', parents);
    };
    const parents = {
      'v1.0.0': 'none',
      'v1.1.0': 'v1.0.0',
      'v1.2.0': 'v1.0.0',
      'v1.2.1-0.20240102030405-abcdefabcdef': 'none',
      'v1.3.0-rc.1': 'v1.2.0',
      'v1.4.0': 'v1.3.0-rc.1',
      'v2.0.0': 'none',
      'v2.0.1': 'v2.0.0',
    };
    for (const [version, parent] of Object.entries(parents)) assert.equal(await parentOf(version), parent, version);
    assert.match(await git('diff', 'v1.0.0', 'v1.1.0'), /^-v1\.0\.0\n\+v1\.1\.0$/m);
  });

  it('holds a nested module under its folder, tagged with it', async () => {
    await using app = await startStoredApp({ MODFORGE_PATHS: 'git.acme.dev/{repo}=acme/{repo}' });
    await publishModule(app, 'git.acme.dev/tools/sub', 'v1.0.0');
    await publishModule(app, 'git.acme.dev/tools', 'v0.1.0');
    await app.settled();
    const git = gitIn(app.repository('tools'));
    assert.equal(await git('tag'), 'sub/v1.0.0\nv0.1.0');
    assert.equal(await git('ls-tree', '-r', '--name-only', 'sub/v1.0.0'), 'sub/go.mod\nsub/lib.go');
    assert.equal(await git('describe', '--tags', 'main'), 'v0.1.0');
    assert.equal(await fsck(app.repository('tools')), '');
  });
});

describe('git housekeeping', { skip }, () => {
  const housekeeping = [
    ['gc', '--quiet'],
    ['gc', '--quiet', '--aggressive', '--prune=now'],
    ['pack-refs', '--all', '--prune'],
    ['repack', '-adfq'],
  ];
  for (const command of housekeeping) {
    it(`after git ${command.join(' ')} all is read and published as before`, async () => {
      await using app = await startStoredApp();
      await publishLib(app, 'v1.0.0', 'v1.1.0');
      const git = gitIn(app.repository(libRepository));
      const before = await readAll(app, ['v1.0.0', 'v1.1.0']);

      await git(...command);
      await using another = await app.startAnother();
      assert.deepEqual(await readAll(another, ['v1.0.0', 'v1.1.0']), before);
      const again = await moduleZip('example.com/lib', 'v1.1.0', { 'version.txt': 'other' });
      assert.equal((await upload(another, again)).status, 409);
      await publishLib(another, 'v1.2.0');
      assert.equal(await git('log', '-1', '--format=%P', 'v1.2.0'), await git('rev-parse', 'v1.1.0'));
      assert.equal(await fsck(app.repository(libRepository)), '');
    });
  }

  it('beside publishing loses nothing, nor does a git push', async () => {
    await using app = await startStoredApp();
    await using folder = await makeTemporaryFolder();
    await publishLib(app, 'v1.0.0');
    const repository = app.repository(libRepository);
    await gitIn(folder.path)('clone', '--quiet', repository, 'clone');
    const clone = gitIn(join(folder.path, 'clone'));

    let isPublishing = true;
    /** Runs git over and over; it may lose a race for a lock, but not every one. */
    const whilePublishing = async (step: (round: number) => Promise<CommandResult>) => {
      let succeeded = 0;
      for (let round = 0; isPublishing; round++) succeeded += (await step(round)).exitCode === 0 ? 1 : 0;
      assert.notEqual(succeeded, 0);
    };
    const beside = Promise.all([
      whilePublishing(() => gitIn(repository).run('gc', '--quiet')),
      whilePublishing(() => gitIn(repository).run('pack-refs', '--all', '--prune')),
      whilePublishing(round => clone.run('push', '--quiet', 'origin', `HEAD:refs/heads/branch-${round}`)),
    ]);
    const versions = Array.from({ length: 15 }, (_, i) => `v1.1.${i}`);
    try {
      for (const version of versions) await publishLib(app, version);
    } finally {
      isPublishing = false;
      await beside;
    }

    assert.equal(await fsck(repository), '');
    await using another = await app.startAnother();
    assert.deepEqual(await readAll(another, versions), await readAll(app, versions));
    assert.notEqual(await gitIn(repository)('branch', '--list', 'branch-*'), '');
  });

  /** The list and every file of these versions, which must all be there, by their entity tags. */
  async function readAll(app: TestApp, versions: readonly string[]): Promise<Record<string, string | null>> {
    const files = ['list', ...versions.flatMap(version => [`${version}.info`, `${version}.mod`, `${version}.zip`])];
    const found: Record<string, string | null> = {};
    for (const file of files) {
      const { status, text, headers } = await read(app, `example.com/lib/@v/${file}`);
      assert.equal(status, 200, `${file}: ${text}`);
      found[file] = headers.get('etag');
    }
    return found;
  }
});

describe('tags that people change', { skip }, () => {
  it('a tag moved to the commit of another version is no version', async () => {
    await using app = await startStoredApp();
    await publishLib(app, 'v1.0.0', 'v1.1.0');
    await gitIn(app.repository(libRepository))('update-ref', 'refs/tags/v1.0.0', 'refs/tags/v1.1.0');

    for (const file of ['v1.0.0.info', 'v1.0.0.mod', 'v1.0.0.zip']) {
      const { status, text } = await read(app, `example.com/lib/@v/${file}`);
      assert.equal(status, 404, file);
      assert.match(text, /the tag of example\.com\/lib v1\.0\.0 points to the commit of example\.com\/lib v1\.1\.0/);
    }
    assert.equal((await read(app, 'example.com/lib/@v/v1.1.0.zip')).status, 200);
  });

  it('a commit with the record of a version and another tree is an error naming both hashes, until it is mended', async () => {
    await using app = await startStoredApp();
    await publishLib(app, 'v1.0.0');
    const [recorded, found] = [await sumOf(app, 'v1.0.0'), await sumWithFile('version.txt', 'changed\n')];
    const git = gitIn(app.repository(libRepository));
    const genuine = await git('rev-parse', 'v1.0.0');
    await git('update-ref', 'refs/tags/v1.0.0', await forgeCommit(git, 'v1.0.0', 'version.txt', 'changed\n'));

    for (const _ of ['first', 'second']) {
      const { status, text, headers } = await read(app, 'example.com/lib/@v/v1.0.0.zip');
      assert.equal(status, 500);
      assert.equal(headers.get('cache-control'), 'no-store');
      assert.ok(text.includes(recorded) && text.includes(found), text);
    }
    await git('update-ref', 'refs/tags/v1.0.0', genuine);
    assert.equal((await read(app, 'example.com/lib/@v/v1.0.0.zip')).status, 200);
  });

  it('a commit with the record of a version and another go.mod is an error for .mod too', async () => {
    await using app = await startStoredApp();
    await publishLib(app, 'v1.0.0');
    const git = gitIn(app.repository(libRepository));
    const goMod = 'module example.com/lib\n\nrequire example.com/evil v1.0.0\n';
    await git('update-ref', 'refs/tags/v1.0.0', await forgeCommit(git, 'v1.0.0', 'go.mod', goMod));

    for (const file of ['v1.0.0.mod', 'v1.0.0.zip']) {
      const { status, text } = await read(app, `example.com/lib/@v/${file}`);
      assert.equal(status, 500, file);
      assert.equal(text.match(/h1:/g)?.length, 2, text);
    }
  });

  it('a tag that git pushed is not overwritten by an upload, and never looks absent', async () => {
    await using app = await startStoredApp();
    await using folder = await makeTemporaryFolder();
    await publishLib(app, 'v1.0.0');
    await gitIn(folder.path)('clone', '--quiet', app.repository(libRepository), 'clone');
    const clone = gitIn(join(folder.path, 'clone'));
    await clone('commit', '--quiet', '--allow-empty', '-m', 'by hand');
    await clone('tag', '-m', 'annotated', 'v1.1.0');
    await clone('push', '--quiet', 'origin', 'main', 'v1.1.0');

    const { status, text } = await upload(app, await moduleZip('example.com/lib', 'v1.1.0'));
    assert.equal(status, 409);
    assert.match(text, /exists already, as a tag that was pushed to acme\/example\.com__lib/);
    assert.equal((await read(app, 'example.com/lib/@v/list')).text, 'v1.0.0\nv1.1.0\n');
    assert.notEqual((await read(app, 'example.com/lib/@v/v1.1.0.info')).status, 404);
    await publishLib(app, 'v1.2.0');
    assert.equal(await clone('ls-remote', 'origin', 'main'), `${await clone('rev-parse', 'HEAD')}\trefs/heads/main`);
  });

  it('a repository that people push to is theirs: uploads are told to push the tag', async () => {
    await using app = await startStoredApp();
    const repository = app.repository(libRepository);
    await using folder = await makeTemporaryFolder();
    const git = gitIn(folder.path);
    await git('init', '--quiet', '--bare', repository);
    await git('init', '--quiet', '--initial-branch=main');
    await git('commit', '--quiet', '--allow-empty', '-m', 'ours');
    await git('push', '--quiet', repository, 'main');

    const { status, text } = await upload(app, await moduleZip('example.com/lib', 'v1.0.0'));
    assert.equal(status, 403);
    assert.match(text, /push the tag v1\.0\.0 to it and it is served/);
    assert.equal(await gitIn(repository)('for-each-ref', '--format=%(refname)'), 'refs/heads/main');
  });

  const sumOf = async (app: StoredApp, version: string): Promise<string> =>
    gitIn(app.repository(libRepository))('log', '-1', '--format=%(trailers:key=Zip-Hash,valueonly)%-', version);

  /** The sum that example.com/lib v1.0.0 has with one file changed. */
  async function sumWithFile(path: string, content: string): Promise<string> {
    await using elsewhere = await startTestApp();
    return await publishModule(elsewhere, 'example.com/lib', 'v1.0.0', { [path]: content });
  }

  /** A commit with the message of `version` and its tree but for one file. */
  async function forgeCommit(git: Git, version: string, path: string, content: string): Promise<string> {
    await using folder = await makeTemporaryFolder();
    const index = { GIT_INDEX_FILE: join(folder.path, 'index') };
    const blob = await git.with({ input: content })('hash-object', '-w', '--stdin');
    await git.with({ env: index })('read-tree', version);
    await git.with({ env: index })('update-index', '--add', '--cacheinfo', `100644,${blob},${path}`);
    const tree = await git.with({ env: index })('write-tree');
    const message = await git('log', '-1', '--format=%B', version);
    return await git('commit-tree', tree, '-m', message);
  }
});

describe('deleting', { skip }, () => {
  it('takes the tag away, leaves a record of what it was, and moves main back', async () => {
    await using app = await startStoredApp();
    await publishLib(app, 'v1.0.0', 'v1.1.0');
    const git = gitIn(app.repository(libRepository));
    const zipHash = await git('log', '-1', '--format=%(trailers:key=Zip-Hash,valueonly)%-', 'v1.1.0');

    assert.equal((await deleteVersion(app, 'example.com/lib', 'v1.1.0')).status, 204);
    await app.settled();
    assert.equal(await git('tag'), 'v1.0.0');
    assert.equal(await git('rev-parse', 'main'), await git('rev-parse', 'v1.0.0'));
    const record = await git('log', '--format=%B|%P', 'refs/modforge/deleted/v1.1.0');
    assert.match(record, /\nVersion: v1\.1\.0\n/);
    assert.ok(record.includes(`\nZip-Hash: ${zipHash}\n`) && record.endsWith('|'), record);
    assert.equal((await read(app, 'example.com/lib/@v/v1.1.0.info')).status, 404);
    assert.equal((await read(app, 'example.com/lib/@v/list')).text, 'v1.0.0\n');
    assert.equal(await fsck(app.repository(libRepository)), '');
  });

  it('works on tags that git packed', async () => {
    await using app = await startStoredApp();
    await publishLib(app, 'v1.0.0', 'v1.1.0');
    const git = gitIn(app.repository(libRepository));
    await git('pack-refs', '--all');
    assert.equal((await deleteVersion(app, 'example.com/lib', 'v1.0.0')).status, 204);
    assert.equal(await git('tag'), 'v1.1.0');
  });

  for (const [republish, status] of [
    ['any', 201],
    ['same', 409],
  ] as const) {
    it(`the same content may be published again, other content is ${status} with MODFORGE_REPUBLISH=${republish}`, async () => {
      await using app = await startStoredApp({ MODFORGE_REPUBLISH: republish });
      const zip = await moduleZip('example.com/lib', 'v1.0.0', { 'version.txt': 'one' });
      const other = await moduleZip('example.com/lib', 'v1.0.0', { 'version.txt': 'two' });
      const h1 = await publish(app, zip);
      assert.equal((await deleteVersion(app, 'example.com/lib', 'v1.0.0')).status, 204);
      assert.equal(await publish(app, zip), h1);
      assert.equal((await deleteVersion(app, 'example.com/lib', 'v1.0.0')).status, 204);

      const reply = await upload(app, other);
      assert.equal(reply.status, status);
      if (status === 409) assert.equal(new Set(reply.text.match(/h1:[\w+/=]+/g)).size, 2, reply.text);
      else assert.notEqual(reply.text.split('\n')[1], h1);
      assert.equal(await fsck(app.repository(libRepository)), '');
    });
  }
});
