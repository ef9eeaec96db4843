import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseModulePath } from '../../src/gomod/module-path.ts';
import { parseVersion } from '../../src/gomod/version.ts';
import { parsePathRule } from '../../src/registry/path-rule.ts';
import { placeModule, tagOf } from '../../src/registry/place-module.ts';

const mapping = {
  rules: ['go.acme.dev/{repo}=acme/{repo}', 'acme.dev/tools/cli=acme/go-cli'].map(parsePathRule),
  forgeHost: 'git.acme.dev/forge',
};

describe('placeModule', () => {
  const cases: [path: string, repo: string, rootPath: string, subdir: string, isOwnNamespace: boolean][] = [
    ['go.acme.dev/lib', 'lib', 'go.acme.dev/lib', '', true],
    ['go.acme.dev/lib/v2', 'lib', 'go.acme.dev/lib', '', true],
    ['go.acme.dev/lib/sub/dir/v3', 'lib', 'go.acme.dev/lib', 'sub/dir', true],
    ['acme.dev/tools/cli', 'go-cli', 'acme.dev/tools/cli', '', true],
    ['acme.dev/tools/cli/x', 'go-cli', 'acme.dev/tools/cli', 'x', true],
    ['acme.dev/tools/other', 'acme.dev__tools__other', 'acme.dev/tools/other', '', false],
    ['go.acme.dev', 'go.acme.dev', 'go.acme.dev', '', false],
    ['git.acme.dev/forge/acme/lib', 'lib', 'git.acme.dev/forge/acme/lib', '', true],
    ['git.acme.dev/forge/Acme/Lib', 'Lib', 'git.acme.dev/forge/Acme/Lib', '', true],
    ['git.acme.dev/forge/acme/my_lib/sub/v2', 'my_lib', 'git.acme.dev/forge/acme/my_lib', 'sub', true],
    [
      'git.acme.dev/forge/acme/my__lib',
      'git.acme.dev__forge__acme__my_5f_5flib',
      'git.acme.dev/forge/acme/my__lib',
      '',
      false,
    ],
    [
      'git.acme.dev/forge/acme/lib.git',
      'git.acme.dev__forge__acme__lib.gi_74',
      'git.acme.dev/forge/acme/lib.git',
      '',
      false,
    ],
    ['git.acme.dev/forge/acme/~lib', 'git.acme.dev__forge__acme___7elib', 'git.acme.dev/forge/acme/~lib', '', false],
    ['git.acme.dev/forge/acme/v2', 'git.acme.dev__forge__acme', 'git.acme.dev/forge/acme', '', false],
    ['git.acme.dev/forge/acme/v2/x', 'git.acme.dev__forge__acme__v2__x', 'git.acme.dev/forge/acme/v2/x', '', false],
    ['git.acme.dev/forge/other/lib', 'git.acme.dev__forge__other__lib', 'git.acme.dev/forge/other/lib', '', false],
    ['example.com/team/lib/v2', 'example.com__team__lib', 'example.com/team/lib', '', false],
    ['gopkg.in/yaml.v3', 'gopkg.in__yaml.v3', 'gopkg.in/yaml.v3', '', false],
  ];
  for (const [path, repo, rootPath, subdir, isOwnNamespace] of cases) {
    it(`puts ${path} into ${repo}${subdir && `, ${subdir}`}`, () => {
      const place = placeModule(parseModulePath(path), 'acme', mapping);
      assert.deepEqual(place, { owner: 'acme', repo, rootPath, subdir, isOwnNamespace });
    });
  }

  it("leaves another owner's paths and rules alone", () => {
    for (const path of ['go.acme.dev/lib', 'git.acme.dev/forge/acme/lib']) {
      assert.equal(placeModule(parseModulePath(path), 'beta', mapping).isOwnNamespace, false);
    }
  });

  it('tags a version of a sub-directory with the directory in front', () => {
    const version = parseVersion('v3.1.0');
    const tag = (path: string) => tagOf(placeModule(parseModulePath(path), 'acme', mapping), version);
    assert.equal(tag('go.acme.dev/lib/sub/dir/v3'), 'sub/dir/v3.1.0');
    assert.equal(tag('example.com/lib/v3'), 'v3.1.0');
  });
});
