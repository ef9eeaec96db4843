import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InvalidVersion } from '../../src/gomod/errors.ts';
import {
  isPseudoVersion,
  makePseudoVersion,
  parsePseudoVersion,
  pseudoVersionRevision,
  shortRevision,
} from '../../src/gomod/pseudo-version.ts';
import { compareSemver } from '../../src/gomod/semver.ts';
import { isVersion, parseVersion, type Version } from '../../src/gomod/version.ts';
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
  const revisions = await askGo('module.pseudoVersionRev', calls);
  const answers = await askGo('module.parsePseudoVersion', calls);
  let parsed = 0;
  for (const [i, version] of versions.entries()) {
    assert.equal(isPseudoVersion(version), recognised[i]?.ok, version);
    assert.equal(isPseudoVersion(version) ? pseudoVersionRevision(version) : null, revisions[i]?.ok, version);
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

const MADE: [major: string, base: string | undefined, version: string][] = [
  ['', undefined, 'v0.0.0-20191109021931-daa7c04131f5'],
  ['v1', undefined, 'v1.0.0-20191109021931-daa7c04131f5'],
  ['v2', undefined, 'v2.0.0-20191109021931-daa7c04131f5'],
  ['', 'v0.0.0', 'v0.0.1-0.20191109021931-daa7c04131f5'],
  ['', 'v1.2.9', 'v1.2.10-0.20191109021931-daa7c04131f5'],
  ['', `v1.2.${'9'.repeat(39)}`, `v1.2.${LONG}-0.20191109021931-daa7c04131f5`],
  ['', 'v2.2.3+incompatible', 'v2.2.4-0.20191109021931-daa7c04131f5+incompatible'],
  ['v1', 'v1.2.3-pre', 'v1.2.3-pre.0.20191109021931-daa7c04131f5'],
  ['v2', 'v2.0.0-0', 'v2.0.0-0.0.20191109021931-daa7c04131f5'],
  ['', 'v2.0.0-pre+incompatible', 'v2.0.0-pre.0.20191109021931-daa7c04131f5+incompatible'],
  ['v2', 'v1.2.3', 'v1.2.4-0.20191109021931-daa7c04131f5'],
];

for (const [major, base, version] of MADE) {
  test(`a commit after ${base ?? `no version, of major version "${major}",`} is ${version}`, () => {
    assert.equal(
      makePseudoVersion({
        major,
        base: base === undefined ? undefined : parseVersion(base),
        time: new Date('2019-11-09T02:19:31.999Z'),
        revision: 'daa7c04131f5',
      }),
      version,
    );
  });
}

for (const time of ['-000001-12-31T23:59:59Z', '+010000-01-01T00:00:00Z', 'no date']) {
  test(`a commit of ${time} has no pseudo-version`, () => {
    const options = { major: '', base: undefined, time: new Date(time), revision: 'daa7c04131f5' };
    assert.throws(() => makePseudoVersion(options), {
      name: 'InvalidVersion',
      reason: 'no pseudo-version can hold its time or its revision',
    });
  });
}

const digits = fc.constantFrom('0', '1', '8', '9', '99', '109', '9007199254740991', '9'.repeat(40), LONG);
const base = fc
  .tuple(
    fc.tuple(digits, digits, digits),
    fc.constantFrom('', '', '-pre', '-0', '-rc.9', '-a-b.7', '-0.20191109021931-abc'),
    fc.constantFrom('', '', '+incompatible'),
  )
  .map(([core, prerelease, suffix]) => parseVersion(`v${core.join('.')}${prerelease}${suffix}`));
const moment = fc.oneof(
  { arbitrary: fc.date({ min: new Date('0000-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }), weight: 4 },
  fc.date({ noInvalidDate: true }),
);
const commitId = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 40, maxLength: 40 });
const made = fc.record({
  major: fc.constantFrom('', 'v0', 'v1', 'v2', 'v10', 'v'),
  base: fc.option(base, { nil: undefined }),
  time: moment,
  revision: fc.oneof({ arbitrary: commitId.map(shortRevision), weight: 4 }, revision),
});

/** undefined where there is none. */
function makeOrRefuse(options: Parameters<typeof makePseudoVersion>[0]): Version | undefined {
  try {
    return makePseudoVersion(options);
  } catch (error) {
    if (!(error instanceof InvalidVersion)) throw error;
    return undefined;
  }
}

test('pseudo-versions are made as by Go, and refused where Go makes what is none', {
  skip: skipWithoutGo,
}, async () => {
  const samples = fc.sample(made, { numRuns: 10_000, seed: 20260107 });
  const answers = await askGo(
    'module.pseudoVersion',
    samples.map(({ major, base = '', time, revision: id }) => [major, base, time.getTime(), id]),
  );
  let refused = 0;
  for (const [i, options] of samples.entries()) {
    const theirs = String(answers[i]?.ok);
    const isUsable = isVersion(theirs) && isPseudoVersion(theirs);
    assert.equal(makeOrRefuse(options), isUsable ? theirs : undefined, JSON.stringify(options));
    if (!isUsable) refused++;
  }
  assert.ok(refused > 1000 && refused < samples.length - 1000, `${refused} of ${samples.length} refused`);
});

test('the pseudo-version of no moment and no commit is the one of Go', { skip: skipWithoutGo }, async () => {
  const majors = ['', 'v0', 'v1', 'v2', 'v100'];
  const answers = await askGo(
    'module.zeroPseudoVersion',
    majors.map(major => [major]),
  );
  const options = { base: undefined, time: new Date('0001-01-01T00:00:00Z'), revision: '0'.repeat(12) };
  assert.deepEqual(
    majors.map(major => makePseudoVersion({ major, ...options })),
    answers.map(({ ok }) => ok),
  );
});

test('what a pseudo-version was made of can be read from it, in whole seconds', () => {
  fc.assert(
    fc.property(made, options => {
      const version = makeOrRefuse(options);
      fc.pre(version !== undefined);
      const time = new Date(Math.floor(options.time.getTime() / 1000) * 1000);
      assert.deepEqual(parsePseudoVersion(version), { base: options.base, time, revision: options.revision });
    }),
    { seed: 20260108 },
  );
});

test('a pseudo-version comes after its base, and before the next release', () => {
  fc.assert(
    fc.property(made, options => {
      const version = makeOrRefuse(options);
      fc.pre(version !== undefined && options.base !== undefined);
      assert.equal(compareSemver(options.base, version), -1);
      assert.equal(compareSemver(version, version.replace(/-.*/, '')), -1);
    }),
    { seed: 20260109 },
  );
});
