import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { crc32, deflateRawSync, deflateSync, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { giveWay } from '../../src/give-way.ts';
import { hashFiles } from '../../src/gomod/h1.ts';
import { adler32 } from '../../src/inflate/adler32.ts';
import { type Bulk, readSlice } from '../../src/spool/slice.ts';
import { createSpool, type Spool } from '../../src/spool/spool.ts';
import { InvalidZip } from '../../src/zip/errors.ts';
import { inflateEntry, inflateParts, isHeld, maxHeldBytes } from '../../src/zip/inflate-entry.ts';
import { maxEntries, readZip } from '../../src/zip/read-zip.ts';
import { contentOfEntry } from '../support/content-of-entry.ts';
import { type CraftedEnd, type CraftedEntry, craftZip } from '../support/craft-zip.ts';
import { askGo, skipWithoutGo } from '../support/go-oracle.ts';
import { never } from '../support/never.ts';

async function onDisk(zip: Buffer): Promise<Spool> {
  const spool = await createSpool();
  await spool.append(zip);
  return spool;
}

/** What `look` says of a zip in memory, and no other of the same zip on the disk. */
async function lookTwice(zip: Buffer): ReturnType<typeof look> {
  await using spool = await onDisk(zip);
  const seen = await look(zip);
  assert.deepEqual(await look(spool), seen);
  return seen;
}

/** The problems of a zip as `code file`, those of its content too; or its files. */
async function look(zip: Bulk): Promise<{ problems: string[] } | { files: Record<string, string> }> {
  const problems: string[] = [];
  const files: Record<string, string> = {};
  const note = (error: unknown) => {
    if (!(error instanceof InvalidZip)) throw error;
    problems.push(...error.problems.map(({ code, file }) => `${code} ${file}`.trimEnd()));
  };
  try {
    for (const entry of await readZip(zip, never)) {
      if (entry.isDirectory) files[entry.name] = '';
      else await contentOfEntry(entry).then(content => (files[entry.name] = content.toString()), note);
    }
  } catch (error) {
    note(error);
  }
  return problems.length > 0 ? { problems } : { files };
}

const a: CraftedEntry = { name: 'a', content: 'package a\n' };
const b: CraftedEntry = { name: 'b', content: 'package b\n'.repeat(50) };
const both = { a: 'package a\n', b: 'package b\n'.repeat(50) };

const READABLE: [title: string, zip: Buffer, files: Record<string, string>][] = [
  ['of nothing', craftZip([]), {}],
  ['of deflated files', craftZip([a, b]), both],
  [
    'of stored files',
    craftZip([
      { ...a, method: 0 },
      { ...b, method: 0 },
    ]),
    both,
  ],
  ['of empty files', craftZip([{ name: 'a' }, { name: 'b', method: 0 }]), { a: '', b: '' }],
  [
    'with data descriptors',
    craftZip([
      { ...a, descriptor: 'signed' },
      { ...b, descriptor: 'bare' },
    ]),
    both,
  ],
  [
    'with descriptors of zip64',
    craftZip([
      { ...a, descriptor: 'zip64' },
      { ...b, method: 0, descriptor: 'zip64' },
    ]),
    both,
  ],
  ['with zip64 fields', craftZip([{ ...a, zip64: true }, b]), both],
  ['with zip64 end records', craftZip([a, b], { zip64: true }), both],
  [
    'with zip64 everywhere',
    craftZip(
      [
        { ...a, zip64: true, descriptor: 'zip64' },
        { ...b, zip64: true },
      ],
      { zip64: true },
    ),
    both,
  ],
  ['with a comment', craftZip([a, b], { comment: 'hello '.repeat(5000) }), both],
  [
    'with entry comments and extra fields',
    craftZip([{ ...a, comment: 'x', extra: Buffer.from([0x55, 0x54, 1, 0, 0]) }, b]),
    both,
  ],
  ['with something in front', craftZip([a, b], { prefix: Buffer.from('#!/bin/sh\n') }), both],
  [
    'with something in front that is counted',
    craftZip([a, b], { prefix: Buffer.from('#!/bin/sh\n'), countPrefix: true }),
    both,
  ],
  [
    'with too small a length of its directory, which archive/zip forgives',
    craftZip([a, b], { directoryBytes: 9 }),
    both,
  ],
  ['with gaps', craftZip([{ ...a, after: Buffer.alloc(100, 1) }, b]), both],
  [
    'with folders',
    craftZip([
      { name: 'd/', method: 0 },
      { name: 'd/a', content: 'x' },
    ]),
    { 'd/': '', 'd/a': 'x' },
  ],
  [
    'with folders of odd methods and data',
    craftZip([{ name: 'd/', method: 99, data: Buffer.from('xx') }]),
    { 'd/': '' },
  ],
  [
    'made on Unix',
    craftZip([
      { ...a, mode: 0o100755 },
      { ...b, mode: 0o644 },
      { name: 'd/', mode: 0o40755 },
    ]),
    { ...both, 'd/': '' },
  ],
  [
    'with names in UTF-8, flagged or not',
    craftZip([{ name: 'é', flags: 0x800 }, { name: '日本' }]),
    { é: '', 日本: '' },
  ],
  ['with a name that starts with U+FEFF', craftZip([{ name: '\ufeffa' }]), { '\ufeffa': '' }],
  ['with backslashes, which stay', craftZip([{ name: 'a\\b' }, { name: '..\\c' }]), { 'a\\b': '', '..\\c': '' }],
  [
    'with traversal, which the module rules refuse',
    craftZip([{ name: '../a' }, { name: '/etc/passwd' }]),
    { '../a': '', '/etc/passwd': '' },
  ],
  [
    'with another name in the Unicode extra field',
    craftZip([{ name: 'a', extra: Buffer.from('757006000143beb7e865', 'hex') }]),
    { a: '' },
  ],
  [
    'with bytes behind the end of the compressed data',
    craftZip([{ ...a, data: Buffer.concat([deflateRawSync('package a\n'), Buffer.alloc(9)]) }, b]),
    both,
  ],
];

for (const [title, zip, files] of READABLE) {
  test(`a zip ${title} is read`, async () => assert.deepEqual(await lookTwice(zip), { files }));
}

const bomb = deflateRawSync(Buffer.alloc(50_000_000));

const REFUSED: [title: string, zip: Buffer, problems: string[]][] = [
  ['nothing at all', Buffer.alloc(0), ['not-a-zip']],
  ['no zip', Buffer.from('<!doctype html>'.repeat(100)), ['not-a-zip']],
  ['only an end that promises entries', craftZip([], { entryCount: 3 }), ['not-a-zip']],
  ['fewer entries than the end declares', craftZip([a], { entryCount: 2 }), ['not-a-zip']],
  ['more entries than the end declares', craftZip([a, b], { entryCount: 1 }), ['not-a-zip']],
  ['end records that disagree', craftZip([a, b], { zip64: true, entryCount: 1 }), ['not-a-zip']],
  ['a directory longer than the archive', craftZip([a], { directoryBytes: 9999 }), ['not-a-zip']],
  ['more than one disk', craftZip([a], { zip64: true, disks: 2 }), ['not-a-zip']],
  ['more zip64 entries than there are', craftZip([a, b], { zip64: true, entryCount64: 3 }), ['not-a-zip']],
  ['more entries than we hold', craftZip([a], { zip64: true, entryCount64: maxEntries + 1 }), ['too-many-entries']],
  ['an astronomic number of entries', craftZip([a], { zip64: true, entryCount64: 2 ** 60 }), ['too-many-entries']],
  ['something behind it', craftZip([a], { suffix: Buffer.from('x') }), ['not-a-zip']],
  ['names in cp437', craftZip([{ name: Buffer.from('caf\x82', 'latin1') }]), ['name-encoding caf\ufffd']],
  ['a surrogate in a name', craftZip([{ name: Buffer.from('eda080', 'hex') }]), ['name-encoding \ufffd\ufffd\ufffd']],
  ['an encrypted file', craftZip([{ ...a, flags: 1 }, b]), ['encrypted a']],
  ['a strongly encrypted file', craftZip([{ ...a, flags: 0x41 }, b]), ['not-a-zip']],
  ['another method', craftZip([{ ...a, method: 12 }, b]), ['method a']],
  ['a symbolic link', craftZip([{ name: 'a', content: '/etc/passwd', mode: 0o120777 }]), ['irregular-file a']],
  ['a link to a folder', craftZip([{ name: 'a/', mode: 0o120777 }]), ['irregular-file a/']],
  [
    'a device, a pipe, a socket',
    craftZip([0o020600, 0o010600, 0o140600].map((mode, i) => ({ name: `${i}`, mode }))),
    ['irregular-file 0', 'irregular-file 1', 'irregular-file 2'],
  ],
  ['a folder without a slash', craftZip([{ name: 'a', mode: 0o40755 }]), ['irregular-file a']],
  ['a folder with content', craftZip([{ name: 'a/', content: 'x' }]), ['directory-content a/']],
  ['another name in front of the data', craftZip([{ ...a, local: { name: 'c' } }]), ['local-header a']],
  ['another method in front of the data', craftZip([{ ...a, local: { method: 0 } }]), ['local-header a']],
  [
    'another size in front of the data',
    craftZip([
      { ...a, local: { bytes: 9 } },
      { ...b, local: { compressedBytes: 9 } },
    ]),
    ['local-header a', 'local-header b'],
  ],
  [
    'no sizes in front of the data',
    craftZip([{ ...a, local: { bytes: 0, compressedBytes: 0, crc32: 0 } }]),
    ['local-header a'],
  ],
  ['another checksum in front of the data', craftZip([{ ...a, local: { crc32: 9 } }]), ['local-header a']],
  [
    'another checksum behind the data',
    craftZip([
      { ...a, descriptor: 'signed', local: { crc32: 9 } },
      { ...b, descriptor: 'bare', local: { crc32: 9 } },
    ]),
    ['local-header a', 'local-header b'],
  ],
  ['a descriptor that is not there', craftZip([{ ...a, flags: 8 }]), ['local-header a']],
  ['no header in front of the data', craftZip([{ ...a, at: 5 }, b]), ['local-header a']],
  ['data beyond the end', craftZip([{ ...a, compressedBytes: 10_000 }]), ['local-header a']],
  ['an offset beyond the end', craftZip([{ ...a, zip64: true, at: 2 ** 52 }]), ['local-header a']],
  ['the same data twice', craftZip([a, { ...a, at: 0 }]), ['overlap a']],
  [
    'data that has another entry in it',
    craftZip([
      { ...a, method: 0, data: craftZip([b]).subarray(0, 60), content: craftZip([b]).subarray(0, 60) },
      { ...b, at: 31 },
    ]),
    ['overlap b'],
  ],
  [
    'data that reaches into the directory',
    craftZip([{ ...a, method: 0, bytes: 20, compressedBytes: 20 }]),
    ['overlap a'],
  ],
  [
    'a wrong checksum',
    craftZip([{ ...a, crc32: 1 }, b, { ...a, name: 'c', method: 0, crc32: 0 }]),
    ['checksum a', 'checksum c'],
  ],
  [
    'more content than declared',
    craftZip([
      { ...a, bytes: 9 },
      { ...b, bytes: 0 },
    ]),
    ['size a', 'size b'],
  ],
  [
    'less content than declared',
    craftZip([
      { ...a, bytes: 11 },
      { ...b, bytes: 1e12, zip64: true },
    ]),
    ['size a', 'size b'],
  ],
  ['a stored file of two sizes', craftZip([{ ...a, method: 0, bytes: 9 }]), ['size a']],
  ['a bomb that declares little', craftZip([{ ...a, data: bomb, bytes: 10 }]), ['size a']],
  [
    'damaged data',
    craftZip([
      { ...a, data: Buffer.from('garbage garbage') },
      { ...b, data: Buffer.alloc(0) },
    ]),
    ['damaged a', 'damaged b'],
  ],
  [
    'incomplete data',
    craftZip([{ ...b, data: deflateRawSync('package b\n'.repeat(50)).subarray(0, -1) }]),
    ['damaged b'],
  ],
  [
    'everything wrong at once',
    craftZip([{ ...a, flags: 1, method: 9, mode: 0o120777, local: { name: 'x' } }, { name: Buffer.from([0xff]) }]),
    ['encrypted a', 'irregular-file a', 'method a', 'local-header a', 'name-encoding \ufffd'],
  ],
];

for (const [title, zip, problems] of REFUSED) {
  test(`a zip with ${title} is refused`, async () => assert.deepEqual(await lookTwice(zip), { problems }));
}

test('a small zip cut off at any byte is refused', async () => {
  for (const zip of [
    craftZip([a, { ...b, descriptor: 'signed' }]),
    craftZip([{ ...a, zip64: true }], { zip64: true }),
  ]) {
    for (let end = 0; end < zip.length; end++) {
      const result = await lookTwice(zip.subarray(0, end));
      assert.ok('problems' in result, `the first ${end} bytes were read`);
    }
  }
});

test('entries tell what the zip declares, and where in it their data is', async () => {
  const zip = craftZip([
    { ...b, mode: 0o100644 },
    { ...a, method: 0 },
  ]);
  const [first, second] = await readZip(zip, never);
  assert.ok(first && second);
  const data = deflateRawSync('package b\n'.repeat(50));
  const start = zip.indexOf(data);
  assert.deepEqual(first, {
    name: 'b',
    isDirectory: false,
    method: 8,
    bytes: 500,
    crc32: crc32('package b\n'.repeat(50)),
    unixMode: 0o100644,
    data: { bulk: zip, start, end: start + data.length },
  });
  assert.equal(second.unixMode, undefined);
  assert.equal(String(await readSlice(second.data)), 'package a\n');
});

test('inflating gives the exact deflate stream: in the archive where there is one, else behind it', async () => {
  const large = Buffer.from('large '.repeat(200_000));
  const trail = Buffer.from('not part of the stream');
  const zip = craftZip([
    { name: 'small', content: 'small' },
    { name: 'large', content: large },
    { name: 'small, trailed', content: 'small', data: Buffer.concat([deflateRawSync('small'), trail]) },
    { name: 'large, trailed', content: large, data: Buffer.concat([deflateRawSync(large), trail]) },
    { name: 'small, stored', content: 'small', method: 0 },
    { name: 'large, stored', content: large, method: 0 },
    { name: 'empty' },
    { name: 'empty, stored', method: 0 },
  ]);
  await using spool = await onDisk(zip);
  for (const archive of [zip, spool]) {
    for (const entry of await readZip(archive, never)) {
      const { content, deflated, isInZip } = await inflateEntry(entry, (content, deflated) => ({
        content: Buffer.from(content),
        deflated,
        isInZip: content.buffer === zip.buffer,
      }));
      assert.equal(content.length, entry.bytes);
      const stream = await readSlice(deflated);
      assert.ok(stream.equals(deflateRawSync(content)), entry.name);
      if (entry.method === 8) assert.equal(deflated.start, entry.data.start);
      else if (archive === spool) assert.ok(deflated.bulk === spool && deflated.start >= zip.length);
      else assert.ok(isInZip);
    }
  }
});

test('what is too large to be held is inflated in parts, to the same stream and with the same problems', async () => {
  const content = Buffer.concat([Buffer.alloc(maxHeldBytes, 'modforge '), randomBytes(1_500_000)]);
  const data = deflateRawSync(content);
  const trail = Buffer.alloc(2_500_000, 'x');
  const cases: [file: CraftedEntry, problem: string | undefined][] = [
    [{ name: 'deflated', content, data }, undefined],
    [{ name: 'trailed', content, data: Buffer.concat([data, trail]) }, undefined],
    [{ name: 'stored', content, method: 0 }, undefined],
    [{ name: 'cut', content, data: data.subarray(0, -1) }, 'damaged'],
    [{ name: 'short', content: 'x', data: Buffer.concat([deflateRawSync('x'), content]) }, undefined],
    [{ name: 'bomb', content, data, bytes: maxHeldBytes + 1 }, 'size'],
    [{ name: 'lie', content, data, bytes: content.length + 1 }, 'size'],
    [{ name: 'checksum', content, data, crc32: 1 }, 'checksum'],
    [{ name: 'stored, checksum', content, method: 0, crc32: 1 }, 'checksum'],
  ];
  for (const [crafted, problem] of cases) {
    const zip = craftZip([crafted]);
    await using spool = await onDisk(zip);
    for (const archive of [zip, spool]) {
      const [entry] = await readZip(archive, never);
      assert.ok(entry && !isHeld(entry));
      const parts: Buffer[] = [];
      const inflated = inflateParts(entry, part => parts.push(Buffer.from(part)));
      if (problem !== undefined) {
        await assert.rejects(
          inflated,
          (error: unknown) => error instanceof InvalidZip && error.problems[0]?.code === problem,
        );
        continue;
      }
      const stream = await readSlice(await inflated);
      assert.ok(Buffer.concat(parts).equals(Buffer.from(crafted.content ?? '')), entry.name);
      assert.ok(inflateRawSync(stream).equals(Buffer.concat(parts)), entry.name);
      if (crafted.data !== undefined) assert.ok(stream.equals(deflateRawSync(Buffer.concat(parts))), entry.name);
    }
  }
});

test('the checksum that git needs is zlib’s', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20_000, size: 'max' }), content => {
      assert.equal(adler32(content), deflateSync(content).readUInt32BE(deflateSync(content).length - 4));
    }),
  );
  const worst = Buffer.alloc(1_000_000, 0xff);
  assert.equal(adler32(worst), deflateSync(worst).readInt32BE(deflateSync(worst).length - 4) >>> 0);
});

