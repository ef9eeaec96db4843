import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InvalidModulePath, InvalidVersion } from '../../src/gomod/errors.ts';
import { escapePath, escapeVersion, unescapePath, unescapeVersion } from '../../src/gomod/escape.ts';
import { isModulePath, parseModulePath } from '../../src/gomod/module-path.ts';
import { askGo, skipWithoutGo } from '../support/go-oracle.ts';

const PATHS: [path: string, escaped: string][] = [
  ['example.com/lib', 'example.com/lib'],
  ['github.com/Azure/azure-sdk-for-go', 'github.com/!azure/azure-sdk-for-go'],
  ['github.com/GoogleCloudPlatform/X', 'github.com/!google!cloud!platform/!x'],
];

for (const [path, escaped] of PATHS) {
  test(`the path ${path} is escaped as ${escaped}, and back`, () => {
    assert.equal(escapePath(parseModulePath(path)), escaped);
    assert.equal(unescapePath(escaped), path);
  });
}

for (const text of [
  'github.com/Azure/x',
  'github.com/!Azure/x',
  'github.com/!!azure',
  'github.com/!1',
  'github.com/x!',
  'github.com/é',
  'example.com/v1',
  'example',
  '',
]) {
  test(`${JSON.stringify(text)} is no escaped module path`, () => {
    assert.throws(() => unescapePath(text), InvalidModulePath);
  });
}

const VERSIONS: [version: string, escaped: string][] = [
  ['v1.2.3', 'v1.2.3'],
  ['v1.0.0-RC1', 'v1.0.0-!r!c1'],
  ['v2.0.0+incompatible', 'v2.0.0+incompatible'],
  ['HEAD', '!h!e!a!d'],
  ['release-1.x', 'release-1.x'],
];

for (const [version, escaped] of VERSIONS) {
  test(`the version ${version} is escaped as ${escaped}, and back`, () => {
    assert.equal(escapeVersion(version), escaped);
    assert.equal(unescapeVersion(escaped), version);
  });
}

for (const text of ['', 'feature/x', 'a!b', 'é', '..', 'con', 'v1.', 'a\n', '\ud800']) {
  test(`the version ${JSON.stringify(text)} has no escaped form`, () => {
    assert.throws(() => escapeVersion(text), InvalidVersion);
  });
}

for (const text of ['', 'V1', 'feature/x', 'a!', '!A', '!-', 'é', '..', '!c!o!n', '\ud800']) {
  test(`${JSON.stringify(text)} is no escaped version`, () => {
    assert.throws(() => unescapeVersion(text), InvalidVersion);
  });
}

const piece = fc.oneof(
  { arbitrary: fc.constantFrom(...'a B Z x.y !a !b !z / - _ 1 v2 RC'.split(' ')), weight: 4 },
  fc.constantFrom(...'! !! !A !1 . .. ~1 + @ : é \\ CON !c!o!n % \u212a'.split(' '), ' ', '\n', '\0'),
);
const version = fc.array(piece, { maxLength: 4 }).map(p => p.join(''));
const path = version.map(tail => `example.com/${tail}`);

test('what is escaped holds no capitals and is unescaped to the same path', () => {
  fc.assert(
    fc.property(path.filter(isModulePath), original => {
      const escaped = escapePath(original);
      assert.doesNotMatch(escaped, /[A-Z]/);
      assert.equal(unescapePath(escaped), original);
    }),
  );
});

test('a path has one escaped form only', () => {
  fc.assert(
    fc.property(fc.oneof(path, fc.string({ unit: 'binary' })), text => {
      try {
        assert.equal(escapePath(unescapePath(text)), text);
      } catch (error) {
        assert.ok(error instanceof InvalidModulePath);
      }
    }),
  );
});

test('a version has one escaped form only', () => {
  fc.assert(
    fc.property(fc.oneof(version, fc.string({ unit: 'binary' })), text => {
      try {
        assert.equal(escapeVersion(unescapeVersion(text)), text);
      } catch (error) {
        assert.ok(error instanceof InvalidVersion);
      }
    }),
  );
});

const FUNCTIONS: [name: string, fn: (text: string) => string, inputs: fc.Arbitrary<string>][] = [
  ['escapePath', text => escapePath(parseModulePath(text)), path],
  ['unescapePath', unescapePath, path],
  ['escapeVersion', escapeVersion, version],
  ['unescapeVersion', unescapeVersion, version],
];

for (const [name, fn, arbitrary] of FUNCTIONS) {
  test(`${name} gives what Go gives, and refuses what Go refuses`, { skip: skipWithoutGo }, async () => {
    const inputs = fc.sample(arbitrary, { numRuns: 5000, seed: 20260102 });
    const answers = await askGo(
      `module.${name}`,
      inputs.map(text => [text]),
    );
    let accepted = 0;
    for (const [i, text] of inputs.entries()) {
      let result: string | undefined;
      try {
        result = fn(text);
        accepted++;
      } catch (error) {
        assert.ok(error instanceof InvalidModulePath || error instanceof InvalidVersion);
      }
      assert.equal(result, answers[i]?.ok ?? undefined, JSON.stringify(text));
    }
    assert.ok(accepted > 500 && accepted < inputs.length - 500, `${accepted} of ${inputs.length} accepted`);
  });
}
