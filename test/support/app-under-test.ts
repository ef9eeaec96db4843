/**
 * modforge on the forge that TEST_FORGE names, so that one suite serves all: `local` (the default: on disk), `memory`, or
 * `gitea` and `github`, their doubles, or `real-gitea`, which is at TEST_GITEA_URL and where TEST_GITEA_USER has TEST_GITEA_TOKEN.
 */

import { randomBytes } from 'node:crypto';
import { startGiteaDouble } from './doubles/gitea.ts';
import { startGithubDouble } from './doubles/github.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';
import { publisher, startTestApp, type TestApp } from './test-app.ts';

/** Starts modforge with `env` over the tests' defaults; what it stored goes when it is disposed of. */
export async function startAppUnderTest(env: Readonly<Record<string, string>> = {}): Promise<TestApp> {
  const kind = process.env.TEST_FORGE ?? 'local';
  switch (kind) {
    case 'memory':
      return startTestApp({ MODFORGE_FORGE: kind, ...env });
    case 'local': {
      const folder = await makeTemporaryFolder();
      return behind(folder, await startTestApp({ MODFORGE_FORGE: kind, MODFORGE_DATA: folder.path, ...env }));
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
      return behind(double, await startTestApp({ ...hosted, ...env }));
    }
    case 'real-gitea':
      return startInNewOrganisation(env);
    default:
      throw new Error(`there is no forge ${kind} to test on`);
  }
}

/** Starts modforge for an organisation of its own, which stands for `acme` in the rules of `env` and stays behind on the Gitea. */
async function startInNewOrganisation(env: Readonly<Record<string, string>>): Promise<TestApp> {
  const { TEST_GITEA_URL = '' } = process.env;
  const username = `acme-${randomBytes(6).toString('hex')}`;
  const response = await fetch(`${TEST_GITEA_URL}/api/v1/orgs`, {
    method: 'POST',
    headers: { Authorization: `token ${publisher.password}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ username }),
  });
  if (response.status !== 201) throw new Error(`no organisation: ${response.status} ${await response.text()}`);
  const { MODFORGE_PATHS = '' } = env;
  return startTestApp({
    MODFORGE_FORGE: 'gitea',
    MODFORGE_FORGE_URL: TEST_GITEA_URL,
    MODFORGE_TOKEN: publisher.password,
    MODFORGE_OWNERS: username,
    MODFORGE_USERS: '',
    MODFORGE_ANONYMOUS_READ: 'all',
    ...env,
    MODFORGE_PATHS: MODFORGE_PATHS.replaceAll('=acme/', `=${username}/`),
  });
}

function behind(store: AsyncDisposable, app: TestApp): TestApp {
  return {
    ...app,
    async [Symbol.asyncDispose]() {
      await app[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}
