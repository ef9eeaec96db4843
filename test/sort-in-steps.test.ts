import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sortInSteps } from '../src/sort-in-steps.ts';

interface Item {
  readonly key: number;
  /** Tells equal items apart. */
  readonly place: number;
}

const byKey = (a: Item, b: Item): number => a.key - b.key;

function sort(items: readonly Item[]) {
  let comparisons = 0;
  let mostInStep = 0;
  const steps = sortInSteps(items, (a, b) => {
    comparisons += 1;
    return byKey(a, b);
  });
  for (;;) {
    comparisons = 0;
    const step = steps.next();
    mostInStep = Math.max(mostInStep, comparisons);
    if (step.done) return { sorted: step.value, mostInStep };
  }
}

const itemsOf = (keys: readonly number[]): Item[] => keys.map((key, place) => ({ key, place }));

test('items are sorted as toSorted does it, equal ones in their order', () => {
  // Often equal, and of more than one step.
  const keys = fc.array(fc.nat({ max: 500 }), { maxLength: 5_000, size: 'max' });
  fc.assert(
    fc.property(keys, keys => {
      const items = itemsOf(keys);
      assert.deepEqual(sort(items).sorted, items.toSorted(byKey));
    }),
    // To look for a smaller one of so many items takes minutes.
    { endOnFailure: true },
  );
  for (const keys of [[], [1], [2, 1]]) {
    assert.deepEqual(sort(itemsOf(keys)).sorted, itemsOf(keys).toSorted(byKey));
  }
});

test('a step takes as long for many items as for few', () => {
  for (const count of [2_000, 20_000, 200_000]) {
    const { mostInStep } = sort(itemsOf(Array.from({ length: count }, (_, i) => (i * 7_919) % count)));
    assert.ok(mostInStep <= 10_000, `${mostInStep} comparisons in a step for ${count} items`);
  }
});
