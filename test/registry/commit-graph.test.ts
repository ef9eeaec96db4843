import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { hashObject, type ObjectId } from '../../src/git/object-id.ts';
import type { HistoryCommit } from '../../src/git/remote.ts';
import { CommitGraph } from '../../src/registry/commit-graph.ts';

const idOf = (name: string): ObjectId => hashObject('commit', Buffer.from(name));
const commit = (name: string, ...parents: string[]): HistoryCommit => ({
  id: idOf(name),
  parents: parents.map(idOf),
  time: 0,
});
const empty = new CommitGraph(new Map());
const ids = (names: string) => new Set([...names].map(idOf));

describe('CommitGraph', async () => {
  // a ── b ── d ── e
  //  ╰── c ──╯
  const merged = [commit('a'), commit('b', 'a'), commit('c', 'a'), commit('d', 'b', 'c'), commit('e', 'd')];
  const graph = await empty.grownTo([idOf('e')], merged);

  it('knows what comes before a commit, on every side of a merge', async () => {
    assert.deepEqual(new Set(await graph.ancestorsOf(idOf('d'))), ids('abcd'));
    assert.deepEqual(new Set(await graph.ancestorsOf(idOf('b'))), ids('ab'));
    assert.equal((await graph.ancestorsOf(idOf('x'))).size, 0);
  });

  it('drops what a branch has left behind', async () => {
    const moved = await graph.grownTo([idOf('f')], [commit('f', 'b')]);
    assert.deepEqual(new Set(await moved.ancestorsOf(idOf('f'))), ids('abf'));
    assert.equal(moved.size, 3);
    assert.equal(moved.has(idOf('e')), false);
  });

  it('takes a tip that is no commit, and a history that is cut off, as they are', async () => {
    const cut = await empty.grownTo([idOf('e'), idOf('a blob')], [commit('e', 'd')]);
    assert.deepEqual(new Set(await cut.ancestorsOf(idOf('e'))), ids('e'));
    assert.equal(cut.size, 1);
  });

  it('finds commits by the first digits of their ids, at most two', () => {
    assert.deepEqual(graph.withPrefix(idOf('c').slice(0, 7)), [idOf('c')]);
    assert.deepEqual(graph.withPrefix('not hex'), []);
    assert.equal(graph.withPrefix('').length, 2);
  });

  it('is the same however it has grown', async () => {
    const histories = fc.array(fc.array(fc.nat(), { maxLength: 3 }), { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(histories, fc.nat(), async (parents, cut) => {
        const commits = parents.map((list, i) =>
          commit(`c${i}`, ...(i === 0 ? [] : list.map(parent => `c${parent % i}`))),
        );
        const tips = commits.map(({ id }) => id);
        const whole = await empty.grownTo(tips, commits);
        const first = cut % commits.length;
        const half = await empty.grownTo(tips.slice(0, first), commits.slice(0, first));
        const grown = await half.grownTo(tips, commits.slice(first));
        for (const id of tips)
          assert.deepEqual(new Set(await grown.ancestorsOf(id)), new Set(await whole.ancestorsOf(id)));
      }),
      { seed: 5, numRuns: 200 },
    );
  });
});
