import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { createFsFromVolume, Volume } from 'memfs';
import pino from 'pino';
import type { Caller } from '../../src/forge/credentials.ts';
import type { Forge } from '../../src/forge/forge.ts';
import { createLocalForge } from '../../src/forge/local/local-forge.ts';
import { encodeCommit } from '../../src/git/commit.ts';
import { inflateBlob } from '../../src/git/deflated-blob.ts';
import { GitUnavailable, TooManyFiles } from '../../src/git/errors.ts';
import type { ObjectId } from '../../src/git/object-id.ts';
import { type PackedObject, packObject } from '../../src/git/packed-object.ts';
import { parseRefName } from '../../src/git/ref-name.ts';
import { parseModulePath } from '../../src/gomod/module-path.ts';
import { parseVersion } from '../../src/gomod/version.ts';
import {
  HashMismatch,
  InvalidUpload,
  NotAllowed,
  NotFound,
  PublishConflict,
  UnservableVersion,
} from '../../src/registry/errors.ts';
import { makeMarker, markerRef } from '../../src/registry/marker.ts';
import { parsePathRule } from '../../src/registry/path-rule.ts';
import { Registry } from '../../src/registry/registry.ts';
import { encodeRepositoryName } from '../../src/registry/repository-name.ts';
import { createSpool } from '../../src/spool/spool.ts';
import { buildTree } from '../support/build-tree.ts';
import { eachFile } from '../support/each-file.ts';
import { inMemory } from '../support/in-memory.ts';
import { moduleZip } from '../support/module-zip.ts';

const signal = new AbortController().signal;
const ann: Caller = { kind: 'user', credentials: { kind: 'basic', user: 'ann', password: 'secret' } };
const log = pino({ level: 'silent' });
const lib = { owner: 'acme', repo: 'lib' };

