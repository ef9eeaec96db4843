/** What every forge does, whatever it is: run against each of them, and speaking to them through the ports alone. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Caller, Credentials } from '../../src/forge/credentials.ts';
import type { Forge, RepositoryName } from '../../src/forge/forge.ts';
import { inflateBlob } from '../../src/git/deflated-blob.ts';
import {
  CorruptObject,
  CredentialsRefused,
  ObjectMissing,
  PushRefused,
  RefMoved,
  RepositoryNotFound,
  WriteRefused,
} from '../../src/git/errors.ts';
import { type ObjectId, parseObjectId } from '../../src/git/object-id.ts';
import { type PackedObject, packObject } from '../../src/git/packed-object.ts';
import { parseRefName, type RefName, tagRef } from '../../src/git/ref-name.ts';
import type { FileMode, Refs, Remote, SnapshotFile } from '../../src/git/remote.ts';
import { inMemory } from '../support/in-memory.ts';
import { makeCommit } from '../support/make-commit.ts';

export interface ForgeUnderTest extends AsyncDisposable {
  readonly forge: Forge;
  /** An owner that `writer` may create repositories for. */
  readonly owner: string;
  readonly writer: { readonly name: string; readonly password: string };
  /** Whether the password is a token, which says whose it is, so that any user name may stand beside it. */
  readonly isToken?: boolean;
}

const main = parseRefName('refs/heads/main');
const marker = parseRefName('refs/modforge/module');
const absent = parseObjectId('1234567890'.repeat(4));
const anonymous: Caller = { kind: 'anonymous' };

