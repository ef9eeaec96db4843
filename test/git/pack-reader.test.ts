import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { crc32, deflateSync, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { applyDelta } from '../../src/git/apply-delta.ts';
import { CorruptPack } from '../../src/git/errors.ts';
import { hashObject, type ObjectId, type ObjectKind, parseObjectId } from '../../src/git/object-id.ts';
import { packObject } from '../../src/git/packed-object.ts';
import { type ReadPackOptions, readPack } from '../../src/git/read-pack.ts';
import { readSlice } from '../../src/spool/slice.ts';
import { SliceStore } from '../../src/spool/slice-store.ts';
import { craftEntry, craftPack, encodeDistance, seal } from '../support/craft-pack.ts';
import { gitBytes } from '../support/git-bytes.ts';
import { inMemory } from '../support/in-memory.ts';
import { never } from '../support/never.ts';
import { packOf } from '../support/pack-of.ts';
import { gitIn } from '../support/plain-git.ts';
import { skipWithout } from '../support/skip-without.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';

const skip = skipWithout('git');
const options: ReadPackOptions = { maxBytes: 2 ** 30, signal: never };

type Objects = Map<string, { kind: ObjectKind; content: Buffer }>;

const isKind = (text: string): text is ObjectKind => ['commit', 'tree', 'blob', 'tag'].includes(text);

/** Every object of a pack, each checked against its id; a pack that is there whole is read with its blobs kept in memory, and on the disk, too. */
async function contentsOf(pack: Buffer | AsyncIterable<Uint8Array>, options: ReadPackOptions): Promise<Objects> {
  if (!Buffer.isBuffer(pack)) return await contentsIn(pack, options, 100);
  const contents = await contentsIn(pack, options);
  assert.deepEqual(await contentsIn(pack, options, Number.POSITIVE_INFINITY), contents);
  assert.deepEqual(await contentsIn(pack, options, 0), contents);
  return contents;
}

async function contentsIn(
  pack: Buffer | AsyncIterable<Uint8Array>,
  options: ReadPackOptions,
  spoolAboveBytes?: number,
): Promise<Objects> {
  await using store = new SliceStore(spoolAboveBytes ?? 0);
  const isKept = spoolAboveBytes !== undefined;
  const objects: Objects = new Map();
  for (const object of (await readPack(pack, isKept ? { ...options, blobs: store } : options)).values()) {
    const { id, kind, size, blob } = object;
    assert.equal(blob !== undefined, isKept && kind === 'blob');
    const content = blob === undefined ? object.content() : inflateRawSync(await readSlice(blob.data));
    assert.equal(hashObject(kind, content), id);
    assert.equal(content.byteLength, size);
    if (blob !== undefined) {
      assert.equal(blob.size, size);
      assert.equal(blob.crc32, crc32(content));
      assert.deepEqual(blob.sha256, createHash('sha256').update(content).digest());
    }
    objects.set(id, { kind, content });
  }
  return objects;
}

/** What git itself reads. */
function objectsOf(gitdir: string, names?: readonly string[]): Objects {
  const which = names === undefined ? ['--batch-all-objects'] : [];
  const batch = gitBytes(gitdir, ['cat-file', '--batch', ...which], names?.map(name => `${name}\n`).join('') ?? '');
  const objects: Objects = new Map();
  for (let at = 0; at < batch.byteLength; ) {
    const lineEnd = batch.indexOf('\n', at);
    const [id = '', kind = '', size] = batch.toString('latin1', at, lineEnd).split(' ');
    at = lineEnd + 1 + Number(size);
    assert.ok(isKind(kind));
    objects.set(id, { kind, content: batch.subarray(lineEnd + 1, at) });
    at += 1;
  }
  return objects;
}

/** Gives a changed pack the checksum that it would have, so that the entries themselves are looked at. */
const reseal = (pack: Buffer): Buffer => seal(pack.subarray(0, -20));

/** Reads what may be damaged: undefined for a typed refusal, else objects under their right ids. */
async function readOrRefuse(pack: Buffer, more: Partial<ReadPackOptions> = {}): Promise<Objects | undefined> {
  try {
    return await contentsOf(pack, { ...options, maxContentBytes: 2 ** 24, ...more });
  } catch (error) {
    if (error instanceof CorruptPack) return undefined;
    throw error;
  }
}

describe('packs of real git', { skip }, () => {
  let folder: TemporaryFolder;
  let gitdir: string;

  before(async () => {
    folder = await makeTemporaryFolder();
    const git = gitIn(folder.path);
    await git('init', '-q', '-b', 'main');
    gitdir = join(folder.path, '.git');
    const lines = Array.from(
      { length: 2000 },
      (_, i) => `line ${i} ${createHash('sha1').update(`${i}`).digest('hex')}`,
    );
    for (let version = 0; version < 60; version += 1) {
      lines[(version * 37) % lines.length] = `changed by ${version}`;
      writeFileSync(join(folder.path, 'large.txt'), lines.join('\n'));
      writeFileSync(join(folder.path, `small-${version}.txt`), `number ${version}`);
      writeFileSync(join(folder.path, 'empty'), '');
      await git('add', '.');
      await git('commit', '-q', '-m', `version ${version}`);
    }
    await git('tag', '-a', '-m', 'a tag', 'v1.0.0');
  });
  after(() => folder[Symbol.asyncDispose]());

  const packObjects = (args: readonly string[], revisions: string) =>
    gitBytes(folder.path, ['pack-objects', '-q', '--stdout', '--revs', ...args], `${revisions}\n`);

  for (const [name, args] of [
    ['offset deltas', ['--delta-base-offset']],
    ['reference deltas', []],
    ['whole objects only', ['--depth=0', '--window=0']],
  ] as const) {
    test(`with ${name} are read as git reads them`, async () => {
      const pack = packObjects(args, 'HEAD\nv1.0.0');
      assert.deepEqual(await contentsOf(pack, options), objectsOf(gitdir));
      const read = await readPack(pack, { ...options, blobs: inMemory });
      const blobs = await Promise.all(Array.from(read.values(), ({ blob }) => (blob ? readSlice(blob.data) : [])));
      const compressed = blobs.flat().filter(data => !pack.includes(data)).length;
      assert.equal(compressed > 0, name !== 'whole objects only');
    });
  }

  test('with deltas fifty deep are read as git reads them', async () => {
    gitBytes(folder.path, ['repack', '-adfq', '--depth=50', '--window=60']);
    const packs = join(gitdir, 'objects/pack');
    const [name = ''] = readdirSync(packs).filter(file => file.endsWith('.pack'));
    const verified = gitBytes(packs, ['verify-pack', '-v', name]).toString();
    assert.match(verified, /chain length = [45]\d/);
    async function* pieces(pack: Buffer) {
      for (let at = 0; at < pack.byteLength; at += 1000) yield pack.subarray(at, at + 1000);
    }
    assert.deepEqual(await contentsOf(pieces(readFileSync(join(packs, name))), options), objectsOf(gitdir));
  });

  test('that are thin are read where their bases are given, and refused where they are not', async () => {
    const pack = packObjects(['--thin', '--delta-base-offset'], 'HEAD\n^HEAD~3');
    const asked: ObjectId[] = [];
    const base = async (id: ObjectId) => {
      asked.push(id);
      return objectsOf(gitdir, [id]).get(id);
    };
    const contents = await contentsOf(pack, { ...options, base });
    assert.ok(asked.length > 0);
    assert.deepEqual(contents, objectsOf(gitdir, [...contents.keys()]));
    assert.ok(contents.has(parseObjectId(await gitIn(folder.path)('rev-parse', 'HEAD:large.txt'))));
    await assert.rejects(readPack(pack, options), CorruptPack);
    const other = async () => ({ kind: 'blob', content: Buffer.from('another') }) as const;
    await assert.rejects(readPack(pack, { ...options, base: other }), /is another/);
  });

  test('are refused beyond their limits, before more is read or inflated', async () => {
    const pack = packObjects(['--delta-base-offset'], 'HEAD');
    const maxBytes = pack.byteLength - 1;
    await assert.rejects(readPack(pack, { ...options, maxBytes }), CorruptPack);
    let taken = 0;
    async function* endless() {
      for (;;) {
        taken += 1;
        yield Buffer.alloc(1000);
      }
    }
    await assert.rejects(readPack(endless(), { ...options, maxBytes: 10_500 }), CorruptPack);
    assert.equal(taken, 11);
    await assert.rejects(readPack(pack, { ...options, maxContentBytes: 1000 }), /more than 1000 bytes/);
  });

  test('that arrive in pieces, or stop arriving, are read to the end or refused', async () => {
    const pack = packObjects(['--depth=0', '--window=0'], 'HEAD');
    const whole = await contentsOf(pack, options);
    let isClosed = false;
    async function* arriving(end: number, size: number) {
      try {
        for (let at = 0; at < end; at += size) yield pack.subarray(at, Math.min(at + size, end));
      } finally {
        isClosed = true;
      }
    }
    // Larger than what is kept in one piece at first.
    assert.ok(pack.byteLength > 1_000_000);
    for (const size of [997, 65_536, pack.byteLength]) {
      assert.deepEqual(await contentsOf(arriving(pack.byteLength, size), options), whole, `pieces of ${size}`);
    }
    for (let end = 0; end < pack.byteLength; end += 99_991) {
      await assert.rejects(readPack(arriving(end, 10_000), options), CorruptPack, `cut at ${end}`);
    }
    isClosed = false;
    await assert.rejects(readPack(arriving(pack.byteLength, 1000), { ...options, maxBytes: 5000 }), CorruptPack);
    assert.ok(isClosed);
  });

  test('an aborted reading ends with the reason', async () => {
    const reason = new Error('the client went away');
    await assert.rejects(readPack(packObjects([], 'HEAD'), { ...options, signal: AbortSignal.abort(reason) }), reason);
  });
});

const sealed = (count: number, ...entries: readonly Uint8Array[]) => craftPack(entries, count);
const entry = (type: number, content: Uint8Array, base: Uint8Array = Buffer.alloc(0), size = content.byteLength) =>
  craftEntry(type, content, { base, size });

describe('small packs', () => {
  const base = Buffer.from('the quick brown fox jumps over the lazy dog\n'.repeat(2));
  // Copies 40 bytes from 4, inserts three, copies 50 from 0.
  const delta = Buffer.concat([
    Buffer.from([base.byteLength, 93, 0x91, 4, 40, 3]),
    Buffer.from('abc'),
    Buffer.from([0x90, 50]),
  ]);
  const result = Buffer.concat([base.subarray(4, 44), Buffer.from('abc'), base.subarray(0, 50)]);
  const whole = entry(3, base);
  const baseId = Buffer.from(hashObject('blob', base), 'hex');
  const tree = Buffer.concat([Buffer.from('100644 f\0'), baseId]);
  const small = sealed(
    4,
    whole,
    entry(6, delta, Buffer.from([whole.byteLength])),
    entry(7, Buffer.from([93, 2, 2, 120, 121]), Buffer.from(hashObject('blob', result), 'hex')),
    entry(2, tree),
  );
  const right: Objects = new Map(
    (
      [
        ['blob', base],
        ['blob', result],
        ['blob', Buffer.from('xy')],
        ['tree', tree],
      ] as const
    ).map(([kind, content]) => [hashObject(kind, content), { kind, content }]),
  );

  test('with chains of both kinds of deltas are read', async () => {
    assert.deepEqual(new Map([...(await contentsOf(small, options))].sort()), new Map([...right].sort()));
  });

  test('cut off anywhere are refused, with their checksum or with the one that fits', async () => {
    for (let end = 0; end < small.byteLength; end += 1) {
      assert.equal(await readOrRefuse(small.subarray(0, end)), undefined, `cut at ${end}`);
      if (end >= 20) assert.equal(await readOrRefuse(reseal(small.subarray(0, end))), undefined, `sealed at ${end}`);
    }
  });

  test('with any byte changed to any other are refused, and with a checksum that fits give no wrong object', async () => {
    for (let at = 0; at < small.byteLength; at += 1) {
      for (let change = 1; change < 256; change += at % 7 === 0 ? 1 : 23) {
        const changed = Buffer.from(small);
        changed.writeUInt8(changed.readUInt8(at) ^ change, at);
        assert.equal(await readOrRefuse(changed), undefined, `byte ${at} ^ ${change}`);
        // contentsOf checks each id against its content.
        await readOrRefuse(reseal(changed));
      }
    }
  });

  for (const [name, pack] of [
    ['the delta of an object that is not there', sealed(1, entry(7, delta, Buffer.alloc(20, 7)))],
    ['a delta to itself', sealed(1, entry(6, delta, Buffer.from([0])))],
    ['a delta to what lies before the pack', sealed(1, entry(6, delta, Buffer.from([100])))],
    ['a delta to the middle of an object', sealed(2, whole, entry(6, delta, Buffer.from([whole.byteLength - 1])))],
    ['a delta for another base', sealed(2, entry(3, base.subarray(1)), entry(7, delta, baseId))],
    ['an object longer than it says', sealed(1, entry(3, base, undefined, base.byteLength - 1))],
    ['an object shorter than it says', sealed(1, entry(3, base, undefined, base.byteLength + 1))],
    ['an object that says it is nothing', sealed(1, entry(3, base, undefined, 0))],
    ['an unknown type', sealed(1, entry(5, base))],
    ['a type of zero', sealed(1, entry(0, base))],
    ['fewer objects than it says', sealed(2, whole)],
    ['more objects than it says', sealed(1, whole, whole)],
    ['an object without end in its size', sealed(1, Buffer.alloc(40, 0xff))],
    [
      'an object of a petabyte',
      sealed(1, Buffer.from([0xb0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40]), deflateSync(base)),
    ],
    ['a bomb', sealed(1, Buffer.from([0xb0, 0x01]), deflateSync(Buffer.alloc(10_000_000)))],
    ['another version', reseal(Buffer.concat([Buffer.from('PACK\0\0\0\x03\0\0\0\0', 'latin1'), Buffer.alloc(20)]))],
  ] as const) {
    test(`${name} is refused`, async () => {
      assert.equal(await readOrRefuse(pack), undefined);
    });
  }

  test('contents that are too large to be remembered are built again, along the whole chain', async () => {
    const large = Buffer.alloc(20 * 2 ** 20, 'x');
    const sizes = (size: number) => [0, 7, 14, 21].map(shift => ((size >> shift) & 127) | (shift < 21 ? 0x80 : 0));
    const mebibytes = (count: number) => Array.from({ length: count }, (_, i) => [0xc4, i * 16, 16]).flat();
    const expected = [large];
    const entries: Buffer[] = [
      Buffer.concat([Buffer.from([0xb0, 0x80, 0x80, 0x50]), deflateSync(large, { level: 1 })]),
    ];
    for (let i = 1; i <= 4; i += 1) {
      const last = expected.at(-1) ?? large;
      // Copies the first 5 MiB by MiB, and the version in four bytes.
      const next = Buffer.concat([
        last.subarray(0, 5 * 2 ** 20),
        Buffer.from(`v00${i}`),
        large.subarray(0, 12 * 2 ** 20),
      ]);
      const copies = [...mebibytes(5), 4, ...Buffer.from(`v00${i}`), ...Array(12).fill([0xc0, 16]).flat()];
      const delta = Buffer.from([...sizes(last.byteLength), ...sizes(next.byteLength), ...copies]);
      entries.push(entry(7, delta, Buffer.from(hashObject('blob', last), 'hex')));
      expected.push(next);
    }
    const read = await readPack(sealed(entries.length, ...entries), options);
    for (const content of [...expected, ...expected.toReversed()]) {
      assert.ok(read.get(hashObject('blob', content))?.content().equals(content));
    }
  });

  test('a large object is read, and refused where it is cut off, without keeping others waiting', async () => {
    const large = Buffer.concat(Array.from({ length: 120_000 }, (_, i) => createHash('sha1').update(`${i}`).digest()));
    const size = [
      0xb0 | (large.byteLength & 15),
      ...[4, 11, 18].map(shift => ((large.byteLength >> shift) & 127) | (shift < 18 ? 0x80 : 0)),
    ];
    const pack = sealed(1, Buffer.concat([Buffer.from(size), deflateSync(large, { level: 1 })]));
    async function* pieces(whole: Buffer) {
      for (let at = 0; at < whole.byteLength; at += 100_000) yield whole.subarray(at, at + 100_000);
    }
    const read = await contentsOf(pieces(pack), options);
    assert.ok(read.get(hashObject('blob', large))?.content.equals(large));
    await assert.rejects(readPack(pieces(pack.subarray(0, 1_000_000)), options), CorruptPack);
    assert.equal(await readOrRefuse(reseal(pack.subarray(0, 1_000_000))), undefined);
  });

  test('a stream that needs a dictionary, which no zip reader has, is refused', async () => {
    const zlib = deflateSync(base, { dictionary: Buffer.from('the quick brown fox') });
    assert.equal(
      await readOrRefuse(sealed(1, Buffer.from([0xb0 | (base.byteLength & 15), base.byteLength >> 4]), zlib)),
      undefined,
    );
  });

  test('a pack of nothing has no objects', async () => {
    assert.equal((await readPack(sealed(0), options)).size, 0);
  });

  test('a chain of deltas that git would not write is refused, and costs no time', async () => {
    const entries = [entry(3, Buffer.from('0'))];
    for (let i = 0; i < 5000; i += 1) {
      const last = entries.at(-1)?.byteLength ?? 0;
      entries.push(entry(6, Buffer.from([i === 0 ? 1 : 2, 2, 2, i >> 8, i & 255]), encodeDistance(last)));
    }
    await assert.rejects(readPack(craftPack(entries), options), /chain of more than/);
  });
});

test('whatever is packed is read back, and its zlib streams are the very ones', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 20 }), async contents => {
      const objects = contents.map(content => packObject('blob', content));
      const pack = await packOf(objects);
      const read = await readPack(pack, { ...options, blobs: inMemory });
      for (const { id, zlib } of objects) {
        const { blob } = read.get(id) ?? {};
        assert.ok(blob);
        assert.deepEqual(await readSlice(blob.data), Buffer.concat(zlib).subarray(2, -4));
      }
      const found = await contentsOf(pack, options);
      assert.deepEqual(new Set(found.keys()), new Set(objects.map(object => object.id)));
    }),
    { numRuns: 50 },
  );
});

