import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InvalidVersion } from '../../src/gomod/errors.ts';
import { isModulePath, parseModulePath } from '../../src/gomod/module-path.ts';
import { isSemver } from '../../src/gomod/semver.ts';
import {
  canonicalVersion,
  checkPathMajor,
  checkPathVersion,
  compareVersions,
  isVersion,
  parseVersion,
  pathMajorPrefix,
} from '../../src/gomod/version.ts';
import { askGo, skipWithoutGo } from '../support/go-oracle.ts';

const CANONICAL: [text: string, canonical: string | undefined][] = [
  ['v1.2.3', 'v1.2.3'],
  ['v1.2.3-rc.1', 'v1.2.3-rc.1'],
  ['v2.0.0+incompatible', 'v2.0.0+incompatible'],
  ['v2.0.0-pre+incompatible', 'v2.0.0-pre+incompatible'],
  ['v1.2', 'v1.2.0'],
  ['v1', 'v1.0.0'],
  ['v1.2.3+meta', 'v1.2.3'],
  ['v1.2.3+incompatible.1', 'v1.2.3'],
  ['v2+incompatible', undefined],
  ['1.2.3', undefined],
  ['v1.2.3.4', undefined],
  ['v01.2.3', undefined],
  ['', undefined],
  ['master', undefined],
  ['v1.2.3\n', undefined],
];

for (const [text, canonical] of CANONICAL) {
  test(`${JSON.stringify(text)} stands for ${canonical ?? 'no version'}`, () => {
    assert.equal(canonicalVersion(text), canonical);
    assert.equal(isVersion(text), text === canonical);
  });
}

test('the error of a bad version names it and what it should be', () => {
  assert.throws(() => parseVersion('v1.2'), {
    name: 'InvalidVersion',
    version: 'v1.2',
    message: 'version "v1.2" invalid: not canonical, should be v1.2.0',
  });
  assert.throws(() => parseVersion(''), { message: 'version "" invalid: not a semantic version, as v1.2.3' });
});

const AGREEMENT: [path: string, version: string, problem: string | undefined][] = [
  ['example.com/lib', 'v0.1.0', undefined],
  ['example.com/lib', 'v1.2.3', undefined],
  ['example.com/lib', 'v2.0.0', 'should be v0 or v1, not v2'],
  ['example.com/lib', 'v2.0.0+incompatible', undefined],
  ['example.com/lib', 'v1.0.0+incompatible', undefined],
  ['example.com/lib/v2', 'v2.3.4', undefined],
  ['example.com/lib/v2', 'v2.3.4+incompatible', undefined],
  ['example.com/lib/v2', 'v1.0.0', 'should be v2, not v1'],
  ['example.com/lib/v2', 'v20.0.0', 'should be v2, not v20'],
  ['example.com/lib/v2', 'v3.0.0+incompatible', 'should be v2, not v3'],
  ['gopkg.in/yaml.v3', 'v3.0.1', undefined],
  ['gopkg.in/yaml.v3', 'v2.0.0', 'should be v3, not v2'],
  ['gopkg.in/yaml.v0', 'v0.1.0', undefined],
  ['gopkg.in/check.v1', 'v1.0.0', undefined],
  ['gopkg.in/check.v1', 'v0.0.0-20161208181325-20d25e280405', undefined],
  ['gopkg.in/check.v1-unstable', 'v0.0.0-20161208181325-20d25e280405', undefined],
  ['gopkg.in/check.v2', 'v0.0.0-20161208181325-20d25e280405', 'should be v2, not v0'],
  ['gopkg.in/check.v1', 'v0.0.1-20161208181325-20d25e280405', 'should be v1, not v0'],
  ['gopkg.in/check.v2-unstable', 'v2.0.0', undefined],
  ['gopkg.in/check.v-unstable', 'v1.0.0', 'should be v, not v1'],
];

for (const [path, version, problem] of AGREEMENT) {
  test(`${path} ${problem ? 'has no' : 'may have a'} version ${version}`, () => {
    assert.equal(checkPathVersion(parseModulePath(path), parseVersion(version)), problem);
  });
}

test('versions are sorted by precedence, and incompatible ones come after their twins', () => {
  const sorted = ['v0.9.0', 'v1.0.0-rc.1', 'v1.0.0', 'v2.0.0', 'v2.0.0+incompatible', 'v2.0.1-0.x', 'v10.0.0'];
  assert.deepEqual(sorted.map(parseVersion).reverse().sort(compareVersions), sorted);
});

