/**
 * modforge on the forge that TEST_FORGE names, so that one suite serves all: `local` (the default: on disk), `memory`, or
 * `gitea` and `github`, their doubles.
 */

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
    default:
      throw new Error(`there is no forge ${kind} to test on`);
  }
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
