import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InvalidVersion } from '../../src/gomod/errors.ts';
import { isPseudoVersion, parsePseudoVersion } from '../../src/gomod/pseudo-version.ts';
import { askGo, skipWithoutGo } from '../support/go-oracle.ts';

const LONG = '1'.padEnd(40, '0');

const PSEUDO_VERSIONS: [version: string, base: string | undefined][] = [
  ['v0.0.0-20191109021931-daa7c04131f5', undefined],
  ['v2.0.0-20191109021931-daa7c04131f5', undefined],
  ['v1.2.4-0.20191109021931-daa7c04131f5', 'v1.2.3'],
  ['v1.2.10-0.20191109021931-daa7c04131f5', 'v1.2.9'],
  [`v1.2.${LONG}-0.20191109021931-daa7c04131f5`, `v1.2.${'9'.repeat(39)}`],
  ['v2.2.4-0.20191109021931-daa7c04131f5+incompatible', 'v2.2.3+incompatible'],
  ['v1.2.3-pre.0.20191109021931-daa7c04131f5', 'v1.2.3-pre'],
  ['v1.2.3-0.0.20191109021931-daa7c04131f5', 'v1.2.3-0'],
  ['v1.2.3-a-b.7.0.20191109021931-daa7c04131f5', 'v1.2.3-a-b.7'],
  ['v2.0.0-pre.0.20191109021931-daa7c04131f5+incompatible', 'v2.0.0-pre+incompatible'],
];

for (const [version, base] of PSEUDO_VERSIONS) {
  test(`${version} was made after ${base ?? 'no version'}`, () => {
    assert.ok(isPseudoVersion(version));
    assert.deepEqual(parsePseudoVersion(version), {
      base,
      time: new Date('2019-11-09T02:19:31Z'),
      revision: 'daa7c04131f5',
    });
  });
}

for (const version of [
  'v1.2.3',
  'v1.2.3-rc.1',
  '',
  'v1.0-20191109021931-daa7c04131f5',
  'v1.1.0-20191109021931-daa7c04131f5',
  'v1.2.3-0.2019110902193-daa7c04131f5',
  'v1.2.3-1.20191109021931-daa7c04131f5',
  'v1.2.3-0.20191109021931',
  'v1.2.3-0.20191109021931-',
  'v1.2.3-0.20191109021931-daa7.c04131f5',
  'v01.2.3-0.20191109021931-daa7c04131f5',
]) {
  test(`${JSON.stringify(version)} is no pseudo-version`, () => {
    assert.equal(isPseudoVersion(version), false);
    assert.throws(() => parsePseudoVersion(version), {
      name: 'InvalidVersion',
      version,
      message: `pseudo-version ${JSON.stringify(version)} invalid: syntax error`,
    });
  });
}

const IMPOSSIBLE: [version: string, reason: string][] = [
  ['v1.2.4-0.20190229021931-daa7c04131f5', 'malformed time "20190229021931"'],
  ['v1.2.4-0.20191109240000-daa7c04131f5', 'malformed time "20191109240000"'],
  ['v1.2.4-0.20191309000060-daa7c04131f5', 'malformed time "20191309000060"'],
  ['v2.0.0-20191109021931-daa7c04131f5+incompatible', 'lacks base version, but has build metadata "+incompatible"'],
  ['v1.2.0-0.20191109021931-daa7c04131f5', 'version before v1.2.0 would have negative patch number'],
];

for (const [version, reason] of IMPOSSIBLE) {
  test(`${version} has the form of a pseudo-version, but ${reason}`, () => {
    assert.ok(isPseudoVersion(version));
    assert.throws(() => parsePseudoVersion(version), { name: 'InvalidVersion', reason });
  });
}

test('years of the first century are not moved to the twentieth', () => {
  assert.equal(parsePseudoVersion('v0.0.0-00010101000000-000000000000').time.toISOString(), '0001-01-01T00:00:00.000Z');
});

const number = fc.constantFrom('0', '0', '1', '2', '10', '100', '01', LONG);
const time = fc.oneof(
  fc
    .date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true })
    .map(date => date.toISOString().replace(/\D/g, '').slice(0, 14)),
  fc.constantFrom(
    '00000101000000',
    '00010101000000',
    '99991231235959',
    '20000229000000',
    '19000229000000',
    '20210431000000',
  ),
  fc.constantFrom(
    '20210101240000',
    '20210101006000',
    '20210101000060',
    '20210001000000',
    '20210100000000',
    '2021010100000',
  ),
  fc.string({ unit: fc.constantFrom(...'0123'), minLength: 14, maxLength: 14 }),
);
const joint = fc.constantFrom(
  ...'-0. -0. -0. - - -pre.0. -pre. -0.0. -1.0. -a-b.0. -00. . -.0. -0.20200101000000-abc.0.'.split(' '),
);
const revision = fc.constantFrom(
  'abcdef123456',
  'abcdef123456',
  '0',
  'ABC',
  'a-b',
  '',
  'é',
  'a_',
  '012345678901234567890123456789',
);
const build = fc.constantFrom('', '', '', '+incompatible', '+meta.1', '+a-b', '+', '+incompatible-20200101000000-abc');
const pseudo = fc
  .tuple(number, number, number, joint, time, revision, build)
  .map(([major, minor, patch, j, t, r, b]) => `v${major}.${minor}.${patch}${j}${t}-${r}${b}`);

test('what is not a pseudo-version is refused with InvalidVersion, and nothing else is thrown', () => {
  fc.assert(
    fc.property(fc.oneof(pseudo, fc.string({ unit: 'binary' })), version => {
      try {
        parsePseudoVersion(version);
        assert.ok(isPseudoVersion(version));
      } catch (error) {
        assert.ok(error instanceof InvalidVersion);
      }
    }),
  );
});

test('pseudo-versions are recognised and taken apart as by Go', { skip: skipWithoutGo }, async () => {
  const versions = [
    ...[...PSEUDO_VERSIONS, ...IMPOSSIBLE].map(([version]) => version),
    ...fc.sample(pseudo, { numRuns: 20_000, seed: 20260106 }),
  ];
  const calls = versions.map(version => [version]);
  const recognised = await askGo('module.isPseudoVersion', calls);
  const answers = await askGo('module.parsePseudoVersion', calls);
  let parsed = 0;
  for (const [i, version] of versions.entries()) {
    assert.equal(isPseudoVersion(version), recognised[i]?.ok, version);
    try {
      const { base = '', time: at, revision: id } = parsePseudoVersion(version);
      const ours = { base, time: at.toISOString().replace('.000Z', 'Z'), revision: id };
      assert.deepEqual(ours, answers[i]?.ok, version);
      parsed++;
    } catch (error) {
      if (!(error instanceof InvalidVersion)) throw error;
      assert.ok(answers[i]?.error?.endsWith(error.reason), `${version}: ${error.reason}, ${answers[i]?.error}`);
    }
  }
  assert.ok(parsed > 1000 && parsed < versions.length - 1000, `${parsed} of ${versions.length} parsed`);
});