const number = fc.constantFrom('0', '0', '1', '2', '3', '10', '02', '18446744073709551617');
const suffix = fc.constantFrom(...['', '', '-rc.1', '-0', '-01', '-20200101000000-abcdef123456', '-x-y']);
const build = fc.constantFrom(
  '',
  '',
  '+incompatible',
  '+incompatible',
  '+meta',
  '+incompatible.1',
  '+',
  '+Incompatible',
);
const text = fc
  .tuple(fc.constantFrom('v', 'v', 'v', 'v', '', 'V'), fc.array(number, { minLength: 1, maxLength: 4 }), suffix, build)
  .map(([v, numbers, pre, meta]) => v + numbers.join('.') + pre + meta);
const fullText = fc
  .tuple(number, number, number, suffix, build)
  .map(([a, b, c, pre, meta]) => `v${a}.${b}.${c}${pre}${meta}`);
const version = fullText.map(canonicalVersion).filter(v => v !== undefined);
const major = fc.constantFrom(
  ...['', '/v2', '/v3', '/v10', '/v18446744073709551617', '.v0', '.v1', '.v2', '.v3'],
  ...['.v0', '.v1', '.v2', '.v10'].map(m => `${m}-unstable`),
  '.v-unstable',
);

const sample = <T>(values: fc.Arbitrary<T>, numRuns: number): T[] => fc.sample(values, { numRuns, seed: 20260105 });

test('a text is parsed as it is or refused with InvalidVersion', () => {
  fc.assert(
    fc.property(fc.oneof(text, fc.string({ unit: 'binary' })), input => {
      try {
        assert.equal(parseVersion(input), input);
      } catch (error) {
        assert.ok(error instanceof InvalidVersion);
      }
    }),
  );
});

test('only a version itself compares as 0 with it', () => {
  fc.assert(fc.property(version, version, (a, b) => assert.equal(compareVersions(a, b) === 0, a === b)));
});

test('canonical versions are those of Go', { skip: skipWithoutGo }, async () => {
  const texts = sample(fc.oneof(text, fullText), 5000);
  const answers = await askGo(
    'module.canonicalVersion',
    texts.map(input => [input]),
  );
  let canonical = 0;
  for (const [i, input] of texts.entries()) {
    assert.equal(canonicalVersion(input) ?? '', answers[i]?.ok, input);
    if (isVersion(input)) canonical++;
  }
  assert.ok(canonical > 500 && canonical < texts.length - 500, `${canonical} of ${texts.length} are canonical`);
});

test('path and version agree where Go says so, for the same reason', { skip: skipWithoutGo }, async () => {
  const pairs = sample(fc.tuple(fc.oneof(text, fullText), major), 10_000);
  const answers = await askGo('module.checkPathMajor', pairs);
  for (const [i, [input, pathMajor]] of pairs.entries()) {
    const theirs = answers[i]?.error?.replace(/^version ".*" invalid: /, '');
    assert.equal(checkPathMajor(input, pathMajor), theirs, `${input} ${pathMajor}`);
  }

  const modules = pairs.map(([input, pathMajor]): [string, string] => [
    `${pathMajor.startsWith('.') ? 'gopkg.in' : 'example.com'}/lib${pathMajor}`,
    input,
  ]);
  const verdicts = await askGo('module.check', modules);
  let fitting = 0;
  for (const [i, [path, input]] of modules.entries()) {
    if (!isModulePath(path) || !isVersion(input)) continue;
    const fits = checkPathVersion(path, input) === undefined;
    assert.equal(fits, verdicts[i]?.error === undefined, `${path} ${input}`);
    if (fits) fitting++;
  }
  assert.ok(fitting > 200, `${fitting} fit`);
});

test('the prefix of versions is the one Go takes, where the path has a number', { skip: skipWithoutGo }, async () => {
  const majors = sample(major, 200).filter(pathMajor => pathMajor !== '.v-unstable');
  const answers = await askGo(
    'module.pathMajorPrefix',
    majors.map(pathMajor => [pathMajor]),
  );
  for (const [i, pathMajor] of majors.entries()) {
    assert.equal(pathMajorPrefix(pathMajor), answers[i]?.ok, pathMajor);
  }
});

test('lists of versions are sorted as by Go', { skip: skipWithoutGo }, async () => {
  const lists = sample(fc.array(version, { maxLength: 20 }), 500);
  const answers = await askGo(
    'semver.sort',
    lists.map(list => [list]),
  );
  for (const [i, list] of lists.entries()) {
    assert.deepEqual([...list].sort(compareVersions), answers[i]?.ok);
  }
  assert.ok(lists.flat().every(isSemver));
});
