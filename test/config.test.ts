import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { describeVariables, InvalidConfig, parseConfig, readEnv } from '../src/config.ts';

const problemsOf = (env: Record<string, string>): readonly string[] => {
  try {
    parseConfig(env);
    return [];
  } catch (error) {
    assert.ok(error instanceof InvalidConfig);
    return error.problems;
  }
};

describe('parseConfig', () => {
  it('starts the embedded forge with nothing set', () => {
    const config = parseConfig({});
    assert.deepEqual(config.forge, { kind: 'local', directory: './data' });
    assert.deepEqual([config.host, config.port, config.owners], ['127.0.0.1', 8080, ['demo']]);
    assert.deepEqual([config.cacheBytes, config.maxUploadBytes], [256 * 2 ** 20, 500 * 2 ** 20]);
    assert.equal(config.users, undefined);
  });

  it('knows each forge, and what reads without credentials there', () => {
    const hosted = { MODFORGE_OWNERS: 'acme', MODFORGE_TOKEN: 't' };
    const gitea = parseConfig({ ...hosted, MODFORGE_FORGE: 'gitea', MODFORGE_FORGE_URL: 'https://git.acme.dev/' });
    assert.deepEqual(gitea.forge, { kind: 'gitea', url: 'https://git.acme.dev', token: 't' });
    assert.equal(gitea.anonymousRead, 'public');
    const github = parseConfig({ ...hosted, MODFORGE_FORGE: 'github' });
    assert.deepEqual(github.forge, { kind: 'github', url: 'https://github.com', token: 't' });
    assert.deepEqual(parseConfig({ MODFORGE_FORGE: 'memory' }).forge, { kind: 'memory' });
  });

  for (const [host, anonymousRead] of [
    ['127.0.0.1', 'all'],
    ['localhost', 'all'],
    ['::1', 'all'],
    ['0.0.0.0', 'none'],
    ['10.0.0.1', 'none'],
  ] as const) {
    it(`lets ${anonymousRead === 'all' ? 'anyone' : 'nobody'} read without credentials on ${host} unless told`, () => {
      assert.equal(parseConfig({ HOST: host }).anonymousRead, anonymousRead);
      assert.equal(parseConfig({ HOST: host, MODFORGE_ANONYMOUS_READ: 'public' }).anonymousRead, 'public');
    });
  }

  it('reads users and passwords that hold commas and colons', () => {
    const { users } = parseConfig({ MODFORGE_USERS: 'ann:a%2Cb%3Ac, bob:x' });
    assert.deepEqual(
      [...(users ?? [])],
      [
        ['ann', 'a,b:c'],
        ['bob', 'x'],
      ],
    );
  });

  for (const [name, env, problem] of [
    ['a port that is none', { PORT: 'x' }, 'PORT must be a port number'],
    ['a port that no machine has', { PORT: '70000' }, 'PORT must be a port number'],
    [
      'half of TLS',
      { MODFORGE_TLS_CERT: 'x' },
      'MODFORGE_TLS_CERT and MODFORGE_TLS_KEY belong together: set both or neither',
    ],
    ['an unknown forge', { MODFORGE_FORGE: 'cvs' }, 'MODFORGE_FORGE must be local, memory, github or gitea'],
    ['an owner that is a path here', { MODFORGE_OWNERS: 'a,Metrics' }, /must not hold api, healthz/],
    ['an owner twice', { MODFORGE_OWNERS: 'a,A' }, 'MODFORGE_OWNERS names an owner twice'],
    ['no owner', { MODFORGE_OWNERS: ',' }, 'MODFORGE_OWNERS names no owner'],
    ['an owner that is no name', { MODFORGE_OWNERS: '../x' }, 'MODFORGE_OWNERS holds a name that no forge allows'],
    ['a rule that is none', { MODFORGE_PATHS: 'x' }, /MODFORGE_PATHS the rule "x" has not the form/],
    ['a rule for another owner', { MODFORGE_PATHS: 'x.dev/{repo}=b/{repo}' }, /add b to MODFORGE_OWNERS/],
    [
      'a misspelt variable',
      { MODFORGE_ANONYMUS_READ: 'none' },
      /^MODFORGE_ANONYMUS_READ is not a variable of modforge/,
    ],
    ['an address that is none', { MODFORGE_PUBLIC_URL: 'modules' }, /MODFORGE_PUBLIC_URL must be an address/],
    ['a Gitea without an address', { MODFORGE_FORGE: 'gitea', MODFORGE_OWNERS: 'a' }, /MODFORGE_FORGE_URL must be/],
    ['a forge without owners', { MODFORGE_FORGE: 'github' }, 'MODFORGE_OWNERS must name who is served at github'],
    [
      'open reading without a token',
      { MODFORGE_FORGE: 'github', MODFORGE_OWNERS: 'a', MODFORGE_ANONYMOUS_READ: 'all' },
      /set MODFORGE_TOKEN/,
    ],
    ['a malformed glob', { MODFORGE_PRIVATE: 'x.dev,[a' }, 'MODFORGE_PRIVATE holds a malformed glob'],
    ['a proxy that is no address', { MODFORGE_TRUST_PROXY: '10.0.0.0/8,garbage' }, /MODFORGE_TRUST_PROXY must hold/],
    ['an address with a password', { MODFORGE_PUBLIC_URL: 'https://u:p@x.dev/' }, /must hold no user/],
    ['a user twice', { MODFORGE_USERS: 'a:b,a:c' }, 'MODFORGE_USERS names the user a twice'],
    ['a password that means something else', { MODFORGE_USERS: 'a:x-oauth-basic' }, /can be no password/],
    ['a rule that no module can match', { MODFORGE_PATHS: 'go x/{repo}=demo/{repo}' }, /no module path/],
    ['a rule to a repository that no rule may name', { MODFORGE_PATHS: 'go.dev/{repo}=demo/x__{repo}' }, /may name/],
    ['a size of nothing', { MODFORGE_CACHE_MB: '0' }, 'MODFORGE_CACHE_MB must be above 0'],
  ] as const) {
    it(`refuses ${name}`, () => {
      const [found = ''] = problemsOf(env);
      if (typeof problem === 'string') assert.equal(found, problem);
      else assert.match(found, problem);
    });
  }

  it('takes lists with spaces, and sizes in parts', () => {
    const config = parseConfig({ MODFORGE_PRIVATE: 'x.dev/*, corp.dev', MODFORGE_CACHE_MB: '0.3' });
    assert.equal(config.privatePaths, 'x.dev/*,corp.dev');
    assert.equal(config.cacheBytes, 314_573);
  });

  it('names a bad user by its place, and shows nothing of a password', () => {
    const [problem = ''] = problemsOf({ MODFORGE_USERS: 'ann:x,s3cret' });
    assert.match(problem, /entry 2/);
    assert.doesNotMatch(problem, /s3cret/);
  });

  it('names every problem at once', () => {
    const problems = problemsOf({ PORT: 'x', MODFORGE_FORGE: 'cvs', MODFORGE_TYPO: '1' });
    assert.equal(problems.length, 3);
  });
});

describe('readEnv', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'modforge-config-')), 'modforge.env');
  writeFileSync(file, 'MODFORGE_OWNERS=from-file\nPORT=1\n');

  it('takes from the file what the environment does not set', () => {
    assert.deepEqual(readEnv({ PORT: '2', HOME: '/x' }, file), { PORT: '2', MODFORGE_OWNERS: 'from-file' });
  });

  it('takes an empty variable for one that is not set', () => {
    assert.deepEqual(readEnv({ MODFORGE_TLS_CERT: '' }, undefined), {});
  });
});

it('--help names every variable with its default', () => {
  const help = describeVariables();
  assert.match(help, /MODFORGE_REPUBLISH +what may be published after a delete: any, same \[any\]/);
  for (const name of ['HOST', 'PORT', 'MODFORGE_PATHS', 'MODFORGE_TRUST_PROXY'])
    assert.match(help, new RegExp(` ${name} `));
});
