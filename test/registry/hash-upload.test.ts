import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, describe, it } from 'node:test';
import { hashObject } from '../../src/git/object-id.ts';
import { HashAhead } from '../../src/registry/hash-ahead.ts';
import type { FileHashes, HashedEntry } from '../../src/registry/hash-file.ts';
import { startHashThreads } from '../../src/registry/hash-threads.ts';
import { hashUpload, minBytesForThreads } from '../../src/registry/hash-upload.ts';
import { openUpload } from '../../src/registry/read-upload.ts';
import { readSlice } from '../../src/spool/slice.ts';
import { InvalidZip } from '../../src/zip/errors.ts';
import { readZip, type ZipEntry } from '../../src/zip/read-zip.ts';
import { countTurns } from '../support/count-turns.ts';
import { type CraftedEntry, craftZip } from '../support/craft-zip.ts';
import { moduleZip } from '../support/module-zip.ts';
import { never } from '../support/never.ts';

const megabyte = 2 ** 20;
const noise = { name: 'noise', content: randomBytes(minBytesForThreads).toString('latin1') };

async function begin(entries: readonly CraftedEntry[], signal = never) {
  const archive = craftZip(entries);
  const hashing = hashUpload<ZipEntry>({
    archive,
    ahead: undefined,
    isContentWanted: ({ name }) => name === 'go.mod',
    signal,
  });
  await readZip(archive, never, hashing.add);
  return hashing;
}

async function batchesOf(entries: readonly CraftedEntry[]): Promise<(readonly HashedEntry<ZipEntry>[])[]> {
  await using hashing = await begin(entries);
  const batches: (readonly HashedEntry<ZipEntry>[])[] = [];
  for await (const batch of hashing.finish()) batches.push(batch);
  return batches;
}

/** The hashes by name, with those that threads were given as the archive came, in pieces of so many bytes. */
async function hashesAhead(archive: Buffer, pieceBytes: number, signal = never, maxBytes = archive.length) {
  const ahead = new HashAhead(maxBytes, signal);
  for (let at = 0; at < archive.length; at += pieceBytes) ahead.take(archive.subarray(at, at + pieceBytes));
  const isContentWanted = ({ name }: ZipEntry) => name === 'go.mod';
  await using hashing = hashUpload<ZipEntry>({ archive, ahead, isContentWanted, signal: never });
  const entries = await readZip(archive, never, hashing.add);
  const hashes = new Map<string, unknown>();
  for await (const batch of hashing.finish()) for (const { file, hashes: found } of batch) hashes.set(file.name, found);
  return { hashes, entries, ahead };
}

const waiting = (): number => startHashThreads().reduce((sum, thread) => sum + thread.waiting, 0);