for (const [name, delta] of [
  ['copies from beyond its base', [10, 4, 0x91, 8, 4]],
  ['copies more than its result holds', [10, 4, 0x90, 5]],
  ['copies as much as one that gives no size', [10, 4, 0x80]],
  ['inserts more than it brings', [10, 4, 4, 1, 2]],
  ['inserts more than its result holds', [10, 2, 4, 1, 2, 3, 4]],
  ['makes less than it says', [10, 4, 3, 1, 2, 3]],
  ['has an instruction of zero', [10, 4, 0, 4, 1, 2, 3, 4]],
  ['breaks off within an instruction', [10, 4, 0x9f, 1]],
  ['is for a base of another size', [11, 4, 0x90, 4]],
  ['breaks off within its sizes', [0x8a]],
] as const) {
  test(`a delta that ${name} is refused`, () => {
    assert.throws(() => applyDelta(Buffer.alloc(10), Buffer.from(delta)), RangeError);
  });
}

test('a copy that gives no size is of 65,536 bytes', () => {
  const base = Buffer.alloc(0x10000, 'x');
  assert.deepEqual(applyDelta(base, Buffer.from([0x80, 0x80, 4, 0x80, 0x80, 4, 0x80])), base);
});

test('any bytes as a delta give an error or an object of the size that they say', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 60 }), (base, instructions) => {
      const delta = Buffer.concat([Buffer.from([base.byteLength & 127, instructions.length]), instructions]);
      try {
        assert.equal(applyDelta(Buffer.from(base), delta).byteLength, instructions.length);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});
