/** A zip that is handed out while it is written. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, afterEach, beforeEach, describe, it } from 'node:test';
import { createFsFromVolume, Volume } from 'memfs';
import pino from 'pino';
import type { Caller } from '../../src/forge/credentials.ts';
import { createLocalForge } from '../../src/forge/local/local-forge.ts';
import type { Remote, SnapshotFile } from '../../src/git/remote.ts';
import { parseModulePath } from '../../src/gomod/module-path.ts';
import { Registry } from '../../src/registry/registry.ts';
import { type Bulk, readParts, sliceOf } from '../../src/spool/slice.ts';
import { createSpool, type Spool, SpoolFault } from '../../src/spool/spool.ts';
import { moduleZip } from '../support/module-zip.ts';
import { never } from '../support/never.ts';

const ann: Caller = { kind: 'user', credentials: { kind: 'basic', user: 'ann', password: 'secret' } };
const log = pino({ level: 'silent' });
const spoolAboveBytes = 100_000;

const contentOf = async (bulk: Bulk) => Buffer.concat(await Promise.all(readParts(sliceOf(bulk))));

/** Gives a spool's bytes for as long as `isSound` says so. */
const faulty = (spool: Spool, isSound: () => boolean): Spool => ({
  ...spool,
  byteLength: spool.byteLength,
  read(start, end) {
    if (!isSound()) throw new SpoolFault('the disk is gone');
    return spool.read(start, end);
  },
});

describe('a large zip', () => {
  let newRegistry: () => Registry;
  let registry: Registry;
  /** Their caches own spools. */
  let registries: Registry[] = [];
  let snapshots: number;
  let isSound: boolean;
  let dataHash: string | undefined;

  // Threads do not keep the process from ending.
  const alive = setInterval(() => {}, 1_000);
  after(() => clearInterval(alive));

  beforeEach(async () => {
    snapshots = 0;
    isSound = true;
    dataHash = undefined;
    const fs = createFsFromVolume(new Volume());
    const users = new Map([['ann', 'secret']]);
    const forge = createLocalForge({ fs, directory: '/', users, visibility: 'private', log });
    const remote = (...of: Parameters<typeof forge.remote>): Remote => {
      const sound = forge.remote(...of);
      const snapshot: Remote['snapshot'] = async (...asked) => {
        snapshots += 1;
        const taken = await sound.snapshot(...asked);
        return { ...taken, files: onFaultyDisk(taken.files), dataHash: () => dataHash ?? taken.dataHash() };
      };
      return { ...sound, snapshot };
    };
    newRegistry = () => {
      const made = new Registry({
        forge: { ...forge, remote },
        owners: ['acme'],
        pathRules: [],
        anonymousRead: 'all',
        privatePaths: '',
        republish: 'any',
        cacheBytes: 2 ** 24,
        spoolAboveBytes,
        refsTtlMs: 1,
        log,
      });
      registries.push(made);
      return made;
    };
    registry = newRegistry();
    const body = await moduleZip('example.com/lib', 'v1.0.0', { 'data.bin': randomBytes(3_000_000) });
    await registry.publish({ owner: 'acme', caller: ann, body, expected: undefined }, never);
    await registry.settled();
  });

  afterEach(async () => {
    for (const made of registries) await made[Symbol.asyncDispose]();
    registries = [];
  });

  async function* onFaultyDisk(files: AsyncIterable<readonly SnapshotFile[]>) {
    for await (const batch of files) {
      yield batch.map(file => {
        const { bulk } = file.blob.data;
        const data = Buffer.isBuffer(bulk) ? file.blob.data : { ...file.blob.data, bulk: faulty(bulk, () => isSound) };
        return { ...file, blob: { ...file.blob, data } };
      });
    }
  }

  const read = () =>
    registry.read(
      { owner: 'acme', module: parseModulePath('example.com/lib'), caller: ann },
      { kind: 'version', query: 'v1.0.0', file: 'zip' },
      never,
    );

  it('has its size and its validator before its bytes, and the same ones each time', async () => {
    await using first = await read();
    const { bytes, etag } = first.content;
    assert.ok(!Buffer.isBuffer(bytes));
    assert.ok(bytes.byteLength > 3_000_000);
    const whole = await contentOf(bytes);
    assert.equal(whole.byteLength, bytes.byteLength);
    registry = newRegistry();
    await using second = await read();
    assert.equal(second.content.etag, etag);
    assert.ok((await contentOf(second.content.bytes)).equals(whole));
    registry = newRegistry();
    dataHash = 'of data that is compressed in another way';
    await using third = await read();
    assert.notEqual(third.content.etag, etag);
    assert.equal(snapshots, 3);
  });

  it('is made once for all who ask meanwhile', async () => {
    const answers = await Promise.all([read(), read(), read()]);
    const contents = await Promise.all(answers.map(({ content }) => contentOf(content.bytes)));
    for (const content of contents) assert.ok(content.equals(contents[0] ?? Buffer.alloc(0)));
    for (const answer of answers) await answer[Symbol.asyncDispose]();
    assert.equal(snapshots, 1);
  });

  it('that can’t be finished is an error for who reads it, and is made anew for the next', async () => {
    {
      isSound = false;
      await using answer = await read();
      await assert.rejects(contentOf(answer.content.bytes), SpoolFault);
    }
    isSound = true;
    await using answer = await read();
    assert.equal((await contentOf(answer.content.bytes)).byteLength, answer.content.bytes.byteLength);
    assert.equal(snapshots, 2);
    await using kept = await read();
    assert.equal(kept.content.bytes, answer.content.bytes);
  });

  it('is finished when whoever asked for it has gone', async () => {
    {
      await using _ = await read();
    }
    await using answer = await read();
    assert.equal((await contentOf(answer.content.bytes)).byteLength, answer.content.bytes.byteLength);
    assert.equal(snapshots, 1);
  });
});

