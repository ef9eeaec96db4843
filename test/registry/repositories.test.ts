/** How often the forge is asked for repositories that nobody has seen: a store in memory whose questions are counted, with a list that the test makes. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFsFromVolume, Volume } from 'memfs';
import type { Caller } from '../../src/forge/credentials.ts';
import type { Forge } from '../../src/forge/forge.ts';
import { createLocalForge } from '../../src/forge/local/local-forge.ts';
import { parseModulePath } from '../../src/gomod/module-path.ts';
import { parsePathRule } from '../../src/registry/path-rule.ts';
import type { Place } from '../../src/registry/place-module.ts';
import { Repositories } from '../../src/registry/repositories.ts';

const signal = new AbortController().signal;
const ann: Caller = { kind: 'user', credentials: { kind: 'basic', user: 'ann', password: 'secret' } };
const bob: Caller = { kind: 'user', credentials: { kind: 'basic', user: 'bob', password: 'word' } };
const log = { warn() {} };

describe('Repositories', () => {
  let store: Forge;
  /** What the forge was asked: `refs NAME` and `list`. */
  let asked: string[];
  /** What the forge's list says; the names of what is there, unless a test has another. */
  let list: () => Promise<ReadonlySet<string> | undefined>;
  let made: Set<string>;
  let repositories: Repositories;

  const start = (refsTtlMs: number) => {
    const forge: Forge = {
      ...store,
      remote(name, caller) {
        const remote = store.remote(name, caller);
        const refs: typeof remote.refs = options => {
          asked.push(`refs ${name.repo}`);
          return remote.refs(options);
        };
        return { ...remote, refs };
      },
      async repositoryNames() {
        asked.push('list');
        return list();
      },
    };
    const pathRules = [parsePathRule('go.acme.dev/{repo}=acme/{repo}')];
    const rules = { pathRules, privatePaths: '', anonymousRead: 'public' } as const;
    repositories = new Repositories({ forge, owners: ['acme', 'other'], ...rules, refsTtlMs });
  };

  beforeEach(() => {
    const users = new Map([
      ['ann', 'secret'],
      ['bob', 'word'],
    ]);
    const fs = createFsFromVolume(new Volume());
    store = createLocalForge({ fs, directory: '/', users, visibility: 'private', log });
    asked = [];
    made = new Set();
    list = async () => new Set(made);
    start(60_000);
  });

  const place = (module: string, owner = 'acme'): Place => repositories.place(owner, parseModulePath(module));
  const make = async (module: string) => {
    made.add(place(module).repo.toLowerCase());
    await store.createRepository(place(module), ann, signal);
  };
  const isThere = async (module: string, caller = ann, owner = 'acme') =>
    (await repositories.refs(place(module, owner), caller, signal)) !== undefined;

  it('asks for one repository by itself, once for all who want it', async () => {
    const found = await Promise.all([1, 2, 3].map(() => isThere('x.dev/a')));
    assert.deepEqual(found, [false, false, false]);
    assert.equal(await isThere('x.dev/a'), false);
    assert.deepEqual(asked, ['refs x.dev__a']);
  });

  it('asks for the list when a second one is wanted, and then for those that it holds', async () => {
    await make('x.dev/b');
    await make('go.acme.dev/F');
    const wanted = ['x.dev/a', 'x.dev/b', 'x.dev/c', 'x.dev/d', 'x.dev/e', 'go.acme.dev/F', 'x.dev/a'];
    const found = await Promise.all(wanted.map(module => isThere(module)));
    assert.deepEqual(found, [false, true, false, false, false, true, false]);
    assert.deepEqual(asked.sort(), ['list', 'refs F', 'refs x.dev__a', 'refs x.dev__b']);
    for (const module of wanted) await isThere(module);
    assert.equal(asked.length, 4);
  });

  it('takes the list for no more than it is: names of one owner, for one caller, and no proof', async () => {
    list = async () => new Set(['x.dev__b']);
    await isThere('x.dev/a');
    await isThere('x.dev/a', bob);
    await isThere('x.dev/a', ann, 'other');
    assert.deepEqual(asked.splice(0), ['refs x.dev__a', 'refs x.dev__a', 'refs x.dev__a']);
    // Listed, and not there for all that.
    assert.equal(await isThere('x.dev/b'), false);
    assert.equal(await isThere('x.dev/b', bob), false);
    assert.equal(await isThere('x.dev/b', ann, 'other'), false);
    assert.deepEqual(asked, ['list', 'refs x.dev__b', 'list', 'refs x.dev__b', 'list', 'refs x.dev__b']);
  });

  it('denies no repository that the caller has seen, whatever the list says', async () => {
    await make('x.dev/old-name');
    assert.equal(await isThere('x.dev/old-name'), true);
    repositories.forget(place('x.dev/old-name'));
    list = async () => new Set();
    const modules = ['x.dev/a', 'x.dev/b', 'x.dev/old-name'];
    assert.deepEqual(await Promise.all(modules.map(module => isThere(module))), [false, false, true]);
    assert.ok(asked.includes('list'));
    // What others have seen is nothing to bob.
    assert.deepEqual(await Promise.all(modules.map(module => isThere(module, bob))), [false, false, false]);
  });

  it('looks for each where the list can not be told, and does not ask for it again soon', async () => {
    start(20);
    list = async () => undefined;
    await make('x.dev/b');
    const modules = ['x.dev/a', 'x.dev/b', 'x.dev/c'];
    for (const lists of [['list'], [], []]) {
      assert.deepEqual(await Promise.all(modules.map(module => isThere(module))), [false, true, false]);
      const looks = ['refs x.dev__a', 'refs x.dev__b', 'refs x.dev__c'];
      assert.deepEqual(asked.splice(0).sort(), [...lists, ...looks]);
      await sleep(60);
    }
  });

  it('finds what was made elsewhere when the list has had its time', async () => {
    start(20);
    const modules = ['x.dev/a', 'x.dev/b'];
    assert.deepEqual(await Promise.all(modules.map(module => isThere(module))), [false, false]);
    await make('x.dev/b');
    await sleep(60);
    assert.deepEqual(await Promise.all(modules.map(module => isThere(module))), [false, true]);
    assert.deepEqual(
      asked.filter(question => question === 'list'),
      ['list', 'list'],
    );
  });

  it('believes no list from before a change, not even one that is still on its way', async () => {
    let answer: (names: ReadonlySet<string>) => void = () => {};
    list = () => new Promise(resolve => (answer = resolve));
    await isThere('x.dev/a');
    const early = isThere('x.dev/b');
    await make('x.dev/b');
    repositories.forget(place('x.dev/b'));
    list = async () => new Set(made);
    await isThere('x.dev/c');
    assert.equal(await isThere('x.dev/b'), true);
    answer(new Set());
    await early;
    assert.equal(await isThere('x.dev/b'), true);
    await make('x.dev/d');
    assert.equal(await isThere('x.dev/d'), false);
    repositories.forget(place('x.dev/b'));
    assert.deepEqual(await Promise.all(['x.dev/c', 'x.dev/d'].map(module => isThere(module))), [false, true]);
  });

  describe('freshness', () => {
    const module = 'x.dev/a';
    const open = async (caller = ann) =>
      (await repositories.open({ owner: 'acme', module: parseModulePath(module), caller }, signal)).freshness;

    it('ends before the time is over for which refs are believed, however late they were looked at', async () => {
      await make(module);
      const asking = performance.now();
      const first = await open();
      const asked = performance.now();
      assert.ok(first.until >= asking + 54_000 && first.until <= asked + 54_000);
      await sleep(5);
      assert.ok(Math.abs((await open()).until - first.until) < 1);
      assert.equal(repositories.isFresh(first), true);
      assert.equal(repositories.isFresh({ ...first, until: performance.now() }), false);
    });

    it('ends with any change, and one that came while the refs were asked for is none of theirs', async () => {
      await make(module);
      await make('x.dev/b');
      const before = await open();
      repositories.forget(place('x.dev/b'));
      assert.equal(repositories.isFresh(before), false);
      const after = await open();
      assert.equal(repositories.isFresh(after), true);
      repositories.forget(place(module));
      const opening = open();
      repositories.forget(place(module));
      assert.equal(repositories.isFresh(await opening), false);
    });
  });
});