for (const [place, open] of [
  ['memory', async (zip: Buffer): Promise<Bulk> => zip],
  ['a spool', onDisk],
] as const) {
  test(`100,000 entries in ${place} are read in bounded time, and the event loop goes on`, {
    timeout: 120_000,
  }, async () => {
    const packed = { data: deflateRawSync('package a\n'), crc32: crc32('package a\n'), bytes: 10 };
    const zip = craftZip(
      Array.from({ length: 100_000 }, (_, i) => ({ ...packed, name: `d${i % 100}/f${i}` })),
      { zip64: true },
    );
    const archive = await open(zip);
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const entries = await readZip(archive, never);
    const turnsOfReading = turns;
    for (const entry of entries) {
      await giveWay();
      await inflateEntry(entry, () => {});
    }
    clearInterval(timer);
    assert.equal(entries.length, 100_000);
    assert.ok(turnsOfReading > 10 && turns - turnsOfReading > 10, `${turnsOfReading} and ${turns} turns`);
    if (!Buffer.isBuffer(archive)) await archive[Symbol.asyncDispose]();
  });
}

test('a bomb that declares what it holds is inflated once, within what it declares', async () => {
  const zip = craftZip([{ name: 'a', content: Buffer.alloc(50_000_000) }]);
  const [entry] = await readZip(zip, never);
  assert.ok(entry);
  assert.equal(await inflateEntry(entry, content => content.length), 50_000_000);
});