describe('Registry', () => {
  let forge: Forge;
  let registry: Registry;

  beforeEach(() => {
    const fs = createFsFromVolume(new Volume());
    forge = createLocalForge({ fs, directory: '/', users: new Map([['ann', 'secret']]), visibility: 'private', log });
    registry = newRegistry(forge);
  });

  const newRegistry = (forge: Forge) =>
    new Registry({
      forge,
      owners: ['acme', 'beta'],
      pathRules: [parsePathRule('go.acme.dev/{repo}=acme/{repo}')],
      anonymousRead: 'all',
      privatePaths: '',
      republish: 'any',
      cacheBytes: 2 ** 20,
      spoolAboveBytes: 2 ** 20,
      refsTtlMs: 1,
      log,
    });

  async function publish(module: string, version: string, files: Record<string, string> = {}) {
    const body = await moduleZip(module, version, files);
    await registry.publish({ owner: 'acme', caller: ann, body, expected: undefined }, signal);
    await registry.settled();
  }

  const remove = async (module: string, version: string) => {
    await registry.delete(
      { owner: 'acme', module: parseModulePath(module), caller: ann },
      parseVersion(version),
      signal,
    );
    await registry.settled();
  };

  async function read(module: string, query: string, file: 'info' | 'mod' | 'zip') {
    const request = { owner: 'acme', module: parseModulePath(module), caller: ann };
    const { content } = await registry.read(request, { kind: 'version', query, file }, signal);
    return content.bytes;
  }

  const list = async (module: string) => {
    const request = { owner: 'acme', module: parseModulePath(module), caller: ann };
    return (await registry.read(request, { kind: 'list' }, signal)).content.bytes.toString();
  };

  const repository = (name = lib) => forge.remote(name, ann);

  async function refsOf(name = lib): Promise<Record<string, ObjectId>> {
    const { byName } = await repository(name).refs({ prefixes: ['refs/'], signal });
    return Object.fromEntries(Array.from(byName.values(), ref => [ref.name, ref.id]));
  }

  /** Pushes a commit as people do, not through the registry. */
  async function pushCommit(ref: string, files: Record<string, string>, message = 'work\n') {
    await forge.createRepository(lib, ann, signal);
    const blobs = Object.entries(files).map(([path, text]) => ({ path, blob: packObject('blob', Buffer.from(text)) }));
    const tree = buildTree(blobs.map(({ path, blob }) => ({ path, mode: '100644', id: blob.id })));
    const person = { name: 'bob', email: 'bob@example.com', time: 1_700_000_000 };
    const commit = packObject(
      'commit',
      encodeCommit({ tree: tree.id, parents: [], author: person, committer: person, message }),
    );
    await repository().push({
      objects: [...blobs.map(({ blob }) => blob), ...tree.trees, commit],
      updates: [{ name: parseRefName(ref), from: (await refsOf())[ref], to: commit.id }],
      signal,
    });
    return commit.id;
  }

  /** Nine levels of ten entries each: a thousand million paths in some hundred bytes. */
  async function pushTreeBomb(ref: string) {
    const file = packObject('blob', Buffer.from('module go.acme.dev/lib\n'));
    const trees: PackedObject[] = [];
    let entries = Array.from('0123456789', name => ({ name, mode: '100644', id: file.id }));
    for (let level = 0; level < 9; level++) {
      const content = entries.map(({ name, mode, id }) =>
        Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(id, 'hex')]),
      );
      const tree = packObject('tree', Buffer.concat(content));
      trees.push(tree);
      entries = Array.from('0123456789', name => ({ name, mode: '40000', id: tree.id }));
    }
    const tree = trees.at(-1);
    assert.ok(tree !== undefined);
    const person = { name: 'bob', email: 'bob@example.com', time: 1_700_000_000 };
    const commit = packObject(
      'commit',
      encodeCommit({ tree: tree.id, parents: [], author: person, committer: person, message: 'bomb\n' }),
    );
    const updates = [{ name: parseRefName(ref), from: undefined, to: commit.id }];
    await repository().push({ objects: [file, ...trees, commit], updates, signal });
  }

  async function copyCommit(from: typeof lib, to: typeof lib, id: ObjectId, ref: string) {
    const { commit, files } = await repository(from).snapshot(id, inMemory, signal);
    const blobs = [];
    for await (const { path, blob } of eachFile({ files })) {
      blobs.push({ path, packed: packObject('blob', await inflateBlob(blob)) });
    }
    const { trees } = buildTree(blobs.map(({ path, packed }) => ({ path, mode: '100644', id: packed.id })));
    const copy = packObject('commit', encodeCommit(commit));
    assert.equal(copy.id, id);
    const objects = [...blobs.map(({ packed }) => packed), ...trees, copy];
    await repository(to).push({ objects, updates: [{ name: parseRefName(ref), from: undefined, to: id }], signal });
  }

  describe('a source repository', () => {
    beforeEach(() => pushCommit('refs/heads/trunk', { 'go.mod': 'module go.acme.dev/lib\n' }));

    it('is never written to, and the refusal says what to push', async () => {
      const before = await refsOf();
      await assert.rejects(publish('go.acme.dev/lib/sub', 'v1.0.0'), (error: unknown) => {
        assert.ok(error instanceof NotAllowed);
        assert.match(error.message, /people push to acme\/lib, modforge does not: push the tag sub\/v1\.0\.0/);
        return true;
      });
      assert.deepEqual(await refsOf(), before);
    });

    it('says that a tag which people pushed exists already', async () => {
      await pushCommit('refs/tags/v1.0.0', { 'go.mod': 'module go.acme.dev/lib\n' });
      await assert.rejects(publish('go.acme.dev/lib', 'v1.0.0'), PublishConflict);
    });

    it('is served as it is tagged, and after its tag moves as it is tagged then', async () => {
      await pushCommit('refs/tags/v1.0.0', { 'go.mod': 'module go.acme.dev/lib\n\ngo 1.20\n' });
      assert.equal(await list('go.acme.dev/lib'), 'v1.0.0\n');
      assert.match((await read('go.acme.dev/lib', 'v1.0.0', 'mod')).toString(), /go 1\.20/);
      await pushCommit('refs/tags/v1.0.0', { 'go.mod': 'module go.acme.dev/lib\n\ngo 1.21\n' });
      await setTimeout(5);
      assert.match((await read('go.acme.dev/lib', 'v1.0.0', 'mod')).toString(), /go 1\.21/);
    });

    it('has no version whose files no zip may hold, which is said and is no absence', async () => {
      await pushCommit('refs/tags/v1.0.0', { 'go.mod': 'module go.acme.dev/lib\n', 'what?.txt': '' });
      assert.match((await read('go.acme.dev/lib', 'v1.0.0', 'mod')).toString(), /module/);
      await assert.rejects(read('go.acme.dev/lib', 'v1.0.0', 'zip'), (error: unknown) => {
        assert.ok(error instanceof UnservableVersion);
        assert.match(error.message, /what\?\.txt": .*invalid char/);
        return true;
      });
    });

    it('has no zip of a commit with more paths than memory holds, and others are served meanwhile', async () => {
      await pushCommit('refs/tags/v1.0.0', { 'go.mod': 'module go.acme.dev/lib\n' });
      await pushTreeBomb('refs/tags/v1.1.0');
      const bomb = assert.rejects(read('go.acme.dev/lib', 'v1.1.0', 'zip'), TooManyFiles);
      await setTimeout(5);
      assert.match((await read('go.acme.dev/lib', 'v1.0.0', 'mod')).toString(), /module/);
      await bomb;
    });

    it('has no zip where .gitattributes would take for ever', async () => {
      const rules = '*[!b][!b]c text\n'.repeat(10_000);
      await pushCommit('refs/tags/v1.0.0', { 'go.mod': 'module go.acme.dev/lib\n', '.gitattributes': rules });
      await assert.rejects(read('go.acme.dev/lib', 'v1.0.0', 'zip'), UnservableVersion);
    });

    it('has no modules below it but those of which a tag or the default branch tells', async () => {
      await assert.rejects(list('go.acme.dev/lib/sub'), NotFound);
      await pushCommit('refs/tags/sub/v1.0.0', { 'sub/go.mod': 'module go.acme.dev/lib/sub\n' });
      await setTimeout(5);
      assert.equal(await list('go.acme.dev/lib/sub'), 'v1.0.0\n');
    });

    it('is written to once its owner has pushed the marker of the very path', async () => {
      const marker = makeMarker('go.acme.dev/lib');
      const updates = [{ name: markerRef, from: undefined, to: marker.id }];
      await repository().push({ objects: [packObject('tree', Buffer.alloc(0)), marker], updates, signal });
      await publish('go.acme.dev/lib', 'v1.0.0');
      assert.equal(await list('go.acme.dev/lib'), 'v1.0.0\n');
      await assert.rejects(read('go.acme.dev/lib', 'trunk', 'info'), NotFound);
    });

    it('serves what was uploaded while it was managed, by its very tag', async () => {
      const other = { owner: 'acme', repo: 'other' };
      await publish('go.acme.dev/other', 'v0.0.0-20240102030405-0123456789ab');
      const zip = await read('go.acme.dev/other', 'v0.0.0-20240102030405-0123456789ab', 'zip');
      const from = (await refsOf(other))['refs/modforge/module'];
      const updates = [{ name: parseRefName('refs/modforge/module'), from, to: undefined }];
      await repository(other).push({ objects: [], updates, signal });
      await setTimeout(5);
      assert.deepEqual(await read('go.acme.dev/other', 'v0.0.0-20240102030405-0123456789ab', 'zip'), zip);
      await assert.rejects(read('go.acme.dev/other', 'v0.0.0-20240102030405-ffffffffffff', 'zip'), NotFound);
    });
  });

  it('keeps apart the modules that the same commit is in two repositories', async () => {
    const files = { 'go.mod': 'module go.acme.dev/lib\n', 'sub/go.mod': 'module go.acme.dev/lib/sub\n' };
    const commit = await pushCommit('refs/tags/sub/v1.0.0', files);
    const twin = { owner: 'beta', repo: encodeRepositoryName('go.acme.dev/lib/sub') };
    await forge.createRepository(twin, ann, signal);
    await copyCommit(lib, twin, commit, 'refs/tags/v1.0.0');
    const ask = async (owner: string) => {
      const request = { owner, module: parseModulePath('go.acme.dev/lib/sub'), caller: ann };
      const question = { kind: 'version', query: 'v1.0.0', file: 'mod' } as const;
      return (await registry.read(request, question, signal)).content.bytes.toString();
    };
    assert.equal(await ask('beta'), 'module go.acme.dev/lib\n');
    assert.equal(await ask('acme'), 'module go.acme.dev/lib/sub\n');
  });

  it('serves a tag that people pushed beside uploads, but no branch and no commit', async () => {
    await publish('go.acme.dev/lib', 'v1.0.0');
    const commit = await pushCommit('refs/tags/v1.1.0', { 'go.mod': 'module go.acme.dev/lib\n' });
    await setTimeout(5);
    assert.match((await read('go.acme.dev/lib', 'v1.1.0', 'info')).toString(), /refs\/tags\/v1\.1\.0/);
    for (const query of ['main', commit, 'v1']) {
      await assert.rejects(read('go.acme.dev/lib', query, 'info'), NotFound);
    }
  });

  it('refuses a module whose repository belongs to another path, and names it', async () => {
    await publish('go.acme.dev/lib', 'v1.0.0');
    const { 'refs/modforge/module': marker } = await refsOf();
    const target = { owner: 'acme', repo: 'other' };
    await forge.createRepository(target, ann, signal);
    const copy = packObject('commit', encodeCommit(await repository().commit(marker as ObjectId, signal)));
    assert.equal(copy.id, marker);
    await repository(target).push({
      objects: [packObject('tree', Buffer.alloc(0)), copy],
      updates: [{ name: parseRefName('refs/modforge/module'), from: undefined, to: copy.id }],
      signal,
    });
    await assert.rejects(publish('go.acme.dev/other', 'v1.0.0'), (error: unknown) => {
      assert.ok(error instanceof PublishConflict);
      assert.equal(error.message, 'the repository acme/other belongs to the module go.acme.dev/lib');
      return true;
    });
  });

  it('keeps the files of a module in a sub-directory under that directory', async () => {
    await publish('go.acme.dev/lib/sub/dir/v2', 'v2.0.0', { 'x/x.go': 'package x\n' });
    const { 'refs/tags/sub/dir/v2.0.0': tag } = await refsOf();
    assert.ok(tag);
    const { files } = await repository().snapshot(tag, inMemory, signal);
    const paths: string[] = [];
    for await (const { path } of eachFile({ files })) paths.push(path);
    assert.deepEqual(paths, ['sub/dir/go.mod', 'sub/dir/x/x.go']);
    assert.equal(
      (await read('go.acme.dev/lib/sub/dir/v2', 'v2.0.0', 'mod')).toString(),
      'module go.acme.dev/lib/sub/dir/v2\n',
    );
    assert.ok((await read('go.acme.dev/lib/sub/dir/v2', 'v2.0.0', 'zip')).byteLength > 0);
    await assert.rejects(list('go.acme.dev/lib'), NotFound);
  });

  it('gives a version the highest lower one of its path and major as parent', async () => {
    for (const version of ['v1.0.0', 'v1.2.0', 'v1.1.0', 'v0.1.0', 'v1.2.1-0.20200101000000-abcdefabcdef']) {
      await publish('go.acme.dev/lib', version);
    }
    await publish('go.acme.dev/lib/v2', 'v2.0.0');
    const refs = await refsOf();
    const parentOf = async (tag: string) =>
      (await repository().commit(refs[`refs/tags/${tag}`] as ObjectId, signal)).parents;
    assert.deepEqual(await parentOf('v1.0.0'), []);
    assert.deepEqual(await parentOf('v1.2.0'), [refs['refs/tags/v1.0.0']]);
    assert.deepEqual(await parentOf('v1.1.0'), [refs['refs/tags/v1.0.0']]);
    assert.deepEqual(await parentOf('v0.1.0'), []);
    assert.deepEqual(await parentOf('v1.2.1-0.20200101000000-abcdefabcdef'), []);
    assert.deepEqual(await parentOf('v2.0.0'), []);
  });

  describe('main', () => {
    const main = async () => (await refsOf())['refs/heads/main'];
    const tag = async (name: string) => (await refsOf())[`refs/tags/${name}`];

    it('is at the highest version of the root module, also after a delete', async () => {
      await publish('go.acme.dev/lib', 'v1.1.0');
      await publish('go.acme.dev/lib/sub', 'v1.9.0');
      await publish('go.acme.dev/lib', 'v1.0.0');
      await publish('go.acme.dev/lib', 'v1.1.1-0.20200101000000-abcdefabcdef');
      assert.equal(await main(), await tag('v1.1.0'));
      await publish('go.acme.dev/lib', 'v1.2.0');
      assert.equal(await main(), await tag('v1.2.0'));
      await remove('go.acme.dev/lib', 'v1.2.0');
      assert.equal(await main(), await tag('v1.1.0'));
    });

    it('is at the highest version of the only module where none is at the root', async () => {
      await publish('go.acme.dev/lib/sub', 'v1.1.0');
      await publish('go.acme.dev/lib/sub', 'v1.2.0');
      assert.equal(await main(), await tag('sub/v1.2.0'));
      await publish('go.acme.dev/lib/other', 'v1.5.0');
      assert.equal(await main(), await tag('sub/v1.2.0'));
    });

    it('is left alone once people have moved it', async () => {
      await publish('go.acme.dev/lib', 'v1.0.0');
      const theirs = await pushCommit('refs/heads/main', { README: 'ours now\n' });
      await publish('go.acme.dev/lib', 'v1.1.0');
      assert.equal(await main(), theirs);
    });
  });

  it('refuses an upload for what is wrong with it, though its repository can’t be asked for', async () => {
    const isDown = () => Promise.reject(new GitUnavailable('down'));
    const down = {
      ...forge,
      remote: (...of: Parameters<Forge['remote']>) => ({ ...forge.remote(...of), refs: isDown }),
    };
    registry = newRegistry(down);
    const upload = (body: Buffer) =>
      registry.publish({ owner: 'acme', caller: ann, body, expected: undefined }, signal);
    await assert.rejects(
      upload(await moduleZip('go.acme.dev/lib', 'v1.0.0', { 'go.mod': 'module other\n' })),
      InvalidUpload,
    );
    await assert.rejects(upload(await moduleZip('go.acme.dev/lib', 'v1.0.0')), GitUnavailable);
  });

  it('decides by refs that are no older than a second, however long an upload takes to be read', async () => {
    let asked = 0;
    const remote = (...of: Parameters<Forge['remote']>) => {
      const real = forge.remote(...of);
      const refs: typeof real.refs = options => {
        asked += 1;
        return real.refs(options);
      };
      return { ...real, refs };
    };
    registry = newRegistry({ ...forge, remote });
    await publish('go.acme.dev/lib', 'v1.0.0');
    const counts: number[] = [];
    for (const [version, delayMs] of [
      ['v1.1.0', 0],
      ['v1.2.0', 1_100],
    ] as const) {
      const spool = await createSpool();
      await spool.append(await moduleZip('go.acme.dev/lib', version));
      let reads = 0;
      // Of the reads that come after the directory, one is slow.
      const read = async (start: number, end: number) => {
        reads += 1;
        if (reads === 5) await setTimeout(delayMs);
        return spool.read(start, end);
      };
      asked = 0;
      const body = { ...spool, byteLength: spool.byteLength, read };
      await registry.publish({ owner: 'acme', caller: ann, body, expected: undefined }, signal);
      await registry.settled();
      counts.push(asked);
      await spool[Symbol.asyncDispose]();
    }
    assert.equal(counts[1], (counts[0] ?? 0) + 1);
  });

  it('serves no content that is not what was published, and names both hashes', async () => {
    await publish('go.acme.dev/lib', 'v1.0.0', { 'a.go': 'package a\n' });
    const refs = await refsOf();
    const { message } = await repository().commit(refs['refs/tags/v1.0.0'] as ObjectId, signal);
    await pushCommit('refs/tags/v1.0.0', { 'go.mod': 'module go.acme.dev/lib\n', 'a.go': 'package evil\n' }, message);
    assert.match((await read('go.acme.dev/lib', 'v1.0.0', 'mod')).toString(), /^module/);
    for (let i = 0; i < 2; i++) {
      await assert.rejects(read('go.acme.dev/lib', 'v1.0.0', 'zip'), (error: unknown) => {
        assert.ok(error instanceof HashMismatch);
        assert.notEqual(error.recorded, error.found);
        assert.ok(error.message.includes(error.recorded) && error.message.includes(error.found));
        return true;
      });
    }
    await pushCommit('refs/tags/v1.0.0', { 'go.mod': 'module evil\n', 'a.go': 'package a\n' }, message);
    await assert.rejects(read('go.acme.dev/lib', 'v1.0.0', 'mod'), HashMismatch);
  });

  it('takes a tag moved to another version for absent', async () => {
    await publish('go.acme.dev/lib', 'v1.0.0');
    await publish('go.acme.dev/lib', 'v1.1.0');
    const { 'refs/tags/v1.0.0': from, 'refs/tags/v1.1.0': to } = await refsOf();
    await repository().push({ objects: [], updates: [{ name: parseRefName('refs/tags/v1.0.0'), from, to }], signal });
    for (const file of ['info', 'mod', 'zip'] as const) {
      await assert.rejects(read('go.acme.dev/lib', 'v1.0.0', file), NotFound);
    }
  });
});
