import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createFsFromVolume, Volume } from 'memfs';
import { createBareRepository } from '../../../src/forge/local/bare-repository.ts';
import { diskFileSystem, type FileSystem } from '../../../src/forge/local/file-system.ts';
import { type Lock, tryLock } from '../../../src/forge/local/ref-lock.ts';
import { prepareRefs, type RefStoreOptions, readRefs } from '../../../src/forge/local/ref-store.ts';
import { GitUnavailable, PushRefused, RefMoved } from '../../../src/git/errors.ts';
import { hashObject, type ObjectId } from '../../../src/git/object-id.ts';
import { parseRefName } from '../../../src/git/ref-name.ts';
import type { RefUpdate } from '../../../src/git/remote.ts';
import { watchedFileSystem } from '../../support/faulty-file-system.ts';
import { makeTemporaryFolder } from '../../support/temporary-folder.ts';

const ids: readonly ObjectId[] = [0, 1, 2, 3].map(i => hashObject('blob', Buffer.from(`${i}`)));
const [a, b, c] = ids;
assert.ok(a && b && c);

const set = (name: string, to: ObjectId | undefined, from?: ObjectId): RefUpdate => ({
  name: parseRefName(name),
  from,
  to,
});
const inTime = () => AbortSignal.timeout(20_000);

interface Store extends RefStoreOptions {
  /** What the store warned of. */
  readonly warnings: string[];
  put(path: string, content: string): Promise<void>;
  get(path: string): Promise<string | undefined>;
  update(...updates: RefUpdate[]): Promise<void>;
  /** Ids by name. */
  refs(): Promise<Record<string, string>>;
}

function storeIn(fs: FileSystem, gitdir: string): Store {
  const warnings: string[] = [];
  const log = { warn: (_facts: object, message: string) => void warnings.push(message) };
  const options = { fs, gitdir, log, staleLockMs: 60_000 };
  return {
    ...options,
    warnings,
    async put(path, content) {
      await fs.promises.mkdir(`${gitdir}/${path}`.replace(/\/[^/]*$/, ''), { recursive: true });
      await fs.promises.writeFile(`${gitdir}/${path}`, content);
    },
    get: async path => (await fs.promises.readFile(`${gitdir}/${path}`).catch(() => undefined))?.toString(),
    update: (...updates) => updateRefs(options, updates, inTime()),
    async refs() {
      const refs = Array.from(await readRefs(fs, gitdir, ['refs/']), ([name, ref]) => [name, ref.id] as const);
      return Object.fromEntries(refs.sort(([one], [other]) => (one < other ? -1 : 1)));
    },
  };
}

async function updateRefs(...[options, updates, signal]: Parameters<typeof prepareRefs>): Promise<void> {
  await using prepared = await prepareRefs(options, updates, signal);
  await prepared.commit(() => {});
}

interface Place {
  readonly name: string;
  run(body: (store: Store) => Promise<void>): Promise<void>;
}

const places: readonly Place[] = [
  {
    name: 'on disk',
    async run(body) {
      await using folder = await makeTemporaryFolder();
      await createBareRepository(diskFileSystem, `${folder.path}/r.git`, { isExported: false });
      await body(storeIn(diskFileSystem, `${folder.path}/r.git`));
    },
  },
  {
    name: 'in memory',
    async run(body) {
      const fs = createFsFromVolume(new Volume());
      await createBareRepository(fs, '/r.git', { isExported: false });
      await body(storeIn(fs, '/r.git'));
    },
  },
];

const header = '# pack-refs with: peeled fully-peeled sorted \n';

/** Makes a file look as if it had been written some time ago. */
async function age(store: Store, path: string, ms: number): Promise<void> {
  const time = new Date(Date.now() - ms);
  const { promises } = store.fs;
  assert.ok('utimes' in promises && typeof promises.utimes === 'function');
  await promises.utimes(`${store.gitdir}/${path}`, time, time);
}

