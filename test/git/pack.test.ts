import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseObjectId } from '../../src/git/object-id.ts';
import { encodePackIndex, findInPackIndex, kindOfPackEntry, PackEntries, writePack } from '../../src/git/pack.ts';
import { type PackedObject, packObject } from '../../src/git/packed-object.ts';
import { countTurns } from '../support/count-turns.ts';
import { gitBytes } from '../support/git-bytes.ts';
import { skipWithout } from '../support/skip-without.ts';
import { makeTemporaryFolder } from '../support/temporary-folder.ts';

const skip = skipWithout('git');

async function collect(objects: readonly PackedObject[]) {
  const pieces: Uint8Array[] = [];
  const entries = new PackEntries();
  const writing = writePack(objects, entries);
  for (;;) {
    const step = await writing.next();
    if (step.done) {
      return { pack: Buffer.concat(pieces), entries: entries.all, index: encodePackIndex(entries.all, step.value) };
    }
    pieces.push(step.value);
  }
}

const blobs = (contents: readonly Uint8Array[]) => contents.map(content => packObject('blob', content));

test('git takes a pack, and the index that git makes of it is ours byte for byte', { skip }, async () => {
  await using folder = await makeTemporaryFolder();
  const gitdir = folder.path;
  gitBytes(gitdir, ['init', '--bare', '.']);
  const sizes = [0, 1, 15, 16, 17, 2047, 2048, 2049, 100_000, 300_000];
  const objects = [
    ...blobs(sizes.map(size => randomBytes(size))),
    ...blobs(Array.from({ length: 600 }, (_, i) => Buffer.from(`file ${i}`))),
    packObject('tree', Buffer.alloc(0)),
  ];
  const { pack, index: ours } = await collect(objects);
  const path = join(gitdir, 'objects/pack/pack-test.pack');
  writeFileSync(path, pack);
  gitBytes(gitdir, ['index-pack', '--strict', path]);
  assert.deepEqual(ours, readFileSync(path.replace(/pack$/, 'idx')));
  for (const { id, kind } of objects) {
    const offset = findInPackIndex(ours, id);
    assert.ok(offset);
    assert.equal(kindOfPackEntry(pack.readUInt8(offset)), kind);
  }
  const listed = gitBytes(gitdir, ['cat-file', '--batch-all-objects', '--batch-check']).toString().trim().split('\n');
  assert.deepEqual(listed, objects.map(({ id, kind, size }) => `${id} ${kind} ${size}`).sort());
});

test('the event loop goes on while a pack is written', async () => {
  const objects = blobs(Array.from({ length: 2_000 }, (_, i) => Buffer.alloc(20_000, i)));
  const stored = objects.map(object => ({ ...object, zlib: [Buffer.alloc(20_000)] }));
  const turns = await countTurns(async () => {
    for await (const _ of writePack(stored));
  });
  // 40 MB, of which a megabyte takes longer than a turn.
  assert.ok(turns > 10, `${turns} turns`);
});

test('any objects make a pack that git takes', { skip }, async () => {
  await using folder = await makeTemporaryFolder();
  const gitdir = folder.path;
  gitBytes(gitdir, ['init', '--bare', '.']);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 5000 }), { maxLength: 20 }), async contents => {
      const objects = blobs(contents);
      const answer = gitBytes(gitdir, ['index-pack', '--strict', '--stdin'], (await collect(objects)).pack);
      assert.match(answer.toString(), /^(pack|keep)\t[0-9a-f]{40}\n$/);
      const [first] = objects;
      if (first) assert.deepEqual(gitBytes(gitdir, ['cat-file', 'blob', first.id]), Buffer.from(contents[0] ?? []));
    }),
    { numRuns: 15 },
  );
});

test('an object that comes twice is written once', async () => {
  const [object] = blobs([Buffer.from('twice')]);
  assert.ok(object);
  const { pack, entries } = await collect([object, object]);
  assert.equal(pack.readUInt32BE(8), 1);
  assert.equal(entries.length, 1);
});

test('an index tells offsets beyond 2 GiB as git reads them', { skip }, () => {
  const entries = [12, 2 ** 31 - 1, 2 ** 31, 2 ** 32 + 5, 2 ** 40].map((offset, i) => ({
    id: parseObjectId(randomBytes(20).toString('hex')),
    offset,
    crc32: i,
  }));
  const index = encodePackIndex(entries, Buffer.alloc(20, 7));
  for (const { id, offset } of entries) assert.equal(findInPackIndex(index, id), offset);
  const shown = gitBytes('/', ['show-index'], index).toString().trim().split('\n');
  const expected = entries.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  assert.deepEqual(
    shown,
    expected.map(({ id, offset, crc32 }) => `${offset} ${id} (${crc32.toString(16).padStart(8, '0')})`),
  );
});

test('an id that a pack has not is not found, nor one in a file that is no index', async () => {
  const { entries, index } = await collect(blobs([Buffer.from('a'), Buffer.from('b')]));
  for (const digit of '0123456789abcdef') {
    assert.equal(findInPackIndex(index, parseObjectId(digit.repeat(39).concat('1'))), undefined);
  }
  const id = entries[0]?.id;
  assert.ok(id);
  assert.equal(findInPackIndex(Buffer.from('not an index'), id), undefined);
  assert.equal(findInPackIndex(encodePackIndex([], Buffer.alloc(20)), id), undefined);
});
