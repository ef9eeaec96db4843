/** modforge on the forge that TEST_FORGE names, `local` (the default: on disk) or `memory`, so that one suite serves all forges. */
import { makeTemporaryFolder } from './temporary-folder.ts';
import { startTestApp, type TestApp } from './test-app.ts';

/** Starts modforge with `env` over the tests' defaults; what it stored goes when it is disposed of. */
export async function startAppUnderTest(env: Readonly<Record<string, string>> = {}): Promise<TestApp> {
  const kind = process.env.TEST_FORGE ?? 'local';
  if (kind !== 'local') return startTestApp({ MODFORGE_FORGE: kind, ...env });
  const folder = await makeTemporaryFolder();
  const app = await startTestApp({ MODFORGE_FORGE: kind, MODFORGE_DATA: folder.path, ...env });
  return {
    ...app,
    async [Symbol.asyncDispose]() {
      await app[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}