for (const place of places) {
  describe(`the refs of a bare repository ${place.name}`, () => {
    const storeTest = (name: string, body: (store: Store) => Promise<void>) => test(name, () => place.run(body));

    storeTest('a loose ref wins over a packed one, and either is enough', async store => {
      await store.put('packed-refs', `${header}${a} refs/heads/main\n${a} refs/tags/v1.0.0\n`);
      await store.put('refs/heads/main', `${b}\n`);
      await store.put('refs/tags/sub/v1.0.0', `${c}\n`);
      assert.deepEqual(await store.refs(), {
        'refs/heads/main': b,
        'refs/tags/sub/v1.0.0': c,
        'refs/tags/v1.0.0': a,
      });
    });

    storeTest('a ref that git packs while we read is not missed', async store => {
      for (const moment of ['readdir', 'readFile'] as const) {
        await store.put('packed-refs', header);
        await store.put('refs/tags/v1.0.0', `${a}\n`);
        const { promises } = store.fs;
        const packing = async (path: string) => {
          const isTheMoment = moment === 'readdir' ? path.endsWith('/refs/tags') : path.endsWith('/v1.0.0');
          if (!isTheMoment || (await store.get('packed-refs')) !== header) return;
          await store.put('packed-refs', `${header}${a} refs/tags/v1.0.0\n`);
          await promises.unlink(`${store.gitdir}/refs/tags/v1.0.0`);
        };
        const fs: FileSystem = {
          promises: Object.assign(Object.create(promises), {
            [moment]: async (path: string) => {
              await packing(path);
              return await promises[moment](path);
            },
          }),
        };
        const refs = await readRefs(fs, store.gitdir, ['refs/']);
        assert.deepEqual([...refs.keys()], ['refs/tags/v1.0.0'], moment);
      }
    });

    storeTest('packed refs are peeled as far as the file says', async store => {
      const cases: readonly { traits: string; lines: string; peeled: unknown }[] = [
        { traits: header, lines: `${a} refs/tags/t\n^${b}\n`, peeled: b },
        { traits: header, lines: `${a} refs/tags/t\n`, peeled: null },
        { traits: '# pack-refs with: peeled \n', lines: `${a} refs/tags/t\n`, peeled: null },
        { traits: '# pack-refs with: peeled \n', lines: `${a} refs/heads/t\n`, peeled: undefined },
        { traits: '', lines: `${a} refs/tags/t\n`, peeled: undefined },
      ];
      for (const { traits, lines, peeled } of cases) {
        await store.put('packed-refs', traits + lines);
        const [ref] = (await readRefs(store.fs, store.gitdir, ['refs/'])).values();
        assert.deepEqual(ref, { id: a, peeled }, traits + lines);
        const name = lines.includes('heads') ? 'refs/heads/t' : 'refs/tags/t';
        await store.put(name, `${c}\n`);
        const [moved] = (await readRefs(store.fs, store.gitdir, ['refs/'])).values();
        assert.deepEqual(moved, { id: c, peeled: undefined });
        await store.fs.promises.unlink(`${store.gitdir}/${name}`);
      }
    });

    storeTest('what is no ref is passed over, what should be one and can’t be read is an outage', async store => {
      await store.put('refs/tags/v1.0.0', `${a}\n`);
      await store.put('refs/tags/v1.0.1.lock', '');
      await store.put('refs/tags/.hidden', 'junk');
      await store.put('refs/tags/HEAD', 'ref: refs/tags/nowhere\n');
      assert.deepEqual(await store.refs(), { 'refs/tags/v1.0.0': a });
      for (const junk of ['', 'junk', '0'.repeat(40), `${a}${a}`]) {
        await store.put('refs/tags/v1.0.2', junk);
        await assert.rejects(store.refs(), GitUnavailable, junk);
      }
      await store.put('refs/tags/v1.0.2', `${a}\n`);
      for (const junk of ['junk', `${a}\n`, `^${a}\n`, `${a} refs/tags/x\n^junk\n`]) {
        await store.put('packed-refs', junk);
        await assert.rejects(store.refs(), GitUnavailable, junk);
      }
    });

    storeTest('a symbolic ref is what it leads to, and is not written through', async store => {
      await store.put('refs/heads/main', `${a}\n`);
      await store.put('refs/heads/also', 'ref: refs/heads/main\n');
      await store.put('refs/heads/round', 'ref: refs/heads/round\n');
      await store.put('packed-refs', `${header}${b} refs/heads/also\n${b} refs/heads/old\n`);
      await store.put('refs/heads/packed', 'ref: refs/heads/old\n');
      assert.deepEqual(await store.refs(), {
        'refs/heads/also': a,
        'refs/heads/main': a,
        'refs/heads/old': b,
        'refs/heads/packed': b,
      });
      await assert.rejects(store.update(set('refs/heads/also', c, a)), PushRefused);
    });

    storeTest('an update holds only with its expectation, whether the ref is loose, packed or absent', async store => {
      await store.put('packed-refs', `${header}${a} refs/tags/packed\n${a} refs/tags/both\n`);
      await store.put('refs/tags/both', `${b}\n`);
      for (const [name, from] of [
        ['packed', a],
        ['both', b],
        ['absent', undefined],
      ] as const) {
        for (const wrong of [a, b, c, undefined]) {
          if (wrong === from) continue;
          await assert.rejects(
            store.update(set(`refs/tags/${name}`, c, wrong)),
            error => error instanceof RefMoved && error.ref === `refs/tags/${name}`,
          );
        }
        await store.update(set(`refs/tags/${name}`, c, from));
        assert.equal(await store.get(`refs/tags/${name}`), `${c}\n`);
      }
      assert.deepEqual(await store.refs(), { 'refs/tags/absent': c, 'refs/tags/both': c, 'refs/tags/packed': c });
      assert.deepEqual(await locksIn(store), []);
    });

    storeTest('deleting takes the packed line with what it peels to, and no other byte', async store => {
      const other = `${a} refs/heads/main\n${b} refs/tags/ünïcode\n^${c}\n`;
      const file = `${header}${other}${a} refs/tags/v1.0.0\n^${b}\n${a} refs/tags/v1.0.0-rc\n`;
      await store.put('packed-refs', file);
      await store.put('refs/tags/v1.0.0', `${c}\n`);
      await store.update(set('refs/tags/v1.0.0', undefined, c), set('refs/tags/loose', a));
      assert.equal(await store.get('packed-refs'), `${header}${other}${a} refs/tags/v1.0.0-rc\n`);
      assert.equal(await store.get('refs/tags/v1.0.0'), undefined);
      await store.update(set('refs/tags/loose', undefined, a), set('refs/tags/ünïcode', undefined, b));
      assert.deepEqual(await store.refs(), { 'refs/heads/main': a, 'refs/tags/v1.0.0-rc': a });
      assert.deepEqual(await locksIn(store), []);
    });

    storeTest('of several updates all happen or none', async store => {
      await store.put('refs/tags/a', `${a}\n`);
      await store.put('packed-refs', `${header}${a} refs/tags/b\n`);
      const before = await store.refs();
      const bad = [set('refs/tags/c', c), set('refs/tags/a', b, a), set('refs/tags/b', undefined, c)];
      await assert.rejects(store.update(...bad), RefMoved);
      assert.deepEqual(await store.refs(), before);
      assert.deepEqual(await locksIn(store), []);
      await assert.rejects(store.update(set('refs/tags/x', a), set('refs/tags/x', b)), PushRefused);
      await assert.rejects(store.update(set('refs/tags/x', a), set('refs/tags/x/y', b)), PushRefused);
      assert.deepEqual(await store.refs(), before);
    });

    storeTest(
      'a name that is another ref’s folder is refused, loose or packed, and the other is named',
      async store => {
        await store.put('refs/tags/v1.0.0', `${a}\n`);
        await store.put('refs/tags/x/y/v1.0.0', `${a}\n`);
        await store.put('packed-refs', `${header}${a} refs/tags/p/q\n${a} refs/tags/v2.0.0\n`);
        for (const [name, other] of [
          ['v1.0.0/v0.1.0', 'v1.0.0'],
          ['v1.0.0/a/b', 'v1.0.0'],
          ['v2.0.0/v0.1.0', 'v2.0.0'],
          ['x', 'x/y/v1.0.0'],
          ['x/y', 'x/y/v1.0.0'],
          ['p', 'p/q'],
          ['p/q/r', 'p/q'],
        ]) {
          await assert.rejects(
            store.update(set(`refs/tags/${name}`, b)),
            error => error instanceof PushRefused && error.message.includes(`beside ${other}:`),
            name,
          );
        }
        assert.deepEqual(await locksIn(store), []);
      },
    );

    storeTest('empty folders and locks left in them are no refs in the way', async store => {
      await store.fs.promises.mkdir(`${store.gitdir}/refs/tags/v1.0.0/a/b`, { recursive: true });
      await store.put('refs/tags/v1.0.0/x/v0.1.0.lock', '');
      await age(store, 'refs/tags/v1.0.0/x/v0.1.0.lock', 61_000);
      await store.update(set('refs/tags/v1.0.0', a));
      assert.deepEqual(await store.refs(), { 'refs/tags/v1.0.0': a });
      await store.update(set('refs/tags/v1.0.0', undefined, a));
      await store.put('refs/tags/v1.0.0.lock', '');
      await age(store, 'refs/tags/v1.0.0.lock', 61_000);
      await store.update(set('refs/tags/v1.0.0/x', b));
      assert.deepEqual(await store.refs(), { 'refs/tags/v1.0.0/x': b });
    });

    storeTest('of names that exclude each other, made at once, exactly one is made', async store => {
      for (let round = 0; round < 10; round++) {
        const names = [`refs/tags/r${round}`, `refs/tags/r${round}/x`, `refs/tags/r${round}/x/y`];
        const results: PromiseSettledResult<void>[] = await Promise.allSettled(
          names.map(name => store.update(set(name, a))),
        );
        assert.equal(results.filter(result => result.status === 'fulfilled').length, 1);
        for (const result of results) {
          if (result.status === 'rejected') assert.ok(result.reason instanceof PushRefused, String(result.reason));
        }
      }
      assert.equal(Object.keys(await store.refs()).length, 10);
    });

    storeTest('of many who set one ref at once exactly one wins, whatever else they set', async store => {
      for (let round = 0; round < 10; round++) {
        const tag = `refs/tags/v1.0.${round}`;
        const results: PromiseSettledResult<void>[] = await Promise.allSettled(
          Array.from({ length: 8 }, (_, i) => {
            const updates: RefUpdate[] = [
              set(tag, ids[i % 4]),
              set(`refs/heads/z${round}-${i}`, a),
              set(`refs/heads/a${round}-${i}`, a),
            ];
            return store.update(...(i % 2 ? updates : updates.reverse()));
          }),
        );
        assert.equal(results.filter(result => result.status === 'fulfilled').length, 1);
        const winner = results.findIndex(result => result.status === 'fulfilled');
        const refs = await store.refs();
        assert.equal(refs[tag], ids[winner % 4]);
        assert.deepEqual(
          Object.keys(refs).filter(name => name.startsWith(`refs/heads/`) && name.includes(`${round}-`)),
          [`refs/heads/a${round}-${winner}`, `refs/heads/z${round}-${winner}`],
        );
      }
    });

    storeTest('a lock held by another is waited for, until the caller goes', async store => {
      await store.put('refs/tags/v1.0.0.lock', '');
      const reason = new Error('gone');
      const controller = new AbortController();
      const waiting = updateRefs(store, [set('refs/tags/v1.0.0', a)], controller.signal);
      const stillWaiting = Symbol('still waiting');
      const soon = new Promise(resolve => setTimeout(resolve, 50, stillWaiting));
      assert.equal(await Promise.race([waiting, soon]), stillWaiting);
      controller.abort(reason);
      await assert.rejects(waiting, reason);
      const again = store.update(set('refs/tags/v1.0.0', a));
      assert.equal(await store.get('refs/tags/v1.0.0.lock'), '');
      await store.fs.promises.unlink(`${store.gitdir}/refs/tags/v1.0.0.lock`);
      await again;
      assert.deepEqual(store.warnings, []);
    });

    storeTest('who waits for one lock holds no other', async store => {
      await store.put('refs/tags/b.lock', '');
      const waiting = store.update(set('refs/tags/a', a), set('refs/tags/b', a), set('refs/tags/c', a));
      for (const tag of ['a', 'c']) await store.update(set(`refs/tags/${tag}`, b));
      await assert.rejects(store.update(set('refs/tags/a', undefined, c)), RefMoved);
      await store.fs.promises.unlink(`${store.gitdir}/refs/tags/b.lock`);
      await assert.rejects(waiting, RefMoved);
      assert.deepEqual(await store.refs(), { 'refs/tags/a': b, 'refs/tags/c': b });
    });

    storeTest('an old lock is removed and said, a young one is not', async store => {
      await store.put('refs/tags/v1.0.0.lock', `${c}\n`);
      await store.put('packed-refs.lock', 'half a file');
      await store.put('packed-refs', `${header}${a} refs/tags/v1.0.0\n`);
      await age(store, 'refs/tags/v1.0.0.lock', 61_000);
      await age(store, 'packed-refs.lock', 61_000);
      await store.update(set('refs/tags/v1.0.0', undefined, a));
      assert.equal(store.warnings.length, 2);
      assert.deepEqual(await store.refs(), {});
      assert.deepEqual(await locksIn(store), []);
    });

    storeTest(
      'many who find an old lock never hold it at once, even if another died while removing it',
      async store => {
        for (let round = 0; round < 10; round++) {
          const path = `${store.gitdir}/refs/tags/v${round}`;
          const lock = `refs/tags/v${round}.lock`;
          await store.put(lock, '');
          await age(store, lock, 61_000);
          const { ino, mtime } = await store.fs.promises.stat(`${store.gitdir}/${lock}`);
          const guard = `${lock}.${ino}-${mtime.getTime()}.lock`;
          if (round % 2) {
            await store.put(guard, '');
            await age(store, guard, 61_000);
          }
          let holders = 0;
          let most = 0;
          const hold = async () => {
            const held = await untilLocked(path, store);
            holders += 1;
            most = Math.max(most, holders);
            await new Promise(resolve => setTimeout(resolve, 2));
            holders -= 1;
            await held.release();
          };
          await Promise.all(Array.from({ length: 12 }, hold));
          assert.equal(most, 1);
        }
        assert.deepEqual(await locksIn(store), []);
      },
    );

    storeTest('a lock that is made while an old one is about to be removed stays', async store => {
      const lock = 'refs/tags/v1.0.0.lock';
      await store.put(lock, 'old');
      await age(store, lock, 61_000);
      const watch = async (operation: string, path = '') => {
        if (operation !== 'create' || !/\.lock\..*\.lock$/.test(path)) return;
        // Another process removes the old lock and takes its own, between our look and our guard.
        await store.fs.promises.unlink(`${store.gitdir}/${lock}`);
        await store.put(lock, 'new');
      };
      const slow = { ...store, fs: watchedFileSystem(store.fs, watch) };
      assert.equal(await tryLock(`${store.gitdir}/refs/tags/v1.0.0`, slow), undefined);
      assert.equal(await store.get(lock), 'new');
      assert.deepEqual(store.warnings, []);
    });

    storeTest('a ref waits for the lock of a name that would exclude it', async store => {
      for (const [name, other] of [
        ['refs/tags/v1/x', 'refs/tags/v1'],
        ['refs/tags/v2', 'refs/tags/v2/x'],
      ] as const) {
        await store.put(`${other}.lock`, '');
        const waiting = updateRefs(store, [set(name, a)], AbortSignal.timeout(50));
        await assert.rejects(waiting, { name: 'TimeoutError' });
        await store.fs.promises.unlink(`${store.gitdir}/${other}.lock`);
        await store.update(set(name, a));
      }
    });

    storeTest('who lost a lock to others does not change the ref', async store => {
      const path = `${store.gitdir}/refs/tags/v1.0.0`;
      const slow = await untilLocked(path, store);
      await slow.write(Buffer.from(`${a}\n`));
      await age(store, 'refs/tags/v1.0.0.lock', 61_000);
      const quick = await untilLocked(path, store);
      await assert.rejects(slow.commit(), GitUnavailable);
      await slow.release();
      await quick.write(Buffer.from(`${b}\n`));
      await quick.commit();
      assert.equal(await store.get('refs/tags/v1.0.0'), `${b}\n`);
    });
  });
}

async function untilLocked(path: string, store: Store): Promise<Lock> {
  for (;;) {
    const lock = await tryLock(path, store);
    if (lock !== undefined) return lock;
    await new Promise(resolve => setTimeout(resolve, Math.random() * 3));
  }
}

async function locksIn(store: Store): Promise<string[]> {
  const found: string[] = [];
  const walk = async (directory: string): Promise<void> => {
    for (const name of (await store.fs.promises.readdir(directory)).map(String)) {
      const path = `${directory}/${name}`;
      if ((await store.fs.promises.stat(path)).isDirectory()) await walk(path);
      else if (/\.(lock|modforge|tmp)$/.test(name)) found.push(path);
    }
  };
  await walk(store.gitdir);
  return found;
}
