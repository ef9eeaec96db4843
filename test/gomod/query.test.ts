import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  canonicalTag,
  highestMatching,
  isCommitPrefix,
  matchesPrefix,
  parseQuery,
  type Query,
} from '../../src/gomod/query.ts';
import { prereleaseOf } from '../../src/gomod/semver.ts';
import { isVersion, parseVersion, type Version } from '../../src/gomod/version.ts';
import { askGo, skipWithoutGo } from '../support/go-oracle.ts';

const QUERIES: [text: string, kind: Query['kind']][] = [
  ['v1.2.3', 'version'],
  ['v1.2.3-rc.1', 'version'],
  ['v2.0.0+incompatible', 'version'],
  ['v0.0.0-20191109021931-daa7c04131f5', 'version'],
  ['v1', 'prefix'],
  ['v1.2', 'prefix'],
  ['v0', 'prefix'],
  ['v10.20', 'prefix'],
  ['v1.2.3+meta', 'revision'],
  ['v1-rc.1', 'revision'],
  ['v1.2+incompatible', 'revision'],
  ['v01', 'revision'],
  ['v1.', 'revision'],
  ['v', 'revision'],
  ['1.2', 'revision'],
  ['v1.2.3.4', 'revision'],
  ['main', 'revision'],
  ['HEAD', 'revision'],
  ['feature-1.2', 'revision'],
  ['daa7c04', 'revision'],
  ['v1\n', 'revision'],
];

for (const [text, kind] of QUERIES) {
  test(`${JSON.stringify(text)} asks for a ${kind}`, () => {
    assert.deepEqual(parseQuery(text), { kind, [kind]: text });
  });
}

const MATCHES: [prefix: string, version: string, matches: boolean][] = [
  ['v1', 'v1.0.0', true],
  ['v1', 'v1.20.3', true],
  ['v1', 'v10.0.0', false],
  ['v1', 'v1.0.0-rc.1', false],
  ['v1', 'v1.0.1-rc.1', true],
  ['v1.2', 'v1.2.0', true],
  ['v1.2', 'v1.20.0', false],
  ['v1.2', 'v1.2.0-rc.1', false],
  ['v1.2', 'v1.2.1-rc.1', true],
  ['v2', 'v2.1.0+incompatible', true],
  ['v2.0', 'v1.9.9', false],
];

for (const [prefix, version, matches] of MATCHES) {
  test(`${prefix} ${matches ? 'takes' : 'leaves out'} ${version}`, () => {
    assert.equal(matchesPrefix(parseVersion(version), prefix), matches);
  });
}

const HIGHEST: [prefix: string, versions: string, highest: string | undefined][] = [
  ['v1', 'v1.2.0 v1.10.0 v1.9.0 v2.0.0+incompatible', 'v1.10.0'],
  ['v1', 'v1.2.0 v1.3.0-rc.1', 'v1.2.0'],
  ['v1.3', 'v1.2.0 v1.3.0-rc.1', undefined],
  ['v1.3', 'v1.3.1-rc.2 v1.3.1-rc.10 v1.4.0', 'v1.3.1-rc.10'],
  ['v2', 'v1.2.0', undefined],
  ['v2', 'v2.0.0+incompatible v2.1.0-rc.1+incompatible', 'v2.0.0+incompatible'],
  ['v1', '', undefined],
];

for (const [prefix, versions, highest] of HIGHEST) {
  test(`of ${versions || 'no versions'}, ${prefix} means ${highest ?? 'none'}`, () => {
    assert.equal(highestMatching(versions.split(' ').filter(isVersion), prefix), highest);
  });
}

for (const [revision, is] of [
  ['daa7c04', true],
  ['daa7c04131f5', true],
  ['0'.repeat(40), true],
  ['daa7c0', false],
  ['0'.repeat(41), false],
  ['DAA7C04', false],
  ['daa7c0g', false],
  ['main', false],
  ['daa7c04\n', false],
] satisfies [string, boolean][]) {
  test(`${JSON.stringify(revision)} can${is ? '' : ' not'} be the beginning of a commit's id`, () => {
    assert.equal(isCommitPrefix(revision), is);
  });
}

const TAGS: [tag: string, version: string | undefined, isCanonical?: boolean][] = [
  ['v1.2.3', 'v1.2.3', true],
  ['v1.2.3-rc.1', 'v1.2.3-rc.1', true],
  ['v1.2.3+meta', 'v1.2.3', false],
  ['v1.2.3-rc.1+meta', 'v1.2.3-rc.1', false],
  ['v2.0.0+incompatible', 'v2.0.0', false],
  ['v1.2', undefined],
  ['v1', undefined],
  ['1.2.3', undefined],
  ['release', undefined],
  ['v1.2.3/x', undefined],
  ['v0.0.0-20191109021931-daa7c04131f5', undefined],
  ['v1.2.4-0.20191109021931-daa7c04131f5+meta', undefined],
  ['', undefined],
];

