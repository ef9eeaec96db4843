import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseRange } from '../../src/http/parse-range.ts';

describe('parseRange', () => {
  for (const [header, range] of [
    ['bytes=0-0', { start: 0, end: 0 }],
    ['bytes=0-9', { start: 0, end: 9 }],
    ['bytes=5-', { start: 5, end: 9 }],
    ['bytes=9-', { start: 9, end: 9 }],
    ['bytes=-1', { start: 9, end: 9 }],
    ['bytes=-10', { start: 0, end: 9 }],
    ['bytes=-100', { start: 0, end: 9 }],
    ['bytes=5-99999999999999999999999', { start: 5, end: 9 }],
    ['Bytes= 1-2 ', { start: 1, end: 2 }],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=10-20', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=2-1', undefined],
    ['bytes=-', undefined],
    ['bytes=', undefined],
    ['bytes=x', undefined],
    ['bytes=1-2x', undefined],
    ['bytes=+1-2', undefined],
    ['bytes=0-1,4-5', undefined],
    ['lines=0-1', undefined],
    ['', undefined],
  ] as const) {
    it(`finds ${JSON.stringify(range)} of ten bytes in ${JSON.stringify(header)}`, () => {
      assert.deepEqual(parseRange(header, 10), range);
    });
  }

  it('finds no range of nothing', () => {
    for (const header of ['bytes=0-', 'bytes=0-0', 'bytes=-5']) assert.equal(parseRange(header, 0), 'unsatisfiable');
  });

  it('never leaves the bytes there are', () => {
    const number = fc.oneof(fc.constant(''), fc.nat({ max: 30 }).map(String));
    const property = fc.property(number, number, fc.nat({ max: 20 }), (first, last, size) => {
      const range = parseRange(`bytes=${first}-${last}`, size);
      if (range === undefined || range === 'unsatisfiable') return;
      assert.ok(0 <= range.start && range.start <= range.end && range.end < size);
    });
    fc.assert(property, { seed: 1, numRuns: 2000 });
  });
});