describe('a spool that is being written', () => {
  it('gives what is expected when it is there', async () => {
    await using spool = await createSpool();
    const bytes = randomBytes(3_000_000);
    spool.expect(bytes.byteLength);
    assert.equal(spool.byteLength, bytes.byteLength);
    const all = contentOf(spool);
    const last = Promise.resolve(spool.read(2_999_999, 3_000_000));
    for (let at = 0; at < bytes.byteLength; at += 70_000) await spool.append(bytes.subarray(at, at + 70_000));
    assert.ok((await all).equals(bytes));
    assert.deepEqual(await last, bytes.subarray(2_999_999));
    assert.throws(() => spool.read(0, 3_000_001), RangeError);
  });

  it('gives the beginning before the end is there, to whoever asked first', async () => {
    await using spool = await createSpool();
    spool.expect(100);
    const last = Promise.resolve(spool.read(90, 100));
    const first = Promise.resolve(spool.read(0, 10));
    await spool.append(Buffer.alloc(50, 1));
    assert.deepEqual(await first, Buffer.alloc(10, 1));
    await spool.append(Buffer.alloc(50, 2));
    assert.deepEqual(await last, Buffer.alloc(10, 2));
  });

  it('gives what came in one piece, however large', async () => {
    for (const size of [10, 1_500_000]) {
      await using spool = await createSpool();
      const bytes = randomBytes(size);
      spool.expect(size);
      const whole = Promise.resolve(spool.read(0, size));
      await spool.append(bytes);
      assert.ok((await whole).equals(bytes), `${size}`);
    }
  });

  it('tells who waits, and who comes later, why nothing more will come', async () => {
    await using spool = await createSpool();
    spool.expect(100);
    await spool.append(Buffer.alloc(50, 1));
    const waiting = Promise.resolve(spool.read(0, 51));
    spool.fail(new SpoolFault('full'));
    await assert.rejects(waiting, /full/);
    await assert.rejects(async () => spool.read(99, 100), /full/);
    assert.deepEqual(await spool.read(0, 50), Buffer.alloc(50, 1));
  });
});
