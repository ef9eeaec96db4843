import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, describe, it } from 'node:test';
import { hashObject } from '../../src/git/object-id.ts';
import type { HashedEntry } from '../../src/registry/hash-file.ts';
import { startHashThreads } from '../../src/registry/hash-threads.ts';
import { hashUpload, minBytesForThreads } from '../../src/registry/hash-upload.ts';
import { openUpload } from '../../src/registry/read-upload.ts';
import { InvalidZip } from '../../src/zip/errors.ts';
import { readZip, type ZipEntry } from '../../src/zip/read-zip.ts';
import { type CraftedEntry, craftZip } from '../support/craft-zip.ts';
import { moduleZip } from '../support/module-zip.ts';
import { never } from '../support/never.ts';

const megabyte = 2 ** 20;
const noise = { name: 'noise', content: randomBytes(minBytesForThreads).toString('latin1') };

async function begin(entries: readonly CraftedEntry[], signal = never) {
  const archive = craftZip(entries);
  const hashing = hashUpload<ZipEntry>({ archive, isContentWanted: ({ name }) => name === 'go.mod', signal });
  await readZip(archive, never, hashing.add);
  return hashing;
}

async function batchesOf(entries: readonly CraftedEntry[]): Promise<(readonly HashedEntry<ZipEntry>[])[]> {
  await using hashing = await begin(entries);
  const batches: (readonly HashedEntry<ZipEntry>[])[] = [];
  for await (const batch of hashing.finish()) batches.push(batch);
  return batches;
}

const waiting = (): number => startHashThreads().reduce((sum, thread) => sum + thread.waiting, 0);

describe('hashing an upload', () => {
  // Threads do not keep the process from ending.
  const alive = setInterval(() => {}, 1_000);
  after(() => clearInterval(alive));

  for (const [where, more] of [
    ['on this thread', []],
    ['on others', [noise]],
  ] as const) {
    it(`gives files in their order, with what is wrong with them, ${where}`, async () => {
      const entries = [
        { name: 'a', content: 'package a\n'.repeat(1_000) },
        { name: 'damaged', content: 'b'.repeat(50_000), crc32: 1 },
        { name: 'stored', content: 'stored\n'.repeat(9), method: 0 },
        { name: 'go.mod', content: 'module m\n' },
        ...more,
      ];
      const hashed = (await batchesOf(entries)).flat();
      assert.deepEqual(
        hashed.map(({ file }) => file.name),
        entries.map(({ name }) => name),
      );
      for (const [i, { file, hashes }] of hashed.entries()) {
        const content = Buffer.from(entries[i]?.content ?? '');
        if (file.name === 'damaged') {
          assert.ok(hashes instanceof InvalidZip);
          assert.deepEqual(
            hashes.problems.map(({ code, file }) => [code, file]),
            [['checksum', 'damaged']],
          );
          continue;
        }
        assert.ok(!(hashes instanceof InvalidZip), file.name);
        assert.equal(hashes.id, hashObject('blob', content));
        assert.deepEqual(Buffer.from(hashes.sha256), createHash('sha256').update(content).digest());
        assert.deepEqual(hashes.content, file.name === 'go.mod' ? content : undefined);
      }
    });
  }

  it('takes few large contents at a time, however small they are compressed', async () => {
    const zeros = Array.from({ length: 40 }, (_, i) => ({ name: `${i}`, content: '0'.repeat(megabyte) }));
    const batches = await batchesOf([...zeros, noise]);
    assert.equal(batches.flat().length, 41);
    for (const batch of batches) assert.ok(batch.length <= 4, `${batch.length} MB at once`);
  });

  it('begins before it is asked for hashes, and with no more than so many bytes of contents', async () => {
    const zeros = Array.from({ length: 100 }, (_, i) => ({ name: `${i}`, content: '0'.repeat(megabyte) }));
    await using _ = await begin([noise, ...zeros]);
    await new Promise(resolve => setImmediate(resolve));
    assert.ok(waiting() > 0);
    // Of 4 MB each, and the one before them.
    assert.ok(waiting() <= 7, `${waiting()} batches`);
  });

  it('leaves no work behind when nobody wants it', async () => {
    const zeros = Array.from({ length: 40 }, (_, i) => ({ name: `${i}`, content: '0'.repeat(megabyte) }));
    {
      await using _ = await begin([...zeros, noise]);
      // What is sent is sent in a turn of its own.
      await new Promise(resolve => setImmediate(resolve));
      assert.ok(waiting() > 0);
    }
    assert.equal(waiting(), 0);
  });

  it('stops when told', async () => {
    await using hashing = await begin([noise], AbortSignal.abort(new Error('as told')));
    await assert.rejects(async () => {
      for await (const _ of hashing.finish());
    }, /as told/);
  });

  it('lets others have their turn between small files of a small upload', async () => {
    const entries = Array.from({ length: 3_000 }, (_, i) => ({ name: `${i}`, content: `${i}`.repeat(20) }));
    await using hashing = await begin(entries);
    let turns = 0;
    let next: NodeJS.Immediate;
    const count = () => {
      turns += 1;
      next = setImmediate(count);
    };
    next = setImmediate(count);
    for await (const _ of hashing.finish());
    clearImmediate(next);
    assert.ok(turns > 3, `${turns} turns`);
  });

  it('lets others have their turn between files that are looked through', async () => {
    // All in one batch.
    const modules = Array.from({ length: 5 }, (_, i): [string, string] => [
      `${i}/.gitmodules`,
      '[a]\nb=c\n'.repeat(90_000),
    ]);
    const zip = await moduleZip('example.com/lib', 'v1.0.0', Object.fromEntries(modules));
    const start = performance.now();
    let last = start;
    let longestTurn = 0;
    let next: NodeJS.Immediate | undefined;
    const look = () => {
      longestTurn = Math.max(longestTurn, performance.now() - last);
      last = performance.now();
      next = setImmediate(look);
    };
    look();
    await using opened = await openUpload(zip, undefined, never);
    await opened.read({ onFile: () => {} });
    clearImmediate(next);
    longestTurn = Math.max(longestTurn, performance.now() - last);
    const whole = performance.now() - start;
    assert.ok(longestTurn < whole / 2, `a turn of ${longestTurn} ms of ${whole} ms`);
  });
});
