import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeCommit } from '../../src/git/commit.ts';
import { CorruptObject } from '../../src/git/errors.ts';
import { emptyTree, hashObject, parseObjectId } from '../../src/git/object-id.ts';
import { parseHistoryCommit } from '../../src/git/parse-history-commit.ts';
import type { HistoryCommit } from '../../src/git/remote.ts';

const id = parseObjectId('1'.repeat(40));
const first = parseObjectId('2'.repeat(40));
const second = parseObjectId('3'.repeat(40));
const tree = `tree ${emptyTree}\n`;
const people = 'author A <a@b> 5 +0100\ncommitter C <c@d> 6 -0330\n';

const cases: readonly { name: string; text: string; expected: Omit<HistoryCommit, 'id'> | undefined }[] = [
  { name: 'a root', text: `${tree}${people}\nsubject\n`, expected: { parents: [], time: 6 } },
  {
    name: 'a merge, its parents in their order',
    text: `${tree}parent ${second}\nparent ${first}\n${people}\nsubject\n`,
    expected: { parents: [second, first], time: 6 },
  },
  { name: 'no message', text: `${tree}parent ${first}\n${people}`, expected: { parents: [first], time: 6 } },
  {
    name: 'a merged tag, a signature and a message that look like headers',
    text:
      `${tree}${people}mergetag object ${second}\n parent ${second}\n committer X <x> 8 +0000\ngpgsig -----BEGIN\n \n` +
      ` -----END\n\nparent ${second}\ncommitter X <x> 9 +0000\n`,
    expected: { parents: [], time: 6 },
  },
  {
    name: 'a committer with more brackets than usual, and no zone',
    text: `${tree}author A <a> 5\ncommitter C <c <d>> <e> 7\n\n`,
    expected: { parents: [], time: 7 },
  },
  { name: 'no time', text: `${tree}author A <a> 5\ncommitter C <c@d>\n\n`, expected: { parents: [], time: 0 } },
  {
    name: 'a time beyond all bounds',
    text: `${tree}author A <a> 5\ncommitter C <c@d> ${'9'.repeat(30)} +0000\n\n`,
    expected: { parents: [], time: 0 },
  },
  {
    name: 'no committer, but one in the message',
    text: `${tree}author A <a> 5\n\ncommitter C <c@d> 7 +0000\n`,
    expected: { parents: [], time: 0 },
  },
  { name: 'a parent that is cut off', text: `${tree}parent ${'2'.repeat(39)}`, expected: undefined },
  { name: 'a parent that is no id', text: `${tree}parent ${'x'.repeat(40)}\n${people}\n`, expected: undefined },
  { name: 'a tag', text: `object ${first}\ntype commit\n`, expected: undefined },
  { name: 'nothing', text: '', expected: undefined },
];

for (const { name, text, expected } of cases) {
  test(`of a commit its parents and its time are read: ${name}`, () => {
    const read = () => parseHistoryCommit(id, Buffer.from(text));
    if (expected === undefined) assert.throws(read, CorruptObject);
    else assert.deepEqual(read(), { id, ...expected });
  });
}

test('parents and time of any commit come as they were encoded', () => {
  const objectId = fc.uint8Array({ minLength: 20, maxLength: 20 }).map(bytes => hashObject('blob', bytes));
  const word = fc.string({ unit: 'grapheme' }).map(text => text.replace(/[<>\p{Cc}]/gu, ''));
  const time = fc.nat({ max: 4_000_000_000 });
  const parts = fc.tuple(fc.array(objectId, { maxLength: 9 }), word, word, time, fc.string({ unit: 'grapheme' }));
  fc.assert(
    fc.property(parts, ([parents, name, email, time, message]) => {
      const author = { name: 'A', email: 'a@b', time: 5 };
      const content = encodeCommit({ tree: emptyTree, parents, author, committer: { name, email, time }, message });
      assert.deepEqual(parseHistoryCommit(id, content), { id, parents, time });
    }),
    { seed: 1 },
  );
});
