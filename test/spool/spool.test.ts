import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Gatherer, recycle } from '../../src/spool/gatherer.ts';
import { type Bulk, readParts, readSlice, release, sliceOf, subslice } from '../../src/spool/slice.ts';
import { SliceStore } from '../../src/spool/slice-store.ts';
import { createSpool, openSpool, SpoolFault } from '../../src/spool/spool.ts';
import { countDeletedFiles, withoutProc } from '../support/deleted-files.ts';

const bytesOf = (length: number, seed = 1) => Buffer.from(Array.from({ length }, (_, i) => (i * 31 + seed) % 251));

/** Runs `work` while files can't be kept anywhere. */
async function withoutRoom(work: () => Promise<void>): Promise<void> {
  const { TMPDIR } = process.env;
  process.env.TMPDIR = '/nowhere';
  try {
    await work();
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  }
}

const isFault = (error: unknown) =>
  error instanceof SpoolFault && /^cannot keep a file in \/nowhere: ENOENT.*TMPDIR$/.test(error.message);

describe('a spool', () => {
  it('gives back what was appended, wherever and whenever it is read', async () => {
    const step = fc.record({ append: fc.nat(400_000), from: fc.nat(), bytes: fc.nat(600_000) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async steps => {
        await using spool = await createSpool();
        let appended = Buffer.alloc(0);
        const early: { slice: Buffer; copy: Buffer }[] = [];
        for (const [i, { append, from, bytes }] of steps.entries()) {
          const piece = bytesOf(append, i);
          await spool.append(piece);
          appended = Buffer.concat([appended, piece]);
          // It was copied.
          piece.fill(0);
          assert.equal(spool.byteLength, appended.byteLength);
          const start = from % (appended.byteLength + 1);
          const end = Math.min(start + bytes, appended.byteLength);
          const slice = await spool.read(start, end);
          assert.ok(slice.equals(appended.subarray(start, end)), `${start} to ${end} of ${appended.byteLength}`);
          early.push({ slice, copy: Buffer.from(slice) });
        }
        for (const { slice, copy } of early) assert.ok(slice.equals(copy), 'a slice changed after it was read');
      }),
      { numRuns: 15 },
    );
  });

  it('reads while it is written', async () => {
    await using spool = await createSpool();
    const bytes = bytesOf(3_000_000);
    const reads: Promise<void>[] = [];
    for (let at = 0; at < bytes.byteLength; at += 100_000) {
      const appending = spool.append(bytes.subarray(at, at + 100_000));
      const end = spool.byteLength;
      const start = Math.max(0, end - 350_000);
      reads.push(
        Promise.resolve(spool.read(start, end)).then(read => assert.ok(read.equals(bytes.subarray(start, end)))),
      );
      await appending;
    }
    await Promise.all(reads);
  });

  it('has no name, and is gone when all who own it have let go of it', { skip: withoutProc }, async () => {
    const before = countDeletedFiles();
    const spool = await createSpool();
    assert.equal(countDeletedFiles(), before + 1);
    assert.deepEqual(
      readdirSync(tmpdir()).filter(name => /^modforge-[0-9a-f]+$/.test(name)),
      [],
    );
    await spool.append(bytesOf(10));
    spool.retain();
    await spool[Symbol.asyncDispose]();
    assert.deepEqual(await spool.read(0, 10), bytesOf(10));
    await spool[Symbol.asyncDispose]();
    assert.equal(countDeletedFiles(), before);
  });

  it('gives its file away with all that was appended', async () => {
    const bytes = bytesOf(300_000);
    const first = await createSpool();
    await first.append(bytes);
    await using second = openSpool(await first.detach());
    assert.equal(second.byteLength, bytes.byteLength);
    assert.ok((await second.read(0, bytes.byteLength)).equals(bytes));
  });

  it('refuses to read what was not appended', async () => {
    await using spool = await createSpool();
    await spool.append(bytesOf(10));
    for (const [start, end] of [
      [-1, 2],
      [3, 2],
      [5, 11],
    ] as const) {
      assert.throws(() => spool.read(start, end), RangeError);
    }
  });

  it('says what to do where there is no room', async () => {
    await withoutRoom(async () => assert.rejects(createSpool(), isFault));
  });
});

const contentOf = async (bulk: Bulk) => Buffer.concat(await Promise.all(readParts(sliceOf(bulk))));

