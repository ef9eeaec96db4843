import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { findFiles } from '../../src/zip/find-files.ts';
import { type CompressedFile, methods } from '../../src/zip/inflate-entry.ts';
import { readZip, type ZipEntry } from '../../src/zip/read-zip.ts';
import { type CraftedEntry, craftZip } from '../support/craft-zip.ts';
import { never } from '../support/never.ts';

const anyContent = 2 ** 30;

const find = (bytes: Buffer, headersBefore = bytes.length, maxContentBytes = anyContent, maxFiles = 1_000) =>
  findFiles({ bytes, headersBefore, maxContentBytes, maxFiles });

const factsOf = ({ method, bytes, crc32, data: { start, end } }: CompressedFile) => ({
  method,
  bytes,
  crc32,
  start,
  end,
});

const entries = fc.array(
  fc.record({
    content: fc.oneof(
      fc.string({ maxLength: 300, unit: 'binary' }),
      fc.constantFrom('PK\x03\x04', 'PK\x07\x08'.repeat(20), ''),
    ),
    method: fc.constantFrom(methods.stored, methods.deflated, methods.deflated),
    descriptor: fc.constantFrom(undefined, 'signed' as const),
    extra: fc.constantFrom(Buffer.alloc(0), Buffer.from([1, 2, 2, 0, 3, 4])),
  }),
  { minLength: 1, maxLength: 20 },
);

type Unnamed = Omit<CraftedEntry, 'name' | 'descriptor'> & { readonly descriptor?: 'signed' | undefined };

const zipOf = (all: readonly Unnamed[]) =>
  craftZip(all.map(({ descriptor, ...entry }, i) => ({ ...entry, name: `${i}`, ...(descriptor && { descriptor }) })));

describe('files in a part of a zip', () => {
  it('are those of the directory, wherever the part ends, as far as they are whole', async () => {
    await fc.assert(
      fc.asyncProperty(entries, fc.nat(), async (all, cut) => {
        const zip = zipOf(all);
        const end = cut % (zip.length + 1);
        const listed = await readZip(zip, never);
        // What is stored may look like a file of its own, but only if it is: its end is known by its sizes.
        const found = find(zip.subarray(0, end)).map(factsOf);
        const isWhole = (entry: ZipEntry, i: number) =>
          entry.data.end + (all[i]?.descriptor === 'signed' ? 16 : 0) <= end;
        const firstCut = listed.findIndex((entry, i) => !isWhole(entry, i));
        const whole = listed.slice(0, firstCut < 0 ? undefined : firstCut);
        assert.deepEqual(found, whole.filter(({ method }) => method === methods.deflated).map(factsOf));
      }),
    );
  });

  it('are found from the first header on, in whichever place the part begins', async () => {
    const zip = zipOf(Array.from({ length: 50 }, (_, i) => ({ content: `${i}`.repeat(40), descriptor: 'signed' })));
    const listed = await readZip(zip, never);
    for (let from = 0; from < zip.length; from += 7) {
      const found = find(zip.subarray(from)).map(file => file.data.start + from);
      const expected = listed.map(({ data }) => data.start).filter(start => start - 32 >= from);
      assert.deepEqual(found.slice(-expected.length || found.length), expected, `from ${from}`);
      assert.ok(found.length <= expected.length + 1);
    }
  });

  it('are those whose headers begin before where the next part begins, and no more than so many, of so many bytes', () => {
    const zip = zipOf(Array.from({ length: 4 }, () => ({ content: 'a'.repeat(1_000) })));
    const [first, second] = find(zip);
    assert.equal(find(zip).length, 4);
    assert.equal(find(zip, 1).length, 1);
    assert.equal(find(zip, second?.data.start).length, 2);
    assert.equal(find(zip, first?.data.end).length, 1);
    assert.equal(find(zip, zip.length, 2_999).length, 2);
    assert.equal(find(zip, zip.length, anyContent, 3).length, 3);
  });

  it('are looked for in one way through, whatever the bytes are', () => {
    const header = craftZip([{ name: '', content: '', descriptor: 'signed' }]).subarray(0, 30);
    const nearly = Buffer.from('PK\x07\x08............');
    for (const piece of [header, Buffer.from('PK\x03\x04'), Buffer.concat([header, nearly]), nearly]) {
      const bytes = Buffer.alloc(2 ** 20, piece);
      const start = performance.now();
      assert.deepEqual(find(bytes), []);
      assert.ok(performance.now() - start < 3_000);
    }
  });
});