export function forgeContract(
  name: string,
  makeForge: (visibility: 'private' | 'public') => Promise<ForgeUnderTest>,
): void {
  describe(`the contract of forges: ${name}`, () => {
    let under: ForgeUnderTest;
    before(async () => {
      under = await makeForge('private');
    });
    after(() => under[Symbol.asyncDispose]());

    let made = 0;
    const unusedName = (): RepositoryName => ({ owner: under.owner, repo: `contract-${++made}` });
    const writer = (): Caller => {
      const { name: user, password } = under.writer;
      return { kind: 'user', credentials: { kind: 'basic', user, password } };
    };
    const newRemote = async (repository = unusedName()): Promise<Remote> => {
      await under.forge.createRepository(repository, writer(), inTime());
      return under.forge.remote(repository, writer());
    };

    test('the writer is known, by name and password and by token', async () => {
      const { name: user, password } = under.writer;
      const basic = { kind: 'basic', user, password } as const;
      assert.deepEqual(await under.forge.authenticate(basic, inTime()), { name: user });
      assert.deepEqual(await under.forge.authenticate({ kind: 'token', token: password }, inTime()), { name: user });
    });

    test('wrong credentials are refused by every operation, for a repository that exists and one that does not', async () => {
      const repository = unusedName();
      await newRemote(repository);
      const { name: user, password } = under.writer;
      const wrong: Credentials[] = [
        { kind: 'basic', user, password: 'wrong' },
        { kind: 'token', token: 'wrong' },
      ];
      if (!under.isToken) wrong.push({ kind: 'basic', user: `not-${user}`, password });
      for (const credentials of wrong) {
        const caller: Caller = { kind: 'user', credentials };
        await assert.rejects(under.forge.authenticate(credentials, inTime()), CredentialsRefused);
        await assert.rejects(under.forge.createRepository(unusedName(), caller, inTime()), CredentialsRefused);
        for (const each of [repository, unusedName()]) {
          await rejectAll(under.forge.remote(each, caller), CredentialsRefused);
        }
      }
    });

    test('an unknown repository is not found by any operation, nor made by one', async () => {
      const remote = under.forge.remote(unusedName(), writer());
      await rejectAll(remote, RepositoryNotFound);
      await rejectAll(remote, RepositoryNotFound);
    });

    test('creating a repository that is there changes nothing', async () => {
      const repository = unusedName();
      const remote = await newRemote(repository);
      assert.equal((await remote.refs(all())).byName.size, 0);
      const commit = makeCommit({});
      await remote.push({ objects: commit.objects, updates: [create(main, commit.id)], signal: inTime() });
      await under.forge.createRepository(repository, writer(), inTime());
      assert.deepEqual(idsOf(await remote.refs(all())), { [main]: commit.id });
    });

    test('a repository that several create at once is made once, and all may use it', async () => {
      const repository = unusedName();
      const remotes = await Promise.all(Array.from({ length: 5 }, () => newRemote(repository)));
      for (const remote of remotes) assert.equal((await remote.refs(all())).byName.size, 0);
    });

    test('a first version comes with branch and marker in one push', async () => {
      const remote = await newRemote();
      const version = makeCommit({ files: { 'go.mod': 'module example.com/a\n' } });
      const mark = makeCommit({ message: 'Module: example.com/a\n' });
      const updates = [create(marker, mark.id), create(main, version.id), create(tagRef('v1.0.0'), version.id)];
      await remote.push({ objects: [...mark.objects, ...version.objects], updates, signal: inTime() });
      const refs = await remote.refs(all());
      assert.deepEqual(idsOf(refs), { [main]: version.id, [marker]: mark.id, 'refs/tags/v1.0.0': version.id });
      assert.equal(refs.head, main);
    });

    test('of a push with one wrong expectation nothing happens', async () => {
      const remote = await newRemote();
      const first = makeCommit({});
      const second = makeCommit({ files: { a: 'a' }, parents: [first.id] });
      await remote.push({ objects: first.objects, updates: [create(main, first.id)], signal: inTime() });
      const updates = [create(tagRef('v1.0.0'), second.id), { name: main, from: second.id, to: second.id }];
      await assert.rejects(
        remote.push({ objects: second.objects, updates, signal: inTime() }),
        // Which of the refs a store names is its own affair.
        RefMoved,
      );
      assert.deepEqual(idsOf(await remote.refs(all())), { [main]: first.id });
    });

    test('a ref moves from what it is to what is asked, with the objects that are new', async () => {
      const remote = await newRemote();
      const first = makeCommit({ files: { a: 'a', b: 'b' } });
      const second = makeCommit({ files: { a: 'a', b: 'c' }, parents: [first.id] });
      await remote.push({ objects: first.objects, updates: [create(main, first.id)], signal: inTime() });
      const updates = [{ name: main, from: first.id, to: second.id }];
      const isNew = (id: ObjectId) => !first.objects.some(object => object.id === id);
      const objects = second.objects.filter(object => isNew(object.id));
      await remote.push({ objects, updates, signal: inTime() });
      assert.deepEqual(await contentsOf(remote, second.id), { a: 'a', b: 'c' });
    });

    test('of several who push one tag at once exactly one wins, and its content is there', async () => {
      const remote = await newRemote();
      const commits = Array.from({ length: 6 }, (_, i) => makeCommit({ files: { who: `${i}` } }));
      const results = await Promise.allSettled(
        commits.map(({ id, objects }) =>
          remote.push({ objects, updates: [create(tagRef('v1.0.0'), id)], signal: inTime() }),
        ),
      );
      const winners = commits.filter((_, i) => results[i]?.status === 'fulfilled');
      const reasons = results.flatMap(result => (result.status === 'rejected' ? [result.reason] : []));
      assert.ok(reasons.every(reason => reason instanceof RefMoved && reason.ref === 'refs/tags/v1.0.0'));
      assert.equal(winners.length, 1);
      assert.deepEqual(idsOf(await remote.refs(all())), { 'refs/tags/v1.0.0': winners[0]?.id });
      const winner = commits.findIndex(({ id }) => id === winners[0]?.id);
      assert.deepEqual(await contentsOf(remote, commits[winner]?.id), { who: `${winner}` });
    });

    test('all who push different tags at once win', async () => {
      const remote = await newRemote();
      const versions = Array.from({ length: 6 }, (_, i) => ({
        tag: tagRef(`v1.0.${i}`),
        ...makeCommit({ files: { i: `${i}` } }),
      }));
      await Promise.all(
        versions.map(({ tag, id, objects }) => remote.push({ objects, updates: [create(tag, id)], signal: inTime() })),
      );
      assert.deepEqual(idsOf(await remote.refs(all())), Object.fromEntries(versions.map(({ tag, id }) => [tag, id])));
    });

    test('a ref is deleted with its own id as expectation, and with no other', async () => {
      const remote = await newRemote();
      const tag = tagRef('v1.0.0');
      const [first, second] = [makeCommit({ files: { a: '1' } }), makeCommit({ files: { a: '2' } })];
      const updates = [create(main, second.id), create(tag, first.id)];
      await remote.push({ objects: [...first.objects, ...second.objects], updates, signal: inTime() });
      const remove = (from: ObjectId) =>
        remote.push({ objects: [], updates: [{ name: tag, from, to: undefined }], signal: inTime() });
      await assert.rejects(remove(second.id), RefMoved);
      await remove(first.id);
      assert.deepEqual(idsOf(await remote.refs(all())), { [main]: second.id });
      await assert.rejects(remove(first.id), RefMoved);
    });

    test('a deleted tag and its note change places in one push, and the tag may come back', async () => {
      const remote = await newRemote();
      const tag = tagRef('v1.0.0');
      const note = parseRefName('refs/modforge/deleted/v1.0.0');
      const [version, gone] = [makeCommit({ files: { a: '1' } }), makeCommit({ message: 'deleted\n' })];
      await remote.push({ objects: version.objects, updates: [create(tag, version.id)], signal: inTime() });
      const updates = [create(note, gone.id), { name: tag, from: version.id, to: undefined }];
      await remote.push({ objects: gone.objects, updates, signal: inTime() });
      assert.deepEqual(idsOf(await remote.refs(all())), { [note]: gone.id });
      await remote.push({ objects: version.objects, updates: [create(tag, version.id)], signal: inTime() });
      assert.deepEqual(idsOf(await remote.refs(all())), { [note]: gone.id, [tag]: version.id });
    });

    test('refs are those that begin with a prefix asked for', async () => {
      const remote = await newRemote();
      const { id, objects } = makeCommit({});
      const names = [
        'refs/heads/main',
        'refs/modforge/module',
        'refs/tags/sub/dir/v1.0.0',
        'refs/tags/v1.0.0',
        'refs/tags/v1.0.0-rc.1',
        'refs/tags/v2.0.0',
      ];
      await remote.push({ objects, updates: names.map(each => create(parseRefName(each), id)), signal: inTime() });
      const cases: readonly (readonly string[])[] = [
        ['refs/'],
        ['refs/tags/'],
        ['refs/tags/v1.0.0'],
        ['refs/tags/sub/', 'refs/heads/'],
        ['refs/tags/s', 'refs/tags/sub/dir/v1'],
        ['refs/tags/sub/dir/v1.0.0'],
        ['refs/notes/', 'refs/tags/v3'],
        [],
      ];
      for (const prefixes of cases) {
        const refs = await remote.refs({ prefixes, signal: inTime() });
        const expected = names.filter(each => prefixes.some(prefix => each.startsWith(prefix)));
        assert.deepEqual(Object.keys(idsOf(refs)), expected, prefixes.join(' '));
      }
    });

    test('an annotated tag comes with what it peels to, also through another tag', async () => {
      const remote = await newRemote();
      const commit = makeCommit({});
      const annotate = (kind: string, id: ObjectId, tag: string) =>
        packObject(
          'tag',
          Buffer.from(`object ${id}\ntype ${kind}\ntag ${tag}\ntagger A <a@b.c> 1700000000 +0000\n\nnote\n`),
        );
      const tag = annotate('commit', commit.id, 'v1.0.0');
      const tagOfTag = annotate('tag', tag.id, 'v1.0.1');
      const updates = [
        create(tagRef('v1.0.0'), tag.id),
        create(tagRef('v1.0.1'), tagOfTag.id),
        create(main, commit.id),
      ];
      await remote.push({ objects: [...commit.objects, tag, tagOfTag], updates, signal: inTime() });
      const { byName } = await remote.refs(all());
      assert.deepEqual(byName.get(tagRef('v1.0.0')), { name: tagRef('v1.0.0'), id: tag.id, peeled: commit.id });
      assert.deepEqual(byName.get(tagRef('v1.0.1')), { name: tagRef('v1.0.1'), id: tagOfTag.id, peeled: commit.id });
      assert.deepEqual(byName.get(main), { name: main, id: commit.id });
    });

    test('commit and snapshot come as they were pushed, byte for byte', async () => {
      const remote = await newRemote();
      const files = {
        'a.txt': 'text\r\nwith both\n',
        'a/b/c': 'deep',
        a0: 'after the directory a in the order of trees',
        binary: Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 7919) % 256)),
        empty: '',
        'Füße/日本.txt': 'names',
        run: '#!/bin/sh\n',
        link: 'a/b/c',
      };
      const modes: Record<string, FileMode> = { run: '100755', link: '120000' };
      const message = 'subject\n\n  body, ünïcode\n\nTrailer: x\n\n';
      const parent = makeCommit({});
      const { id, tree, objects } = makeCommit({ files, modes, parents: [parent.id], message });
      await remote.push({ objects: [...parent.objects, ...objects], updates: [create(main, id)], signal: inTime() });

      const person = { name: 'Ada', email: 'ada@example.com', time: 1_700_000_000 };
      const expected = { id, tree, parents: [parent.id], author: person, committer: person, message };
      assert.deepEqual(await remote.commit(id, inTime()), expected);
      const snapshot = await remote.snapshot(id, inMemory, inTime());
      assert.deepEqual(snapshot.commit, expected);
      const found = await collect(snapshot.files);
      const inTreeOrder = Object.keys(files).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      assert.deepEqual(
        found.map(file => file.path),
        inTreeOrder,
      );
      for (const [path, content] of Object.entries(files)) {
        const file: SnapshotFile | undefined = found.find(each => each.path === path);
        assert.deepEqual(file && (await inflateBlob(file.blob)), Buffer.from(content), path);
        assert.equal(file?.mode, modes[path] ?? '100644', path);
      }
    });

    test('files come by their paths, several at once, and what is no file is left out', async () => {
      const remote = await newRemote();
      const contents = {
        'a.txt': 'text\r\nwith both\n',
        'a/b/c': 'deep',
        'a/d': 'twin',
        twin: 'twin',
        large: Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 7919) % 256)),
        empty: '',
        'Füße/日本.txt': 'names',
        link: 'a/b/c',
      };
      const { id, objects } = makeCommit({
        files: { ...contents, module: 'a submodule, whose id is no concern of ours' },
        modes: { link: '120000', module: '160000' },
      });
      await remote.push({ objects, updates: [create(main, id)], signal: inTime() });
      const commit = await remote.commit(id, inTime());
      const none = ['a', 'a/b', 'a/b/c/d', 'nothing', 'no/thing', '', 'a/', '/empty', 'a//b', 'A.TXT', '..', 'module'];
      const selections: string[][] = [
        ['a.txt'],
        ['a.txt', 'a/d', 'twin', 'empty', 'Füße/日本.txt', 'link'],
        ['large', 'a.txt', 'a.txt'],
        Object.keys(contents),
        [...none, 'a/b/c'],
        none.filter(path => !path.includes('/')),
        [],
      ];
      for (const paths of selections) {
        const expected = Object.entries(contents).filter(([path]) => paths.includes(path));
        const read = await remote.files(id, paths, inTime());
        assert.deepEqual(read.commit, commit);
        assert.deepEqual(read.files.size, expected.length, paths.join(' '));
        for (const [path, content] of expected) assert.deepEqual(read.files.get(path), Buffer.from(content), path);
      }
    });

    test('the history is every commit that the tips reach and the known ones do not', async () => {
      const remote = await newRemote();
      const made = new Map<string, { id: ObjectId; parents: readonly ObjectId[] }>();
      const objects: PackedObject[] = [];
      const commit = (message: string, ...parents: readonly string[]) => {
        const sketch = {
          message,
          files: { of: message },
          parents: parents.flatMap(parent => made.get(parent)?.id ?? []),
        };
        const { id, objects: own } = makeCommit(sketch);
        made.set(message, { id, parents: sketch.parents });
        objects.push(...own);
      };
      commit('root');
      commit('left', 'root');
      commit('right', 'root');
      commit('right 2', 'right');
      commit('merge', 'right 2', 'left');
      commit('after', 'merge');
      commit('elsewhere');
      const ids = (...names: readonly string[]) => names.flatMap(each => made.get(each)?.id ?? []);
      const [tip, other] = [ids('after')[0] ?? absent, ids('elsewhere')[0] ?? absent];
      const updates = [create(main, tip), create(tagRef('v1.0.0'), other)];
      await remote.push({ objects, updates, signal: inTime() });
      const { tree } = await remote.commit(tip, inTime());
      const cases: readonly [tips: ObjectId[], known: ObjectId[], expected: string[]][] = [
        [ids('after'), [], ['root', 'left', 'right', 'right 2', 'merge', 'after']],
        [ids('left', 'right'), [], ['root', 'left', 'right']],
        [ids('after', 'elsewhere'), ids('right'), ['left', 'right 2', 'merge', 'after', 'elsewhere']],
        [ids('after'), ids('left', 'right 2'), ['merge', 'after']],
        [ids('merge', 'left'), ids('after'), []],
        [ids('after', 'after'), ids('after'), []],
        [ids('after'), [absent, ...ids('merge')], ['after']],
        [[tree, ...ids('root')], [tree], ['root']],
        [[], ids('root'), []],
      ];
      for (const [tips, known, expected] of cases) {
        const commits = await remote.history({ tips, known, signal: inTime() });
        const found = new Map(commits.map(({ id, parents, time }) => [id, { parents, time }]));
        assert.equal(found.size, commits.length);
        const facts = expected.map(each => {
          const { id = absent, parents = [] } = made.get(each) ?? {};
          return [id, { parents, time: 1_700_000_000 }] as const;
        });
        assert.deepEqual(found, new Map(facts));
      }
      const missing = remote.history({ tips: [tip, absent], known: [], signal: inTime() });
      await assert.rejects(missing, error => error instanceof ObjectMissing && error.id === absent);
    });

    test('a history of 300 commits comes whole', async () => {
      const remote = await newRemote();
      const commits: ReturnType<typeof makeCommit>[] = [];
      for (let i = 0; i < 300; i++) {
        const parents = commits.slice(-1).map(({ id }) => id);
        commits.push(makeCommit({ message: `commit ${i}\n`, files: { i: `${i}` }, parents }));
      }
      const ids = commits.map(({ id }) => id);
      const tip = ids.at(-1) ?? absent;
      await remote.push({
        objects: commits.flatMap(({ objects }) => objects),
        updates: [create(main, tip)],
        signal: inTime(),
      });
      const historyFrom = async (...known: ObjectId[]) =>
        (await remote.history({ tips: [tip], known, signal: inTime() })).map(({ id }) => id).sort();
      assert.deepEqual(await historyFrom(), [...ids].sort());
      assert.deepEqual(await historyFrom(...ids.slice(250, 251)), ids.slice(251).sort());
    });

    test('an object that is not there is missing, one that is no commit is corrupt', async () => {
      const remote = await newRemote();
      const { id, tree, objects } = makeCommit({ files: { a: 'a' } });
      await remote.push({ objects, updates: [create(main, id)], signal: inTime() });
      await assert.rejects(remote.commit(absent, inTime()), ObjectMissing);
      await assert.rejects(remote.files(absent, ['a'], inTime()), ObjectMissing);
      await assert.rejects(remote.snapshot(absent, inMemory, inTime()), ObjectMissing);
      await assert.rejects(remote.commit(tree, inTime()), CorruptObject);
      await assert.rejects(remote.files(tree, ['a'], inTime()), CorruptObject);
    });

    test('a tag that is another tag’s folder is refused, and nothing is changed', async () => {
      const remote = await newRemote();
      const { id, objects } = makeCommit({});
      const updates = [create(tagRef('v1.0.0'), id), create(tagRef('a/b/v1.0.0'), id)];
      await remote.push({ objects, updates, signal: inTime() });
      for (const tag of ['v1.0.0/v1.0.0', 'v1.0.0/x/y/v1.0.0', 'a', 'a/b']) {
        const bad = [create(main, id), create(tagRef(tag), id)];
        await assert.rejects(remote.push({ objects: [], updates: bad, signal: inTime() }), PushRefused, tag);
      }
      assert.deepEqual(Object.keys(idsOf(await remote.refs(all()))), ['refs/tags/a/b/v1.0.0', 'refs/tags/v1.0.0']);
    });

    test('a push that lacks objects is refused, and nothing is changed', async () => {
      const remote = await newRemote();
      const parent = makeCommit({ files: { a: '1' } });
      const { id, tree, objects } = makeCommit({ files: { a: '2' }, parents: [parent.id] });
      const updates = [create(tagRef('v1.0.0'), id)];
      for (const part of [objects, [...parent.objects, ...objects].filter(object => object.id !== tree), []]) {
        // Hosted forges can't be told apart from a parent that went meanwhile: refs are to be read again.
        await assert.rejects(
          remote.push({ objects: part, updates, signal: inTime() }),
          error => error instanceof PushRefused || error instanceof RefMoved,
        );
      }
      assert.deepEqual(idsOf(await remote.refs(all())), {});
    });

    test('anonymous callers see nothing of a private repository, and make none', async () => {
      const repository = unusedName();
      await newRemote(repository);
      await rejectAll(under.forge.remote(repository, anonymous), RepositoryNotFound);
      await rejectAll(under.forge.remote(unusedName(), anonymous), RepositoryNotFound);
      await assert.rejects(under.forge.createRepository(unusedName(), anonymous, inTime()), WriteRefused);
    });

    test('anonymous callers read a public repository and do not write to it', async () => {
      await using open = await makeForge('public');
      const { name: user, password } = open.writer;
      const caller: Caller = { kind: 'user', credentials: { kind: 'basic', user, password } };
      const repository = { owner: open.owner, repo: 'public' };
      await open.forge.createRepository(repository, caller, inTime());
      const { id, objects } = makeCommit({ files: { a: 'a' } });
      const updates = [create(main, id)];
      await open.forge.remote(repository, caller).push({ objects, updates, signal: inTime() });
      const remote = open.forge.remote(repository, anonymous);
      assert.deepEqual(idsOf(await remote.refs(all())), { [main]: id });
      assert.deepEqual(await contentsOf(remote, id), { a: 'a' });
      const bad = { objects: [], updates: [create(tagRef('v1.0.0'), id)], signal: inTime() };
      await assert.rejects(remote.push(bad), isNoRight);
    });

    test('the service reads what a writer made', async () => {
      const repository = unusedName();
      const remote = await newRemote(repository);
      const { id, objects } = makeCommit({});
      await remote.push({ objects, updates: [create(main, id)], signal: inTime() });
      assert.equal((await under.forge.remote(repository, { kind: 'service' }).refs(all())).byName.size, 1);
    });

    test('who is gone is not served', async () => {
      const remote = await newRemote();
      const reason = new Error('the client went away');
      const signal = AbortSignal.abort(reason);
      const { id, objects } = makeCommit({});
      await assert.rejects(remote.refs({ prefixes: [''], signal }), reason);
      await assert.rejects(remote.push({ objects, updates: [create(main, id)], signal }), reason);
      assert.equal((await remote.refs(all())).byName.size, 0);
    });

    test('the forge is ready', () => under.forge.checkReady(inTime()));
  });
}