describe('a Gatherer', () => {
  it('keeps bytes in memory up to its size, and all of them on the disk beyond it', async () => {
    for (const [pieces, expected, isInMemory] of [
      [[], 0, true],
      [[100], 0, true],
      [[60, 40], 0, true],
      [[60, 40], 50, true],
      [[60, 20, 3], 100, true],
      [[60, 41], 0, false],
      [[60, 40, 2_000_000, 3], 0, false],
      [[1], 101, false],
    ] as const) {
      await using gatherer = new Gatherer(100, expected);
      for (const [i, piece] of pieces.entries()) await gatherer.add(bytesOf(piece, i));
      const bulk = await gatherer.take();
      assert.equal(Buffer.isBuffer(bulk), isInMemory, `${pieces}`);
      assert.ok((await contentOf(bulk)).equals(Buffer.concat(pieces.map((piece, i) => bytesOf(piece, i)))));
      await release(bulk);
    }
  });

  it('uses memory again that was let go of, unless it is much', async () => {
    const gather = async (bytes: number, seed: number) => {
      await using gatherer = new Gatherer(8_000_000, bytes);
      await gatherer.add(bytesOf(bytes, seed));
      const bulk = await gatherer.take();
      assert.ok(Buffer.isBuffer(bulk) && bulk.equals(bytesOf(bytes, seed)), `${bytes} bytes`);
      return bulk;
    };
    const first = await gather(300_000, 1);
    await recycle(first);
    const second = await gather(200_000, 2);
    const third = await gather(200_000, 3);
    assert.equal(second.buffer, first.buffer);
    assert.notEqual(third.buffer, second.buffer);
    assert.ok(second.equals(bytesOf(200_000, 2)));
    const large = await gather(5_000_000, 4);
    await recycle(second);
    await recycle(large);
    await recycle(third);
    const next = await gather(100_000, 5);
    assert.equal(next.buffer, second.buffer);
  });

  it('lets go of what nobody took, and of nothing else', { skip: withoutProc }, async () => {
    const before = countDeletedFiles();
    {
      await using gatherer = new Gatherer(0);
      await gatherer.add(bytesOf(10));
      assert.equal(countDeletedFiles(), before + 1);
    }
    assert.equal(countDeletedFiles(), before);
    let taken: Bulk;
    {
      await using gatherer = new Gatherer(0);
      await gatherer.add(bytesOf(10));
      taken = await gatherer.take();
    }
    assert.deepEqual(await contentOf(taken), bytesOf(10));
    await release(taken);
    assert.equal(countDeletedFiles(), before);
  });

  it('leaves no file behind when it is let go of while one is made', { skip: withoutProc }, async () => {
    const before = countDeletedFiles();
    const gatherer = new Gatherer(0);
    const adding = Promise.resolve(gatherer.add(bytesOf(10))).catch(() => {});
    await gatherer[Symbol.asyncDispose]();
    await adding;
    assert.equal(countDeletedFiles(), before);
  });

  it('says where there is no room, and can be let go of then', async () => {
    await withoutRoom(async () => {
      await using gatherer = new Gatherer(5);
      await gatherer.add(bytesOf(5));
      await assert.rejects(async () => gatherer.add(bytesOf(1)), isFault);
    });
  });
});

describe('a SliceStore', () => {
  it('keeps copies of pieces, in memory up to its size and on the disk from there on', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(60_000), { maxLength: 30 }), fc.nat(400_000), async (sizes, spoolAboveBytes) => {
        await using store = new SliceStore(spoolAboveBytes);
        const kept = [];
        let bytes = 0;
        for (const [i, size] of sizes.entries()) {
          const piece = bytesOf(size, i);
          kept.push(await store.keep(piece));
          piece.fill(0);
          bytes += size;
          assert.equal(Buffer.isBuffer(kept.at(-1)?.bulk), bytes <= spoolAboveBytes);
        }
        for (const [i, slice] of kept.entries()) {
          const size = sizes[i] ?? 0;
          assert.ok((await readSlice(slice)).equals(bytesOf(size, i)));
          assert.ok((await readSlice(subslice(slice, 1, size + 9))).equals(bytesOf(size, i).subarray(1)));
        }
      }),
      { numRuns: 30 },
    );
  });

  it('lets go of what it keeps and what it adopted', { skip: withoutProc }, async () => {
    const before = countDeletedFiles();
    {
      await using store = new SliceStore(0);
      await store.keep(bytesOf(10));
      await using other = new SliceStore(0);
      await other.keep(bytesOf(10));
      store.adopt((await other.detach()).flatMap(bulk => (Buffer.isBuffer(bulk) ? [] : openSpool(bulk))));
      assert.equal(countDeletedFiles(), before + 2);
    }
    assert.equal(countDeletedFiles(), before);
  });
});
