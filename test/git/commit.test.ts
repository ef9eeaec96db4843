import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Commit, encodeCommit, parseCommit } from '../../src/git/commit.ts';
import { CorruptObject } from '../../src/git/errors.ts';
import { emptyTree, hashObject, type ObjectId, parseObjectId } from '../../src/git/object-id.ts';
import { gitBytes } from '../support/git-bytes.ts';
import { gitIn } from '../support/plain-git.ts';
import { skipWithout } from '../support/skip-without.ts';
import { makeTemporaryFolder } from '../support/temporary-folder.ts';

const skip = skipWithout('git');
const someId = parseObjectId('1'.repeat(40));

const objectId = fc.uint8Array({ minLength: 20, maxLength: 20 }).map(bytes => hashObject('blob', bytes));
const word = fc.string({ unit: 'grapheme' }).map(text => text.replace(/[<>\p{Cc}]/gu, '').trim());
const plain = { noNullPrototype: true };
const person = fc.record({ name: word, email: word, time: fc.nat({ max: 4_000_000_000 }) }, plain);
const commit = fc.record(
  {
    tree: objectId,
    parents: fc.array(objectId, { maxLength: 3 }),
    author: person,
    committer: person,
    message: fc.string({ unit: 'grapheme' }),
  },
  plain,
);

test('a commit comes back as it was encoded', () => {
  fc.assert(
    fc.property(commit, objectId, (content, id) => {
      assert.deepEqual(parseCommit(id, encodeCommit(content)), { id, ...content });
    }),
  );
});

test('parsing any bytes gives a commit or CorruptObject', () => {
  const lines = fc.array(
    fc.oneof(
      fc.string(),
      fc.constantFrom(`tree ${someId}`, 'author A <a@b> 1 +0000', 'committer <> 1', '', 'parent x'),
    ),
  );
  fc.assert(
    fc.property(lines, text => {
      try {
        parseCommit(someId, Buffer.from(text.join('\n')));
      } catch (error) {
        assert.ok(error instanceof CorruptObject);
      }
    }),
  );
});

const cases: readonly { name: string; text: string; expected: Partial<Commit> | undefined }[] = [
  {
    name: 'a signature, a merged tag and their lines are passed over, whatever they hold',
    text: `tree ${emptyTree}\nauthor A <a@b> 5 +0100\ncommitter C <c@d> 6 -0330\ngpgsig -----BEGIN\n \n tree ${someId}\n -----END\n\nsubject\n\nauthor X\n`,
    expected: { tree: emptyTree, message: 'subject\n\nauthor X\n', committer: { name: 'C', email: 'c@d', time: 6 } },
  },
  {
    name: 'no message, no line feed after it, blank lines before and behind',
    text: `tree ${emptyTree}\nauthor A <a@b> 5 +0000\ncommitter C <c@d> 6 +0000\n\n\n\n x \n\n`,
    expected: { message: '\n\n x \n\n' },
  },
  {
    name: 'no blank line at all',
    text: `tree ${emptyTree}\nauthor A <a> 5 +0\ncommitter C <c> 6 +0\n`,
    expected: { message: '' },
  },
  {
    name: 'a person without a name',
    text: `tree ${emptyTree}\nauthor <a@b> 5 +0000\ncommitter  <> 6 +0000\n\n`,
    expected: { author: { name: '', email: 'a@b', time: 5 } },
  },
  { name: 'no tree', text: 'author A <a> 5 +0000\ncommitter C <c> 6 +0000\n\nx', expected: undefined },
  {
    name: 'no committer',
    text: `tree ${emptyTree}\nauthor A <a> 5 +0000\n\ncommitter C <c> 6 +0000\n`,
    expected: undefined,
  },
  {
    name: 'a time that is none',
    text: `tree ${emptyTree}\nauthor A <a> 6 +0000\ncommitter C <c> soon\n\n`,
    expected: undefined,
  },
  {
    name: 'an author who makes no sense, whom nobody needs',
    text: `tree ${emptyTree}\nauthor A <a> soon\ncommitter C <c> 6 +0000\n\n`,
    expected: { committer: { name: 'C', email: 'c', time: 6 } },
  },
  {
    name: 'a bad parent',
    text: `tree ${emptyTree}\nparent 12\nauthor A <a> 5 +0\ncommitter C <c> 6 +0\n\n`,
    expected: undefined,
  },
];

for (const { name, text, expected } of cases) {
  test(`parsing a commit: ${name}`, () => {
    if (expected === undefined) {
      assert.throws(() => parseCommit(someId, Buffer.from(text)), CorruptObject);
    } else {
      const parsed = parseCommit(someId, Buffer.from(text));
      assert.deepEqual({ ...parsed, ...expected }, parsed);
    }
  });
}

test('git takes our commits, and reads in them what we wrote', { skip }, async () => {
  await using folder = await makeTemporaryFolder();
  const git = gitIn(folder.path);
  await git('init', '--bare', '.');
  gitBytes(folder.path, ['hash-object', '-w', '-t', 'tree', '--stdin']);
  const who = { name: 'Zoë O’Neill', email: 'zoe@users.noreply.example.com', time: 1_700_000_000 };
  const write = (parents: ObjectId[], message: string): ObjectId => {
    const content = { tree: emptyTree, parents, author: who, committer: { ...who, time: 1_800_000_000 }, message };
    const bytes = encodeCommit(content);
    const id = parseObjectId(
      gitBytes(folder.path, ['hash-object', '-w', '-t', 'commit', '--stdin'], bytes).toString().trim(),
    );
    assert.equal(id, hashObject('commit', bytes));
    return id;
  };
  const first = write([], 'no line feed at the end');
  const second = write([first], 'example.com/a v1.0.0\n\nModule: example.com/a\nVersion: v1.0.0\n');
  assert.equal(await git('fsck', '--strict', '--no-dangling'), '');
  assert.equal(
    await git('log', '-1', '--format=%an|%ae|%at|%ct|%P', second),
    `${who.name}|${who.email}|1700000000|1800000000|${first}`,
  );
  assert.equal(await git('log', '-1', '--format=%(trailers:key=Version,valueonly)', second), 'v1.0.0\n');
  const theirs = await git('commit-tree', '-p', second, '-m', 'theirs', emptyTree);
  const raw = gitBytes(folder.path, ['cat-file', 'commit', theirs]);
  assert.equal(parseCommit(parseObjectId(theirs), raw).message, 'theirs\n');
});