const anyEntry = fc.record(
  {
    name: fc.oneof(fc.string({ unit: 'grapheme', minLength: 1 }), fc.constantFrom('d/', 'a/b', 'a\\b')),
    content: fc.string({ unit: 'grapheme' }),
    method: fc.constantFrom(0, 8),
    descriptor: fc.constantFrom('signed', 'bare', 'zip64'),
    zip64: fc.boolean(),
    mode: fc.constantFrom(0o100644, 0o100755, 0o644),
    comment: fc.string(),
  } as const,
  { requiredKeys: ['name'] },
);

const anyZip = fc.tuple(
  fc.array(anyEntry, { maxLength: 5 }),
  fc.record<CraftedEnd>({ zip64: fc.boolean() }, { requiredKeys: [] }),
);

test('many entries with the same long name in front of their data are told briefly, and not all of them', async () => {
  const long = 'x'.repeat(60_000);
  const zip = craftZip([{ ...a, name: long }, ...Array.from({ length: 5_000 }, (_, i) => ({ ...a, name: `f${i}` }))]);
  // Every header of the directory points to the first entry's.
  const header = Buffer.from('PK\x01\x02');
  for (let at = zip.indexOf(header); at >= 0; at = zip.indexOf(header, at + 4)) zip.writeUInt32LE(0, at + 42);
  await assert.rejects(readZip(zip, never), (error: unknown) => {
    assert.ok(error instanceof InvalidZip);
    assert.ok(error.problems.length >= 1_000 && error.problems.length <= 3_000, `${error.problems.length} problems`);
    const told = error.problems.reduce((sum, { reason }) => sum + reason.length, 0);
    assert.ok(told < 1_000_000, `${told} characters`);
    return true;
  });
});

