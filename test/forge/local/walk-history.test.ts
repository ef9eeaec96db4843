import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { walkHistory } from '../../../src/forge/local/walk-history.ts';
import { ObjectMissing } from '../../../src/git/errors.ts';
import { type ObjectId, parseObjectId } from '../../../src/git/object-id.ts';
import type { HistoryCommit } from '../../../src/git/remote.ts';

const { signal } = new AbortController();
const idOf = (n: number): ObjectId => parseObjectId((n + 1).toString(16).padStart(40, '0'));

/** Commits by their parents' numbers, each older than its own; `time` is how much later a commit is than the one before it. */
interface Sketch {
  readonly parents: readonly number[];
  readonly time: number;
}

function makeHistory(sketches: readonly Sketch[]): ReadonlyMap<ObjectId, HistoryCommit> {
  let time = 1_700_000_000;
  const commits = sketches.map(({ parents, time: later }, i): HistoryCommit => {
    time += later;
    return { id: idOf(i), parents: parents.map(idOf), time };
  });
  return new Map(commits.map(commit => [commit.id, commit]));
}

/** A reader of these commits, and the ids that it was asked for. */
function readerOf(history: ReadonlyMap<ObjectId, HistoryCommit>) {
  const asked: ObjectId[] = [];
  const read = async (id: ObjectId) => {
    asked.push(id);
    const commit = history.get(id);
    if (commit === undefined) throw new ObjectMissing(id);
    return commit;
  };
  return { read, asked };
}

function reachedFrom(history: ReadonlyMap<ObjectId, HistoryCommit>, tips: readonly ObjectId[]): Set<ObjectId> {
  const reached = new Set<ObjectId>();
  const open = [...tips];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (reached.has(id)) continue;
    reached.add(id);
    open.push(...(history.get(id)?.parents ?? []));
  }
  return reached;
}

/** Up to 30 commits, and which of them are tips and which are known. */
const cases = (time: fc.Arbitrary<number>) =>
  fc
    .integer({ min: 1, max: 30 })
    .chain(count =>
      fc.tuple(
        fc.tuple(
          ...Array.from({ length: count }, (_, i) =>
            fc.record({ parents: i === 0 ? fc.constant([]) : fc.uniqueArray(fc.nat(i - 1), { maxLength: 3 }), time }),
          ),
        ),
        fc.array(fc.nat(count - 1), { maxLength: 4 }),
        fc.array(fc.nat(count - 1), { maxLength: 4 }),
      ),
    );

test('what the tips reach and the known ones do not is found, each commit read once', async () => {
  const property = fc.asyncProperty(cases(fc.nat(2)), async ([sketches, tipNumbers, knownNumbers]) => {
    const history = makeHistory(sketches);
    const { read, asked } = readerOf(history);
    const [tips, known] = [tipNumbers.map(idOf), knownNumbers.map(idOf)];
    const isKnown = reachedFrom(history, known);
    const expected = [...reachedFrom(history, tips)].filter(id => !isKnown.has(id));
    const found = await walkHistory({ tips, known, signal }, read);
    assert.deepEqual(found.map(({ id }) => id).sort(), expected.sort());
    for (const commit of found) assert.equal(commit, history.get(commit.id));
    assert.equal(new Set(asked).size, asked.length);
  });
  await fc.assert(property, { seed: 1, numRuns: 2000 });
});

test('clocks that go backwards hide nothing', async () => {
  const property = fc.asyncProperty(
    cases(fc.integer({ min: -9, max: 9 })),
    async ([sketches, tipNumbers, knownNumbers]) => {
      const history = makeHistory(sketches);
      const [tips, known] = [tipNumbers.map(idOf), knownNumbers.map(idOf)];
      const isKnown = reachedFrom(history, known);
      const reached = reachedFrom(history, tips);
      const found = new Set((await walkHistory({ tips, known, signal }, readerOf(history).read)).map(({ id }) => id));
      for (const id of reached) assert.ok(found.has(id) || isKnown.has(id));
      for (const id of found) assert.ok(reached.has(id) && !known.includes(id));
    },
  );
  await fc.assert(property, { seed: 1, numRuns: 2000 });
});

test('of what is known no more is read than is as new as what is not', async () => {
  const history = makeHistory(Array.from({ length: 1000 }, (_, i) => ({ parents: i === 0 ? [] : [i - 1], time: 1 })));
  const { read, asked } = readerOf(history);
  const found = await walkHistory({ tips: [idOf(999)], known: [idOf(995)], signal }, read);
  assert.deepEqual(found.map(({ id }) => id).sort(), [996, 997, 998, 999].map(idOf));
  assert.ok(asked.length <= 6, `${asked.length}`);
});

test('what is known may be gone, or what came before it; what is not may not', async () => {
  const history = new Map(makeHistory([0, 1, 2, 3].map(i => ({ parents: i === 0 ? [] : [i - 1], time: 0 }))));
  history.delete(idOf(0));
  const { read } = readerOf(history);
  const gone = idOf(77);
  const found = await walkHistory({ tips: [idOf(3)], known: [gone, idOf(1)], signal }, read);
  assert.deepEqual(found.map(({ id }) => id).sort(), [2, 3].map(idOf));
  await assert.rejects(walkHistory({ tips: [gone], known: [], signal }, read), ObjectMissing);
  await assert.rejects(walkHistory({ tips: [idOf(3)], known: [], signal }, read), ObjectMissing);
});

test('others have their turn, and who goes away stops the walk', async () => {
  const history = makeHistory(Array.from({ length: 50_000 }, (_, i) => ({ parents: i === 0 ? [] : [i - 1], time: 1 })));
  const { read, asked } = readerOf(history);
  const controller = new AbortController();
  const reason = new Error('the client went away');
  setImmediate(() => setImmediate(() => controller.abort(reason)));
  await assert.rejects(walkHistory({ tips: [idOf(49_999)], known: [], signal: controller.signal }, read), reason);
  assert.ok(asked.length > 0 && asked.length < history.size);
});
