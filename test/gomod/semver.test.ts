import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  buildOf,
  canonicalSemver,
  compareSemver,
  isSemver,
  majorMinorOf,
  majorOf,
  parseSemver,
  prereleaseOf,
} from '../../src/gomod/semver.ts';
import { askGo, skipWithoutGo } from '../support/go-oracle.ts';

const LONG = '9'.repeat(40);

/** Lowest first; what stands on one line is equal. */
const ORDER = [
  [
    '',
    '1.2.3',
    'v',
    'v01.0.0',
    'v1.2.3-',
    'v1.2.3-01',
    'v1.2.3-a..b',
    'v1.2.3+',
    'v1.2-pre',
    'v1+meta',
    'v1.2.3 ',
    'v1.2.3\n',
  ],
  ['v0.0.0-0'],
  ['v0.0.0'],
  ['v1.0.0-1'],
  ['v1.0.0-2'],
  ['v1.0.0-10'],
  [`v1.0.0-${LONG}`],
  ['v1.0.0--'],
  ['v1.0.0-1a'],
  ['v1.0.0-A'],
  ['v1.0.0-alpha', 'v1.0.0-alpha+001'],
  ['v1.0.0-alpha.1'],
  ['v1.0.0-alpha.1.0'],
  ['v1.0.0-alpha.beta'],
  ['v1.0.0-beta.2'],
  ['v1.0.0-beta.11'],
  ['v1.0.0', 'v1', 'v1.0', 'v1.0.0+01.meta'],
  ['v1.2.0', 'v1.2'],
  ['v1.10.0'],
  [`v1.${LONG}.0`],
  [`v1.${LONG}1.0`],
  ['v2.0.0'],
  ['v10.0.0'],
];

for (const [rank, equals] of ORDER.entries()) {
  test(`${JSON.stringify(equals)} come${equals.length > 1 ? '' : 's'} where semver.org puts them`, () => {
    for (const version of equals) {
      for (const [otherRank, others] of ORDER.entries()) {
        for (const other of others) {
          assert.equal(compareSemver(version, other), Math.sign(rank - otherRank), `${version} and ${other}`);
        }
      }
    }
  });
}

test('the parts of a version keep their marks, and short forms are filled up', () => {
  assert.deepEqual(parseSemver('v1.2.3-rc.1+linux.7'), {
    major: '1',
    minor: '2',
    patch: '3',
    prerelease: '-rc.1',
    build: '+linux.7',
  });
  assert.deepEqual(parseSemver('v1'), { major: '1', minor: '0', patch: '0', prerelease: '', build: '' });
  assert.equal(parseSemver('1.2.3'), undefined);
});

const number = fc.oneof(fc.constantFrom('0', '1', '2', '9', '10', '01', '00', LONG, `${LONG}0`), fc.nat().map(String));
const identifier = fc.oneof(
  fc.constantFrom('0', '1', '10', '01', '0a', '-', '--1', 'rc', 'RC', 'rc1', 'a', 'Z', LONG, ''),
  fc.string({ unit: fc.constantFrom(...'019aAzZ-'), maxLength: 4 }),
);
const suffix = fc.oneof(
  { arbitrary: fc.constant(''), weight: 2 },
  fc
    .tuple(fc.constantFrom('-', '+'), fc.array(identifier, { minLength: 1, maxLength: 3 }))
    .map(([m, ids]) => m + ids.join('.')),
);
const core = fc.oneof(
  { arbitrary: fc.tuple(number, number, number).map(n => `v${n.join('.')}`), weight: 8 },
  fc.array(number, { maxLength: 4 }).map(n => `v${n.join('.')}`),
);
const version = fc.tuple(core, suffix, suffix).map(([c, a, b]) => c + a + b);
const broken = fc
  .tuple(version, fc.nat(9), fc.constantFrom('.', '-', '+', 'v', ' ', '\n', '_', 'é', '٣', '\0'))
  .map(([text, at, char]) => text.slice(0, at) + char + text.slice(at));
const anyText = fc.oneof({ arbitrary: version, weight: 5 }, broken, fc.string({ unit: 'binary' }));

test('the canonical form is its own canonical form, and equal to the version', () => {
  fc.assert(
    fc.property(version.filter(isSemver), text => {
      const canonical = canonicalSemver(text);
      assert.equal(canonicalSemver(canonical), canonical);
      assert.equal(compareSemver(text, canonical), 0);
    }),
  );
});

test('the order of any three texts is an order', () => {
  fc.assert(
    fc.property(anyText, anyText, anyText, (a, b, c) => {
      assert.equal(compareSemver(a, b) + compareSemver(b, a), 0);
      if (compareSemver(a, b) <= 0 && compareSemver(b, c) <= 0) assert.ok(compareSemver(a, c) <= 0);
    }),
  );
});

test('megabytes of digits or identifiers are parsed or refused, in no time', { timeout: 5000 }, () => {
  assert.ok(isSemver(`v1.2.${'9'.repeat(1e7)}`));
  assert.ok(isSemver(`v1.2.3-a${'.1'.repeat(1e6)}`));
  assert.ok(!isSemver(`v1.2.3-a${'.1'.repeat(1e6)}!`));
});

test('parts are those that Go finds', { skip: skipWithoutGo }, async () => {
  const texts = fc.sample(anyText, { numRuns: 10_000, seed: 20260103 }).filter(text => !/\p{Surrogate}/u.test(text));
  const answers = await askGo(
    'semver.parts',
    texts.map(text => [text]),
  );
  let valid = 0;
  for (const [i, text] of texts.entries()) {
    const parts = {
      valid: isSemver(text),
      canonical: canonicalSemver(text),
      major: majorOf(text),
      majorMinor: majorMinorOf(text),
      prerelease: prereleaseOf(text),
      build: buildOf(text),
    };
    assert.deepEqual(parts, answers[i]?.ok, JSON.stringify(text));
    if (parts.valid) valid++;
  }
  assert.ok(valid > 2000 && valid < texts.length - 2000, `${valid} of ${texts.length} valid`);
});

test('any two versions compare as in Go', { skip: skipWithoutGo }, async () => {
  // Two versions that differ in their pre-release only, or two of any kind.
  const nearPair = fc.tuple(fc.constant('v1.2.3'), suffix, suffix).map(([c, a, b]): [string, string] => [c + a, c + b]);
  const pairs = fc
    .sample(fc.oneof(nearPair, fc.tuple(anyText, anyText)), { numRuns: 10_000, seed: 20260104 })
    .filter(pair => !/\p{Surrogate}/u.test(pair.join(' ')));
  const answers = await askGo('semver.compare', pairs);
  for (const [i, [a, b]] of pairs.entries()) {
    assert.equal(compareSemver(a, b), answers[i]?.ok, JSON.stringify([a, b]));
  }
});
