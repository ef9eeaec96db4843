import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import { hashFiles } from '../../src/gomod/h1.ts';
import { readZip } from '../../src/zip/read-zip.ts';
import { type FileToZip, writeZip } from '../../src/zip/write-zip.ts';
import { contentOfEntry } from '../support/content-of-entry.ts';
import { askGo, skipWithoutGo } from '../support/go-oracle.ts';
import { never } from '../support/never.ts';

const zipOf = async (files: Iterable<FileToZip>): Promise<Buffer> =>
  Buffer.concat(await writeZip(stream(files)).toArray());

async function* stream(files: Iterable<FileToZip>): AsyncGenerator<FileToZip, void> {
  yield* files;
}

const file = (name: string, content = name): FileToZip => ({ name, content: Buffer.from(content) });

async function readBack(zip: Buffer): Promise<FileToZip[]> {
  const files: FileToZip[] = [];
  for (const entry of await readZip(zip, never)) files.push({ name: entry.name, content: await contentOfEntry(entry) });
  return files;
}

const NAMES = [
  'example.com/lib@v1.2.3/go.mod',
  'example.com/lib@v1.2.3/.gitignore',
  'example.com/lib@v1.2.3/..x/...y',
  'example.com/lib@v1.2.3/ a b /c d.go',
  'example.com/lib@v1.2.3/x/../y', // no rule of ours: what is given is written
  'example.com/lib@v2.0.0+incompatible/é/日本/\u{20000}.go',
  'example.com/lib@v1.2.3/e\u0301',
  'example.com/lib@v1.2.3/a:b',
  'example.com/lib@v1.2.3/-rf',
  'a',
  '.',
  '...',
];

test('names are written as they are, in the order given', async () => {
  const files = NAMES.map(name => file(name));
  assert.deepEqual(await readBack(await zipOf(files)), files);
});

for (const name of ['', '/', '/a', '//a', 'a//b', '../a', 'a\\b', 'c:a', 'a/', '\ud800', 'x'.repeat(65_536)]) {
  test(`a name that could not be written as it is fails: ${JSON.stringify(name.slice(0, 20))}`, async () => {
    await assert.rejects(zipOf([file('a'), file(name)]), TypeError);
  });
}

test('any files come back as they were', async () => {
  const name = fc
    .array(fc.string({ unit: 'grapheme', minLength: 1 }), { minLength: 1 })
    .map(parts => `m@v/${parts.join('/')}`);
  const ordinary = name.filter(text => !/\\|\/\/|\/$|\p{Surrogate}/u.test(text));
  const content = fc.uint8Array({ maxLength: 3000, size: 'max' }).map(bytes => Buffer.from(bytes));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ name: ordinary, content }), { maxLength: 5 }), async files => {
      assert.deepEqual(
        await readBack(await zipOf(files)),
        files.map(({ name, content }) => ({ name, content })),
      );
    }),
  );
});

test('the same files make the same bytes, in any time zone, and say nothing about whom and when', async () => {
  const files = [file('a', 'x'.repeat(100_000)), file('b', ''), file('é')];
  const zone = process.env.TZ;
  const first = await zipOf(files);
  process.env.TZ = 'Pacific/Kiritimati';
  const second = await zipOf(files);
  process.env.TZ = zone;
  if (zone === undefined) delete process.env.TZ;
  assert.ok(first.equals(second));
  // The date's and the time's place in the first local header: 1980-01-01 00:00.
  assert.deepEqual([first.readUInt16LE(10), first.readUInt16LE(12)], [0, 0x21]);
  const entries = await readZip(first, never);
  assert.deepEqual(
    entries.map(({ unixMode }) => unixMode),
    [0o100644, 0o100644, 0o100644],
  );
});

test('files are taken as the zip is read, and leaving ends the taking', async () => {
  const fileBytes = 100_000;
  let taken = 0;
  let ended = false;
  async function* endless() {
    try {
      for (;;) yield { name: `file${taken++}`, content: randomBytes(fileBytes) };
    } finally {
      ended = true;
    }
  }
  let read = 0;
  for await (const chunk of writeZip(endless())) {
    read += chunk.length;
    // Give the writer the time to run ahead as far as it likes.
    await setTimeout(5);
    assert.ok(taken * fileBytes - read < 4_000_000, `${taken} files were taken and ${read} bytes read`);
    if (read > 10_000_000) break;
  }
  await setTimeout(100);
  assert.ok(ended);
});

test('a signal ends the stream and the reading of files', async () => {
  const controller = new AbortController();
  let ended = false;
  async function* files() {
    try {
      yield file('a');
      controller.abort(new Error('gone'));
      yield file('b');
    } finally {
      ended = true;
    }
  }
  await assert.rejects(writeZip(files(), { signal: controller.signal }).toArray(), { name: 'AbortError' });
  await setTimeout(20);
  assert.ok(ended);
  assert.throws(() => writeZip(files(), { signal: controller.signal }), /gone/);
});

test('what the files fail with, the stream fails with', async () => {
  async function* files() {
    yield file('a');
    throw new RangeError('disk on fire');
  }
  await assert.rejects(writeZip(files()).toArray(), new RangeError('disk on fire'));
});

test('Go reads what is written, over 65,535 files too', { skip: skipWithoutGo, timeout: 300_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'modforge-write-zip-'));
  after(() => rm(folder, { recursive: true }));
  const lists = [
    [],
    NAMES.map(name => file(name)),
    Array.from({ length: 65_537 }, (_, i) => file(`d${i % 9}/f${i}`, '')),
  ];
  for (const files of lists) {
    const path = join(folder, 'written.zip');
    await writeFile(path, await zipOf(files));
    const [answer] = await askGo('zip.read', [[path]]);
    const hashed = files.map(({ name, content }) => ({ name, sha256: createHash('sha256').update(content).digest() }));
    assert.deepEqual(answer, {
      ok: {
        h1: hashFiles(hashed),
        files: hashed.map(({ name, sha256 }) => ({ name, sha256: sha256.toString('hex') })),
      },
    });
  }
});
