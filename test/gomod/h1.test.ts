import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashFiles, hashFilesInSteps, hashGoMod, isH1, parseH1 } from '../../src/gomod/h1.ts';
import { askGo, skipWithoutGo } from '../support/go-oracle.ts';

const sha256 = (content: string) => createHash('sha256').update(content).digest();
const hashContents = (contents: Record<string, string>) =>
  hashFiles(Object.entries(contents).map(([name, content]) => ({ name, sha256: sha256(content) })));

const H1S: [text: string, isH1: boolean][] = [
  ['h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=', true],
  ['h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=', true],
  ['', false],
  ['h1:', false],
  ['h2:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=', false],
  ['H1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=', false],
  ['47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=', false],
  ['h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU', false],
  ['h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=', false], // the last digit has bits beyond the 32nd byte
  ['h1:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=', false],
  ['h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n', false],
  ['h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuA==', false],
];

for (const [text, expected] of H1S) {
  test(`${JSON.stringify(text)} is ${expected ? 'a' : 'no'} hash`, () => {
    assert.equal(isH1(text), expected);
    if (expected) assert.equal(parseH1(text), text);
    else assert.throws(() => parseH1(text), TypeError);
  });
}

test('the hash of a go.mod is the one in go.sum', () => {
  // golang.org/x/exp's first lines in many go.sum files: rsc.io/sampler v1.3.0/go.mod
  const goMod = 'module "rsc.io/sampler"\n\nrequire "golang.org/x/text" v0.0.0-20170915032832-14c0d48ead0c\n';
  assert.equal(hashGoMod(Buffer.from(goMod)), 'h1:T1hPZKmBbMNahiBKFy5HrXp6adAjACjK9JXDnKaTXpA=');
});

test('the order of the files does not matter, and names sort by their bytes', () => {
  // U+FF61 is before U+10000 in UTF-8, behind it in UTF-16.
  const names = ['\u{10000}', '\uff61', 'b', 'a', 'B', ''];
  const files = names.map(name => ({ name, sha256: sha256(name) }));
  const lines = ['', 'B', 'a', 'b', '\uff61', '\u{10000}'].map(name => `${sha256(name).toString('hex')}  ${name}\n`);
  assert.equal(hashFiles(files), `h1:${createHash('sha256').update(lines.join('')).digest('base64')}`);
  fc.assert(
    fc.property(fc.shuffledSubarray(files, { minLength: files.length }), shuffled => {
      assert.equal(hashFiles(shuffled), hashFiles(files));
    }),
  );
});

test('the hash is that of a line for each file, in the order of their bytes', () => {
  const name = fc.oneof(
    fc.string({ unit: 'binary' }).map(text => text.replaceAll('\n', '')),
    fc
      .array(fc.constantFrom('a', 'B', '/', '.', '\0', '\uff61', '\u{10000}', '\ud800'), { maxLength: 4 })
      .map(p => p.join('')),
  );
  const file = fc.record({ name, sha256: fc.uint8Array({ minLength: 32, maxLength: 32 }) });
  fc.assert(
    fc.property(fc.array(file), files => {
      const sorted = files.toSorted((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
      const hash = createHash('sha256');
      for (const { name, sha256 } of sorted) hash.update(`${Buffer.from(sha256).toString('hex')}  ${name}\n`);
      assert.equal(hashFiles(files), `h1:${hash.digest('base64')}`);
    }),
  );
});

test('the hash of many files is made in steps, and is the same', () => {
  const files = Array.from({ length: 1_201 }, (_, i) => ({ name: `file${i}`, sha256: sha256(`${i}`) }));
  const steps = hashFilesInSteps(files);
  let count = 0;
  let step = steps.next();
  for (; !step.done; step = steps.next()) count += 1;
  // Two runs of names and what makes one of them, then three pieces of the list.
  assert.equal(count, 6);
  const sorted = files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const lines = sorted.map(({ name, sha256 }) => `${sha256.toString('hex')}  ${name}\n`);
  assert.equal(step.value, `h1:${createHash('sha256').update(lines.join('')).digest('base64')}`);
});

test('a name with a newline is refused, as Go refuses it', () => {
  assert.throws(() => hashFiles([{ name: 'a\nb', sha256: sha256('') }]), TypeError);
});

test('what hashFiles gives is a hash', () => {
  fc.assert(
    fc.property(fc.array(fc.string()), names => {
      const files = names.map(name => ({ name: name.replaceAll('\n', ''), sha256: sha256(name) }));
      assert.ok(isH1(hashFiles(files)));
    }),
  );
});

test('hashes agree with dirhash.Hash1', { skip: skipWithoutGo }, async () => {
  const name = fc.string({ unit: 'binary' }).filter(text => !text.includes('\n') && !/\p{Surrogate}/u.test(text));
  const lists = fc.sample(fc.dictionary(name, fc.string({ unit: 'grapheme' }), { noNullPrototype: true }), 2000);
  const answers = await askGo(
    'dirhash.hash1',
    lists.map(list => [list]),
  );
  for (const [i, list] of lists.entries()) assert.deepEqual(answers[i], { ok: hashContents(list) });
});
