import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { crc32, deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { sliceOf } from '../../src/spool/slice.ts';
import { ZipBuilder } from '../../src/zip/build-zip.ts';
import { readZip } from '../../src/zip/read-zip.ts';
import { type FileToZip, writeZip } from '../../src/zip/write-zip.ts';
import { contentOfEntry } from '../support/content-of-entry.ts';
import { never } from '../support/never.ts';

async function* each(files: readonly FileToZip[]) {
  yield* files;
}

async function build(files: readonly FileToZip[]): Promise<Buffer> {
  const zip = new ZipBuilder();
  for (const { name, content } of files) {
    zip.add({
      name,
      content: { data: sliceOf(deflateRawSync(content)), size: content.byteLength, crc32: crc32(content) },
    });
  }
  const pieces: Buffer[] = [];
  let isBusy = false;
  await zip.writeTo(async piece => {
    assert.ok(!isBusy, 'each piece is waited for');
    isBusy = true;
    await setImmediate();
    pieces.push(Buffer.from(piece));
    isBusy = false;
  });
  const bytes = Buffer.concat(pieces);
  assert.equal(bytes.byteLength, zip.byteLength);
  assert.ok(bytes.equals(await zip.bytes()));
  return bytes;
}

async function contentsOf(zip: Buffer): Promise<FileToZip[]> {
  const files: FileToZip[] = [];
  for (const entry of await readZip(zip, never)) {
    files.push({ name: entry.name, content: await contentOfEntry(entry) });
  }
  return files;
}

const file = fc
  .tuple(fc.stringMatching(/^[a-zäß日][a-zäß日 ._-]{0,20}(\/[a-z]{1,10}){0,3}$/), fc.uint8Array({ maxLength: 2000 }))
  .map(([name, bytes]) => ({ name, content: Buffer.from(bytes) }));
const files = fc.uniqueArray(file, { maxLength: 20, selector: ({ name }) => name });

describe('ZipBuilder', () => {
  it('gives back the files in their order, as the other writer does', async () => {
    await fc.assert(
      fc.asyncProperty(files, async written => {
        assert.deepEqual(await contentsOf(await build(written)), written);
        const reference = Buffer.concat(await writeZip(each(written)).toArray());
        assert.deepEqual(await contentsOf(reference), written);
      }),
    );
  });

  it('fails where it has fewer bytes than it said, to memory and elsewhere', async () => {
    const zip = new ZipBuilder();
    zip.add({ name: 'a', content: { data: { bulk: Buffer.alloc(10), start: 0, end: 20 }, size: 20, crc32: 0 } });
    await assert.rejects(zip.bytes(), /instead of/);
    await assert.rejects(
      zip.writeTo(() => {}),
      /instead of/,
    );
  });

  it('makes the same bytes of the same files', async () => {
    const same = [{ name: 'a/b', content: Buffer.from('x'.repeat(1000)) }];
    assert.deepEqual(await build(same), await build(same));
  });

  it('holds more files than the old records can count, and large ones', async () => {
    const many = Array.from({ length: 70_000 }, (_, i) => ({ name: `f${i}`, content: Buffer.alloc(0) }));
    many.push({ name: 'large', content: Buffer.alloc(1_000_000, 'go') });
    const back = await readZip(await build(many), never);
    assert.equal(back.length, 70_001);
    assert.equal(back.at(-1)?.bytes, 1_000_000);
  });

  it('refuses a name that is too long for it', async () => {
    const content = Buffer.from('x');
    const longest = { name: 'ä'.repeat(0x7fff), content };
    assert.deepEqual(await contentsOf(await build([longest])), [longest]);
    await assert.rejects(build([{ name: 'ä'.repeat(0x8000), content }]), RangeError);
  });
});