test('any zip with any byte changed is read or refused, never more', async () => {
  await fc.assert(
    fc.asyncProperty(anyZip, fc.nat(), fc.nat(255), async ([entries, end], at, value) => {
      const zip = craftZip(entries, end);
      zip[at % zip.length] = value;
      await lookTwice(zip);
    }),
    { numRuns: 2000 },
  );
});

test('what is read, Go reads too, and hashes alike', { skip: skipWithoutGo }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'modforge-read-zip-'));
  after(() => rm(folder, { recursive: true }));
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 2 });
  const zips = [
    ...READABLE.map(([, zip]) => zip),
    ...fc.sample(fc.tuple(anyZip, changes), 4000).map(([[entries, end], edits]) => {
      const zip = craftZip(entries, end);
      for (const [at, value] of edits) zip[at % zip.length] = value;
      return zip;
    }),
  ];
  const read: { file: string; zip: Buffer; hash: string }[] = [];
  for (const [i, zip] of zips.entries()) {
    const hash = await hashOf(zip);
    if (hash === undefined) continue;
    const file = join(folder, `${i}.zip`);
    await writeFile(file, zip);
    read.push({ file, zip, hash });
  }
  assert.ok(read.length > 500, `${read.length} were read`);
  const answers = await askGo(
    'zip.read',
    read.map(({ file }) => [file]),
  );
  for (const [i, answer] of answers.entries()) {
    assert.equal(answer.error, undefined, read[i]?.zip.toString('latin1'));
    assert.ok(answer.ok && typeof answer.ok === 'object' && 'h1' in answer.ok);
    assert.equal(answer.ok.h1, read[i]?.hash);
  }
});

/** The hash of what we read, folders included, as dirhash does; undefined for what is refused, or what has no hash. */
async function hashOf(zip: Buffer): Promise<string | undefined> {
  try {
    const entries = await readZip(zip, never);
    // dirhash opens the last of those with one name for each of them.
    if (
      entries.some(({ name }) => name.includes('\n')) ||
      new Set(entries.map(({ name }) => name)).size < entries.length
    )
      return undefined;
    const files: { name: string; sha256: Buffer }[] = [];
    for (const entry of entries) {
      const content = entry.isDirectory ? Buffer.alloc(0) : await contentOfEntry(entry);
      files.push({ name: entry.name, sha256: createHash('sha256').update(content).digest() });
    }
    return hashFiles(files);
  } catch (error) {
    if (error instanceof InvalidZip) return undefined;
    throw error;
  }
}