describe('hashing an upload while it comes', () => {
  const alive = setInterval(() => {}, 1_000);
  after(() => clearInterval(alive));

  const contents = Array.from({ length: 600 }, (_, i) => randomBytes(500 + (i % 40) * 100).toString('hex'));
  const crafted = contents.map((content, i): CraftedEntry => {
    const name = i === 300 ? 'go.mod' : `${i}.go`;
    if (i % 50 === 7) return { name, content, method: 0 };
    return { name, content, ...(i % 3 > 0 && { descriptor: i % 100 === 50 ? 'bare' : 'signed' }) };
  });
  const large = { name: 'large', content: randomBytes(400_000).toString('hex') };

  it('gives what it gives without', async () => {
    const archive = craftZip([...crafted.slice(0, 200), large, ...crafted.slice(200)]);
    assert.ok(archive.length > megabyte);
    const expected = (await batchesOf([...crafted.slice(0, 200), large, ...crafted.slice(200)])).flat();
    for (const pieceBytes of [1_000, 65_536, archive.length]) {
      const { hashes } = await hashesAhead(archive, pieceBytes);
      assert.equal(hashes.size, 601);
      for (const { file, hashes: alone } of expected)
        assert.deepEqual(bare(hashes.get(file.name)), bare(alone), file.name);
    }
  });

  it('does nearly all of the work before the directory is read', async () => {
    const archive = craftZip(
      contents.map((content, i) => ({ name: `${i}`.padStart(1_000, 'n'), content, descriptor: 'signed' })),
    );
    const { entries, ahead } = await hashesAhead(archive, 65_536);
    const found = await Promise.all(entries.map(async entry => (await ahead.partOf(entry))?.hashesOf(entry)));
    // The last part is not full, and is left for later.
    const inParts = archive.length - 288 * 1024;
    assert.ok(inParts > megabyte / 2);
    for (const [i, { data }] of entries.entries()) assert.ok(found[i] || data.end > inParts, `${i}`);
  });

  it('believes the directory, not what it found', async () => {
    const archive = craftZip(crafted);
    const { entries, ahead } = await hashesAhead(archive, 65_536);
    const entry = entries[1];
    assert.ok(entry);
    const part = await ahead.partOf(entry);
    assert.ok(part);
    assert.ok(part.hashesOf(entry));
    const { start, end } = entry.data;
    for (const lie of [
      { bytes: entry.bytes + 1 },
      { crc32: entry.crc32 ^ 1 },
      { method: 0 },
      { data: { ...entry.data, start: start + 1 } },
      { data: { ...entry.data, end: end - 1 } },
    ]) {
      assert.equal(part.hashesOf({ ...entry, ...lie }), undefined, JSON.stringify(lie));
    }
  });

  it('tells what is wrong with files as without', async () => {
    const lying = crafted.map((entry, i) =>
      i === 20 ? { ...entry, bytes: 3 } : i === 21 ? { ...entry, crc32: 1 } : entry,
    );
    const { hashes } = await hashesAhead(craftZip(lying), 65_536);
    const faults = [...hashes].filter(([, found]) => found instanceof InvalidZip).map(([name]) => name);
    assert.deepEqual(faults.sort(), ['20.go', '21.go']);
  });

  it('gives the content that is wanted', async () => {
    const content = 'module m\n';
    const { hashes } = await hashesAhead(craftZip([{ name: 'go.mod', content }, noise]), 65_536);
    assert.deepEqual((hashes.get('go.mod') as FileHashes).content, Buffer.from(content));
  });

  it('looks at no more bytes than it is told', async () => {
    const archive = craftZip(crafted);
    const { hashes, entries, ahead } = await hashesAhead(archive, 65_536, never, 1);
    assert.equal(hashes.size, entries.length);
    const parts = new Set(entries.map(entry => ahead.partOf(entry)));
    parts.delete(undefined);
    assert.equal(parts.size, 1);
  });

  it('begins nothing for who is gone', async () => {
    const archive = craftZip(crafted);
    const { hashes, entries, ahead } = await hashesAhead(archive, 65_536, AbortSignal.abort());
    assert.equal(hashes.size, entries.length);
    for (const entry of entries) assert.equal(await ahead.partOf(entry), undefined);
  });
});

/** Where the deflate stream of what was stored lies is of no interest. */
function bare(hashes: unknown) {
  assert.ok(typeof hashes === 'object' && hashes !== null && 'deflated' in hashes && 'id' in hashes);
  const { deflated, ...others } = hashes as FileHashes;
  return { ...others, deflated: Buffer.from(readSlice(deflated) as Buffer).toString('hex') };
}

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
    const turns = await countTurns(async () => {
      for await (const _ of hashing.finish());
    });
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
    await using opened = await openUpload({ body: zip, expected: undefined }, never);
    await opened.read({ onFile: () => {} });
    clearImmediate(next);
    longestTurn = Math.max(longestTurn, performance.now() - last);
    const whole = performance.now() - start;
    assert.ok(longestTurn < whole / 2, `a turn of ${longestTurn} ms of ${whole} ms`);
  });
});
