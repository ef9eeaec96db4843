/**
 * modforge on the forge that TEST_FORGE names, so that one suite serves all: `local` (the default: on disk), `memory`, or
 * `gitea` and `github`, their doubles, or `real-gitea`, which is at TEST_GITEA_URL and where TEST_GITEA_USER has TEST_GITEA_TOKEN.
 */

import { randomBytes } from 'node:crypto';
import { cp, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { ForgeDouble } from './doubles/forge-double.ts';
import { startGiteaDouble } from './doubles/gitea.ts';
import { startGithubDouble } from './doubles/github.ts';
import { startGitHttpServer } from './git-http-server.ts';
import { gitIn } from './plain-git.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';
import { publisher, startTestApp, type TestApp } from './test-app.ts';

export interface AppUnderTest extends TestApp {
  readonly repositories: Repositories;
}

/** The repositories of the owner, as people see them who push and clone. */
export interface Repositories {
  /** Where git clones a repository from, without credentials. */
  cloneUrl(name: string): string;
  /** Puts a copy of the bare repository in the folder `gitdir` into the forge. */
  add(name: string, gitdir: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
}

/** Starts modforge with `env` over the tests' defaults; what it stored goes when it is disposed of. */
export async function startAppUnderTest(env: Readonly<Record<string, string>> = {}): Promise<AppUnderTest> {
  const kind = process.env.TEST_FORGE ?? 'local';
  switch (kind) {
    case 'memory':
      return { ...(await startTestApp({ MODFORGE_FORGE: kind, ...env })), repositories: outOfReach };
    case 'local': {
      const folder = await makeTemporaryFolder();
      const app = await startTestApp({ MODFORGE_FORGE: kind, MODFORGE_DATA: folder.path, ...env });
      const server = await startGitHttpServer({ directory: folder.path });
      return { ...behind(folder, behind(server, app)), repositories: repositoriesIn(folder.path, server.url) };
    }
    case 'gitea':
    case 'github': {
      const double = kind === 'gitea' ? await startGiteaDouble({}) : await startGithubDouble({ basePath: '/api/v3' });
      double.addUser({ name: publisher.name, password: 'not used' });
      double.addOrganisation({ name: 'acme', visibility: 'public', members: { [publisher.name]: 'admin' } });
      double.addToken({ user: publisher.name, value: publisher.password });
      const hosted = {
        MODFORGE_FORGE: kind,
        MODFORGE_FORGE_URL: double.url,
        MODFORGE_TOKEN: publisher.password,
        MODFORGE_USERS: '',
        MODFORGE_ANONYMOUS_READ: 'all',
      };
      const app = await startTestApp({ ...hosted, ...env });
      return { ...behind(double, app), repositories: repositoriesOf(double) };
    }
    case 'real-gitea':
      return startInNewOrganisation(env);
    default:
      throw new Error(`there is no forge ${kind} to test on`);
  }
}

/** Starts modforge for an organisation of its own, which stands for `acme` in the rules of `env` and stays behind on the Gitea. */
async function startInNewOrganisation(env: Readonly<Record<string, string>>): Promise<AppUnderTest> {
  const { TEST_GITEA_URL = '' } = process.env;
  const username = `acme-${randomBytes(6).toString('hex')}`;
  await askGitea('POST', '/orgs', { username });
  const { MODFORGE_PATHS = '' } = env;
  const app = await startTestApp({
    MODFORGE_FORGE: 'gitea',
    MODFORGE_FORGE_URL: TEST_GITEA_URL,
    MODFORGE_TOKEN: publisher.password,
    MODFORGE_OWNERS: username,
    MODFORGE_USERS: '',
    MODFORGE_ANONYMOUS_READ: 'all',
    ...env,
    MODFORGE_PATHS: MODFORGE_PATHS.replaceAll('=acme/', `=${username}/`),
  });
  return { ...app, repositories: repositoriesAtGitea(TEST_GITEA_URL, username) };
}

function repositoriesIn(directory: string, url: string): Repositories {
  const gitdirOf = (name: string) => join(directory, 'acme', `${name}.git`);
  return {
    cloneUrl: name => `${url}/acme/${name}.git`,
    add: (name, gitdir) => cp(gitdir, gitdirOf(name), { recursive: true }),
    rename: (from, to) => rename(gitdirOf(from), gitdirOf(to)),
  };
}

const repositoriesOf = (double: ForgeDouble): Repositories => ({
  cloneUrl: name => `${double.url}/acme/${name}.git`,
  async add(name, gitdir) {
    await cp(gitdir, await double.addRepository({ owner: 'acme', name }), { recursive: true });
  },
  rename: (from, to) => double.renameRepository(`acme/${from}`, `acme/${to}`),
});

/** Gitea takes branches and tags alone. */
const repositoriesAtGitea = (url: string, owner: string): Repositories => ({
  cloneUrl: name => `${url}/${owner}/${name}.git`,
  async add(name, gitdir) {
    await askGitea('POST', `/orgs/${owner}/repos`, { name });
    const git = gitIn(gitdir);
    const authorization = `http.extraHeader=Authorization: ${publisher.basic}`;
    await git(
      '-c',
      authorization,
      'push',
      '--quiet',
      this.cloneUrl(name),
      'refs/heads/*:refs/heads/*',
      'refs/tags/*:refs/tags/*',
    );
    const { stdout, exitCode } = await git.run('rev-parse', '--verify', '--abbrev-ref', 'HEAD');
    if (exitCode === 0) await askGitea('PATCH', `/repos/${owner}/${name}`, { default_branch: stdout.trim() });
  },
  rename: (from, to) => askGitea('PATCH', `/repos/${owner}/${from}`, { name: to }),
});

async function askGitea(method: string, path: string, body: Readonly<Record<string, string>>): Promise<void> {
  const response = await fetch(`${process.env.TEST_GITEA_URL}/api/v1${path}`, {
    method,
    headers: { Authorization: `token ${publisher.password}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
}

const refuse = () => {
  throw new Error('git reaches no repository in memory');
};

const outOfReach: Repositories = { cloneUrl: refuse, add: refuse, rename: refuse };

function behind(store: AsyncDisposable, app: TestApp): TestApp {
  return {
    ...app,
    async [Symbol.asyncDispose]() {
      await app[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}
