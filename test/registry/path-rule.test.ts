import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkPathRules, parsePathRule } from '../../src/registry/path-rule.ts';

const problemsOf = (rules: string[], owners = ['acme']) => checkPathRules(rules.map(parsePathRule), owners);

describe('parsePathRule', () => {
  for (const [text, reason] of [
    ['go.acme.dev/{repo}', /has not the form/],
    ['go.acme.dev/{repo}=acme/sub/{repo}', /has not the form/],
    ['go.acme.dev/{repo}=acme/tools', /on both sides or on neither/],
    ['go.acme.dev/{repo}/{repo}=acme/{repo}', /may hold \{repo\} once/],
    ['go.acme.dev/{name}=acme/{name}', /no other braces/],
    ['/go.acme.dev/{repo}=acme/{repo}', /empty element/],
  ] as const) {
    it(`refuses ${text}`, () => assert.throws(() => parsePathRule(text), reason));
  }
});

describe('checkPathRules', () => {
  it('takes rules that name different repositories', () => {
    assert.deepEqual(problemsOf(['go.acme.dev/{repo}=acme/go-{repo}', 'acme.dev/x/{repo}=acme/x-{repo}']), []);
  });

  it('refuses an owner that is not served', () => {
    assert.match(problemsOf(['go.acme.dev/{repo}=other/{repo}'])[0] ?? '', /other to MODFORGE_OWNERS/);
  });

  for (const [name, one, other] of [
    ['two patterns', 'a.dev/{repo}=acme/{repo}', 'b.dev/{repo}=acme/{repo}'],
    ['a pattern and a name in it', 'a.dev/{repo}=acme/{repo}', 'b.dev/tools=acme/Tools'],
    ['patterns whose prefixes overlap', 'a.dev/{repo}=acme/go-{repo}', 'b.dev/{repo}=acme/go-x-{repo}'],
    ['the same name twice', 'a.dev/tools=acme/tools', 'b.dev/tools=ACME/tools'],
  ] as const) {
    it(`refuses one repository for two rules: ${name}`, () => {
      assert.match(problemsOf([one, other])[0] ?? '', /name the same repository/);
      assert.match(problemsOf([other, one])[0] ?? '', /name the same repository/);
    });
  }

  it('refuses a path with a major version, which no module could match', () => {
    assert.match(problemsOf(['a.dev/tools/v2=acme/tools'])[0] ?? '', /ends in a major version/);
    assert.deepEqual(problemsOf(['gopkg.in/{repo}.v2=acme/{repo}-v2']), []);
    assert.deepEqual(problemsOf(['gopkg.in/{repo}=acme/gopkg.{repo}']), []);
  });

  it('refuses one module path for two rules', () => {
    assert.match(problemsOf(['a.dev/{repo}=acme/x-{repo}', 'a.dev/{repo}=acme/y-{repo}'])[0] ?? '', /same module path/);
  });
});