const inTime = () => AbortSignal.timeout(30_000);
const all = () => ({ prefixes: ['refs/'], signal: inTime() });
const create = (name: RefName, to: ObjectId) => ({ name, from: undefined, to });

function idsOf(refs: Refs): Record<string, ObjectId> {
  const entries = Array.from(refs.byName.values(), ref => [ref.name, ref.id] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function contentsOf(remote: Remote, commit: ObjectId | undefined): Promise<Record<string, string>> {
  assert.ok(commit);
  const { files } = await remote.snapshot(commit, inMemory, inTime());
  const contents: Record<string, string> = {};
  for (const { path, blob } of await collect(files)) contents[path] = (await inflateBlob(blob)).toString();
  return contents;
}

async function collect(files: AsyncIterable<readonly SnapshotFile[]>): Promise<SnapshotFile[]> {
  const collected: SnapshotFile[] = [];
  for await (const batch of files) collected.push(...batch);
  return collected;
}

async function rejectAll(remote: Remote, error: new (...args: never[]) => Error): Promise<void> {
  const { id, objects } = makeCommit({});
  await assert.rejects(remote.refs(all()), error);
  await assert.rejects(remote.commit(id, inTime()), error);
  await assert.rejects(remote.files(id, ['a'], inTime()), error);
  await assert.rejects(remote.history({ tips: [id], known: [], signal: inTime() }), error);
  await assert.rejects(remote.snapshot(id, inMemory, inTime()), error);
  await assert.rejects(
    remote.push({ objects, updates: [create(main, id)], signal: inTime() }),
    thrown => thrown instanceof error || (error.name === 'RepositoryNotFound' && isNoRight(thrown)),
  );
}

/** Of a push that may not be, one forge says that there is no right to it, another that there is no such repository. */
const isNoRight = (error: unknown): boolean => error instanceof WriteRefused || error instanceof RepositoryNotFound;
