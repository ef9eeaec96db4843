import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TreeBuilder, type TreeFile } from '../../src/git/build-tree.ts';
import { CorruptObject } from '../../src/git/errors.ts';
import { emptyTree, hashObject, parseObjectId } from '../../src/git/object-id.ts';
import { namedBy, packObject } from '../../src/git/packed-object.ts';
import { parseTree } from '../../src/git/parse-tree.ts';
import type { FileMode } from '../../src/git/remote.ts';
import { buildTree } from '../support/build-tree.ts';
import { gitBytes } from '../support/git-bytes.ts';
import { packOf } from '../support/pack-of.ts';
import { fsck, gitIn } from '../support/plain-git.ts';
import { skipWithout } from '../support/skip-without.ts';
import { makeTemporaryFolder } from '../support/temporary-folder.ts';

const skip = skipWithout('git');
const blob = packObject('blob', Buffer.from('content'));
const file = (path: string, mode: FileMode = '100644'): TreeFile => ({ path, mode, id: blob.id });

/** Names that are hard to sort: each other's beginnings, around `/` in ASCII, outside ASCII and outside 16 bits. */
const name = fc.oneof(
  fc.constantFrom('a', 'a.b', 'a-b', 'a0', 'ab', 'a b', 'A', 'é', '\u{1f600}', '\uffee', '\ud7ff'),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 3 }).filter(text => !/[/\0]|^\.\.?$/.test(text)),
);
const paths = fc
  .array(
    fc.array(name, { minLength: 1, maxLength: 4 }).map(parts => parts.join('/')),
    { maxLength: 40 },
  )
  .map(all => [...new Set(all)].filter(path => !all.some(other => other.startsWith(`${path}/`))));

test('trees are those that git makes of the same files, and nothing is written twice', { skip }, async () => {
  await using folder = await makeTemporaryFolder();
  const git = gitIn(folder.path);
  await git('init', '.');
  gitBytes(folder.path, ['hash-object', '-w', '--stdin'], 'content');
  const modes = fc.constantFrom<FileMode>('100644', '100755', '120000');
  fc.assert(
    fc.property(paths, fc.infiniteStream(modes), (all, stream) => {
      const files = all.map(path => file(path, stream.next().value));
      const lines = files.map(({ path, mode, id }) => `${mode} ${id}\t${path}\0`).join('');
      gitBytes(folder.path, ['read-tree', '--empty']);
      gitBytes(folder.path, ['-c', 'core.protectNTFS=false', 'update-index', '-z', '--index-info'], lines);
      const { id, trees } = buildTree(files);
      assert.equal(id, gitBytes(folder.path, ['write-tree']).toString().trim());
      assert.equal(new Set(trees.map(tree => tree.id)).size, trees.length);
    }),
    { numRuns: 40, endOnFailure: true },
  );
});

test('git finds nothing wrong with a pack of our trees', { skip }, async () => {
  await using folder = await makeTemporaryFolder();
  gitBytes(folder.path, ['init', '--bare', '.']);
  const all = fc.sample(paths, 30).flatMap((some, i) => some.map(path => `${i}/${path}`));
  const { trees } = buildTree(all.map(path => file(path)));
  gitBytes(folder.path, ['index-pack', '--strict', '--stdin'], await packOf([blob, ...trees]));
  assert.equal(await fsck(folder.path), '');
});

test('the same directory in two places is one tree', () => {
  const { trees } = buildTree(['a/x/f', 'b/x/f', 'c/y/f'].map(path => file(path)));
  assert.equal(trees.length, 4);
});

test('no files make the empty tree', () => {
  assert.equal(buildTree([]).id, emptyTree);
});

test('2,000 directories in each other are built and read', () => {
  const { trees } = buildTree([file(`${'d/'.repeat(2000)}f`)]);
  assert.equal(trees.length, 2001);
});

for (const bad of [['a', 'a'], ['a', 'a/b'], ['a/b', 'a'], ['a//b'], ['/a'], ['a/'], ['']]) {
  test(`files that make no tree are refused: ${JSON.stringify(bad)}`, () => {
    assert.throws(() => buildTree(bad.map(path => file(path))), TypeError);
  });
}

const entry = (mode: string, entryName: string | Uint8Array) =>
  Buffer.concat([Buffer.from(`${mode} `), Buffer.from(entryName), Buffer.alloc(1), Buffer.from(blob.id, 'hex')]);
const someId = parseObjectId('1'.repeat(40));

test('a tree is read as git reads it, old modes included', () => {
  const modes = { '100664': '100644', '100600': '100644', '100775': '100755', '40000': '40000', '040000': '40000' };
  for (const [mode, expected] of Object.entries({ ...modes, '120000': '120000', '160000': '160000' })) {
    assert.deepEqual(parseTree(someId, entry(mode, 'a\\b')), [{ name: 'a\\b', mode: expected, id: blob.id }]);
  }
});

test('a tree that is cut off, leads out of itself or holds what is no file is corrupt', () => {
  const whole = entry('100644', 'name');
  for (let length = 1; length < whole.byteLength; length++) {
    assert.throws(() => parseTree(someId, whole.subarray(0, length)), CorruptObject);
  }
  for (const bad of ['.', '..', '', 'a/b']) {
    assert.throws(() => parseTree(someId, entry('100644', bad)), CorruptObject, bad);
  }
  for (const mode of ['', '0', '100', '10064x', '060000', '140000', '-100644']) {
    assert.throws(() => parseTree(someId, entry(mode, 'a')), CorruptObject, mode);
  }
});

test('a tree that was built tells what it names, as reading it would', () => {
  const modes: readonly FileMode[] = ['100644', '100755', '120000', '160000'];
  fc.assert(
    fc.property(paths, paths => {
      const builder = new TreeBuilder();
      for (const [i, path] of paths.entries()) builder.add(file(path, modes[i % modes.length]));
      for (const tree of builder.trees()) {
        const { names, ...untold } = tree;
        assert.deepEqual([...(names ?? [])].sort(), [...namedBy(untold)].sort());
        assert.deepEqual(namedBy(tree), names);
      }
    }),
  );
});

test('what was built is read again', () => {
  fc.assert(
    fc.property(fc.uniqueArray(name, { maxLength: 20 }), names => {
      const { id } = buildTree(names.map(each => file(each)));
      const order = names.map(each => Buffer.from(each)).sort(Buffer.compare);
      const content = Buffer.concat(order.map(each => entry('100644', each)));
      assert.equal(hashObject('tree', content), id);
      assert.deepEqual(
        parseTree(id, content).map(each => each.name),
        order.map(String),
      );
    }),
  );
});
