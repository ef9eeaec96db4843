import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InvalidGoMod } from '../../src/gomod/errors.ts';
import { parseGoMod } from '../../src/gomod/go-mod.ts';
import { isRetracted } from '../../src/gomod/retractions.ts';
import { parseVersion } from '../../src/gomod/version.ts';
import { askGo, skipWithoutGo } from '../support/go-oracle.ts';

/** Which of the versions a go.mod retracts; undefined where it can't be read. */
function retractedBy(lines: readonly string[], versions: readonly string[]): string[] | undefined {
  const content = Buffer.from(['module example.com/lib', ...lines, ''].join('\n'));
  try {
    const goMod = parseGoMod(content, { mode: 'lax' });
    return versions.filter(version => isRetracted(goMod, parseVersion(version)));
  } catch (error) {
    if (!(error instanceof InvalidGoMod)) throw error;
    return undefined;
  }
}

const VERSIONS = ['v0.9.0', 'v1.0.0', 'v1.0.5', 'v1.1.0-rc.1', 'v1.1.0', 'v1.2.0', 'v2.0.0'];

const CASES: { name: string; lines: string[]; retracted: string[] }[] = [
  { name: 'no retract line', lines: [], retracted: [] },
  { name: 'one version', lines: ['retract v1.0.5 // oops'], retracted: ['v1.0.5'] },
  {
    name: 'an interval, with its ends and pre-releases',
    lines: ['retract [v1.0.5, v1.1.0]'],
    retracted: ['v1.0.5', 'v1.1.0-rc.1', 'v1.1.0'],
  },
  { name: 'a block', lines: ['retract (', 'v0.9.0', '[v1.2.0, v1.3.0]', ')'], retracted: ['v0.9.0', 'v1.2.0'] },
  { name: 'an interval upside down', lines: ['retract [v1.1.0, v1.0.0]'], retracted: [] },
  { name: 'a short version', lines: ['retract v1.1'], retracted: ['v1.1.0'] },
  { name: 'a version with build metadata', lines: ['retract v1.1.0+meta'], retracted: ['v1.1.0'] },
  { name: 'no version', lines: ['retract master'], retracted: [] },
  { name: 'an interval from no version on', lines: ['retract [master, v1.0.0]'], retracted: ['v0.9.0', 'v1.0.0'] },
  { name: 'a form of the future', lines: ['retract ~v1.0.0 or so'], retracted: [] },
];

for (const { name, lines, retracted } of CASES) {
  test(`retracted by ${name}: ${retracted.join(', ') || 'none'}`, () => {
    assert.deepEqual(retractedBy(lines, VERSIONS), retracted);
  });
}

test('the versions that a go.mod retracts are those of Go', { skip: skipWithoutGo }, async () => {
  const bound = fc.oneof(
    fc.constantFrom(...VERSIONS),
    fc.constantFrom('v1', 'v1.1', 'v1.1.0+meta', 'main', '"v1.0.0"'),
  );
  const line = fc.oneof(
    bound.map(version => `retract ${version}`),
    fc.tuple(bound, bound).map(([low, high]) => `retract [${low}, ${high}]`),
    fc.constantFrom(
      'retract [v1.0.0]',
      'retract',
      'retract (',
      ')',
      '// retract v1.0.0',
      'require example.com/a v1.0.0',
    ),
  );
  const files = fc.sample(fc.array(line, { maxLength: 4 }), { numRuns: 2000, seed: 20260111 });
  const answers = await askGo(
    'gomod.retracts',
    files.map(lines => [Buffer.from(['module example.com/lib', ...lines, ''].join('\n')).toString('base64'), VERSIONS]),
  );
  let retracting = 0;
  for (const [i, lines] of files.entries()) {
    const ours = retractedBy(lines, VERSIONS);
    assert.deepEqual(
      ours && VERSIONS.map(version => ours.includes(version)),
      answers[i]?.ok ?? undefined,
      lines.join('\n'),
    );
    if (ours !== undefined && ours.length > 0) retracting++;
  }
  assert.ok(retracting > 200 && retracting < files.length - 200, `${retracting} of ${files.length} retract`);
});