for (const [tag, version, isCanonical] of TAGS) {
  test(`the tag ${JSON.stringify(tag)} stands for ${version ?? 'no version'}`, () => {
    assert.deepEqual(canonicalTag(tag), version === undefined ? undefined : { version, isCanonical });
  });
}

const number = fc.constantFrom('0', '1', '2', '10', '20', '01', '18446744073709551617');
const text = fc.oneof(
  {
    arbitrary: fc
      .tuple(
        fc.array(number, { minLength: 1, maxLength: 4 }),
        fc.constantFrom(
          '',
          '',
          '',
          '-rc.1',
          '-0',
          '-00',
          '-0.20191109021931-daa7c04131f5',
          '-20191109021931-daa7c04131f5',
        ),
        fc.constantFrom('', '', '', '+incompatible', '+meta', '+'),
      )
      .map(([numbers, prerelease, build]) => `v${numbers.join('.')}${prerelease}${build}`),
    weight: 8,
  },
  fc.string({ unit: 'grapheme-ascii' }),
);
const texts = fc.sample(text, { numRuns: 5000, seed: 20260112 });

/** What Go finds in texts, as golang.org/x/mod/semver takes them apart. */
async function partsInGo(texts: readonly string[]) {
  const answers = await askGo(
    'semver.parts',
    texts.map(input => [input]),
  );
  return answers.map(({ ok }) => ok as { canonical: string; major: string; majorMinor: string });
}

test('queries are told apart as Go tells them', { skip: skipWithoutGo }, async () => {
  const calls = texts.map(input => [input]);
  const canonical = await askGo('module.canonicalVersion', calls);
  const parts = await partsInGo(texts);
  const seen = new Set<Query['kind']>();
  for (const [i, input] of texts.entries()) {
    const isShort = input !== '' && [parts[i]?.major, parts[i]?.majorMinor].includes(input);
    const isCanonical = input !== '' && input === canonical[i]?.ok;
    const kind = isCanonical ? 'version' : isShort ? 'prefix' : 'revision';
    assert.deepEqual(parseQuery(input), { kind, [kind]: input });
    seen.add(kind);
  }
  assert.equal(seen.size, 3);
});

test('tags stand for the versions that Go sees in them', { skip: skipWithoutGo }, async () => {
  const calls = texts.map(input => [input]);
  const parts = await partsInGo(texts);
  const pseudo = await askGo('module.isPseudoVersion', calls);
  let standing = 0;
  for (const [i, tag] of texts.entries()) {
    const canonical = parts[i]?.canonical ?? '';
    const stands = canonical !== '' && tag.startsWith(canonical) && pseudo[i]?.ok === false;
    const meant = stands ? { version: canonical, isCanonical: canonical === tag } : undefined;
    assert.deepEqual(canonicalTag(tag), meant, tag);
    if (stands) standing++;
  }
  assert.ok(standing > 200 && standing < texts.length - 200, `${standing} of ${texts.length} stand for versions`);
});

const versions = [...new Set(texts.filter(isVersion))];
const prefix = fc.constantFrom('v0', 'v1', 'v2', 'v10', 'v1.0', 'v1.2', 'v2.10', 'v10.1', 'v20.0');

test('a prefix takes the versions that begin so, from the one on that Go takes it for', {
  skip: skipWithoutGo,
}, async () => {
  const pairs = fc.sample(fc.tuple(fc.constantFrom(...versions), prefix), { numRuns: 3000, seed: 20260113 });
  const orders = await askGo('semver.compare', pairs);
  const parts = await partsInGo(pairs.map(([version]) => version));
  let taken = 0;
  for (const [i, [version, short]] of pairs.entries()) {
    const takes = [parts[i]?.major, parts[i]?.majorMinor].includes(short) && Number(orders[i]?.ok) >= 0;
    assert.equal(matchesPrefix(version, short), takes, `${short} ${version}`);
    if (takes) taken++;
  }
  assert.ok(taken > 200, `${taken} taken`);
});

test('a prefix means the last release that it takes in the order of Go, else the last pre-release', {
  skip: skipWithoutGo,
}, async () => {
  const asked = fc.record({ short: prefix, list: fc.array(fc.constantFrom(...versions), { maxLength: 30 }) });
  const samples = fc.sample(asked, { numRuns: 1000, seed: 20260114 });
  const answers = await askGo(
    'semver.sort',
    samples.map(({ list }) => [list]),
  );
  const sorted = answers.map(({ ok }) => ok as Version[]);
  let found = 0;
  for (const [i, { short, list }] of samples.entries()) {
    const taken = sorted[i]?.filter(version => matchesPrefix(version, short)) ?? [];
    const expected = taken.filter(version => prereleaseOf(version) === '').at(-1) ?? taken.at(-1);
    assert.equal(highestMatching(list, short), expected, `${short} ${list}`);
    if (expected !== undefined) found++;
  }
  assert.ok(found > 200, `${found} found`);
});
