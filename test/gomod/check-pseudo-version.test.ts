import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  checkPseudoVersion,
  type PseudoVersionCheck,
  type PseudoVersionCommit,
} from '../../src/gomod/check-pseudo-version.ts';
import { makePseudoVersion, shortRevision } from '../../src/gomod/pseudo-version.ts';
import { parseVersion } from '../../src/gomod/version.ts';

const COMMIT: PseudoVersionCommit = {
  id: 'daa7c04131f5aa11bb22cc33dd44ee55ff667788',
  time: new Date('2019-11-09T02:19:31.999Z'),
  tags: [],
  subdir: '',
  pathMajor: '',
};

const after = (base: string): PseudoVersionCheck => ({ kind: 'needs-ancestor', base });
const mismatch = (reason: string): PseudoVersionCheck => ({ kind: 'mismatch', reason });
const taggedAs = (tag: string) =>
  mismatch(
    `tag (${tag}) found on revision daa7c04131f5 is already canonical, so should not be replaced with a pseudo-version derived from that tag`,
  );
const match: PseudoVersionCheck = { kind: 'match' };

/** Reasons are those that the go command prints in direct mode. */
const CHECKS: [version: string, outcome: PseudoVersionCheck, commit?: Partial<PseudoVersionCommit>][] = [
  ['v0.0.0-20191109021931-daa7c04131f5', match],
  ['v2.0.0-20191109021931-daa7c04131f5+incompatible', match],
  ['v1.0.0-20191109021931-daa7c04131f5', match, { pathMajor: '.v1' }],
  ['v1.0.0-20191109021931-daa7c04131f5', mismatch('major version without preceding tag must be v0, not v1')],
  ['v1.2.4-0.20191109021931-daa7c04131f5', after('v1.2.3')],
  ['v1.2.3-pre.0.20191109021931-daa7c04131f5', after('v1.2.3-pre')],
  ['v2.2.4-0.20191109021931-daa7c04131f5+incompatible', after('v2.2.3')],
  ['v1.2.4-0.20191109021931-daa7c04131f5', after('v1.2.3'), { tags: ['v1.2.3+meta', 'sub/v1.2.3', 'v1.2.2'] }],
  ['v1.2.4-0.20191109021931-daa7c04131f5', taggedAs('v1.2.3'), { tags: ['main', 'v1.2.3+meta', 'v1.2.3'] }],
  ['v1.2.3-pre.0.20191109021931-daa7c04131f5', taggedAs('v1.2.3-pre'), { tags: ['v1.2.3-pre'] }],
  ['v2.2.4-0.20191109021931-daa7c04131f5+incompatible', taggedAs('v2.2.3'), { tags: ['v2.2.3'] }],
  ['v1.2.4-0.20191109021931-daa7c04131f5', taggedAs('sub/v1.2.3'), { tags: ['sub/v1.2.3'], subdir: 'sub' }],
  ['v1.2.4-0.20191109021931-daa7c04131f5', taggedAs('v1.2.3'), { tags: ['v1.2.3'], subdir: 'sub' }],
  ['v0.0.0-20191109021931-daa7c04131f5a', mismatch('revision is longer than canonical (expected daa7c04131f5)')],
  [`v0.0.0-20191109021931-${COMMIT.id}`, mismatch('revision is longer than canonical (expected daa7c04131f5)')],
  ['v0.0.0-20191109021931-daa7c04', mismatch('revision is shorter than canonical (expected daa7c04131f5)')],
  ['v0.0.0-20191109021931-v1', mismatch('does not match short name of revision (expected daa7c04131f5)')],
  [
    'v0.0.0-20191109021930-daa7c04131f5',
    mismatch('does not match version-control timestamp (expected 20191109021931)'),
  ],
  ['v0.0.0-20190229021931-daa7c04131f5', mismatch('malformed time "20190229021931"')],
  ['v0.0.0-20190229021931-daa7c04', mismatch('revision is shorter than canonical (expected daa7c04131f5)')],
  ['v1.2.0-0.20191109021931-daa7c04131f5', mismatch('version before v1.2.0 would have negative patch number')],
];

for (const [version, outcome, commit] of CHECKS) {
  const where = commit === undefined ? '' : ` with ${JSON.stringify(commit)}`;
  const { kind, ...facts } = outcome;
  test(`${version}${where}: ${[kind, ...Object.values(facts)].join(', ')}`, () => {
    assert.deepEqual(checkPseudoVersion(parseVersion(version), { ...COMMIT, ...commit }), outcome);
  });
}

test('what is no pseudo-version is refused', () => {
  assert.throws(() => checkPseudoVersion(parseVersion('v1.2.3'), COMMIT), { name: 'InvalidVersion' });
});

test('the pseudo-version that is made for a commit is one it may have, and neither another commit nor one of another time', () => {
  const id = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 40, maxLength: 40 });
  const time = fc.date({ min: new Date('0000-01-01'), max: new Date('9999-12-31'), noInvalidDate: true });
  const bases = [undefined, 'v0.0.0', 'v1.2.9', 'v2.0.0-rc.1', 'v2.2.3+incompatible', `v1.2.${'9'.repeat(40)}`];
  fc.assert(
    fc.property(
      fc.constantFrom(...bases),
      id,
      id,
      time,
      fc.constantFrom('', '/v2'),
      (base, commit, other, at, pathMajor) => {
        fc.pre(shortRevision(commit) !== shortRevision(other));
        const version = makePseudoVersion({
          major: pathMajor.slice(1),
          base: base === undefined ? undefined : parseVersion(base),
          time: at,
          revision: shortRevision(commit),
        });
        const own = { id: commit, time: at, tags: [], subdir: '', pathMajor };
        const expected = base === undefined ? match : after(base.replace('+incompatible', ''));
        assert.deepEqual(checkPseudoVersion(version, own), expected);
        assert.equal(checkPseudoVersion(version, { ...own, id: other }).kind, 'mismatch');
        const later = new Date(at.getTime() + 1000);
        assert.equal(checkPseudoVersion(version, { ...own, time: later }).kind, 'mismatch');
      },
    ),
    { seed: 20260110 },
  );
});
