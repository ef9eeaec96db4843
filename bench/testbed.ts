/** What all measurements stand on: one forge, and as many processes of the built modforge before it as are asked for. */
import { mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ada } from '../test/support/doubles/hosted-app.ts';
import { makeTemporaryFolder } from '../test/support/temporary-folder.ts';
import { type BenchModule, benchModule, pathRule, zipOf } from './bench-module.ts';
import { smallCorpus } from './corpus.ts';
import { type ForgeProcess, startForgeProcess } from './forge-process.ts';
import { findFreePort, startServer } from './server-process.ts';
import { timeDownload, upload } from './transfer.ts';

export interface Modforge extends AsyncDisposable {
  readonly pid: number;
  readonly url: string;
  /** `/api/packages/{owner}/go` of the owner acme. */
  readonly proxyUrl: string;
}

export interface Testbed extends AsyncDisposable {
  readonly forge: ForgeProcess;
  /** The module S, which every modforge has published and read when it is given out. */
  readonly small: BenchModule;
  newFolder(): Promise<string>;
  /** A version that no module has yet. */
  nextVersion(): string;
  /** modforge before the forge; it has read nothing but a version of `small`. */
  startModforge(): Promise<Modforge>;
  /** modforge with its own forge below `data`. */
  startEmbeddedModforge(data: string): Promise<Modforge>;
  /** Publishes `publishedVersion` of each module that has it not yet, through a modforge that goes then. */
  publishOnce(modules: readonly BenchModule[]): Promise<void>;
}

export const publishedVersion = 'v1.0.0';

const program = join(import.meta.dirname, '../dist/cli/modforge.js');

/** After a publish `main` is moved in the background, which is over by then. */
const restMs = 500;

/** What runs at start is not to be measured along with what is. */
async function hasTestedItself(logFile: string): Promise<void> {
  const deadline = performance.now() + selfTestMs;
  while (!(await readFile(logFile, 'utf8')).includes('passed the self-test')) {
    if (performance.now() > deadline) throw new Error(`no self-test in ${selfTestMs} ms: see ${logFile}`);
    await sleep(20);
  }
}

const selfTestMs = 30_000;

export async function startTestbed(): Promise<Testbed> {
  const folder = await makeTemporaryFolder();
  const small = benchModule('small', await smallCorpus());
  const forge = await startForgeProcess();
  const published = new Set<string>();
  let versions = 0;

  const newFolder = () => mkdtemp(join(folder.path, 'f'));
  const nextVersion = () => {
    versions += 1;
    return `v1.0.${versions}`;
  };

  const start = async (env: Readonly<Record<string, string>>): Promise<Modforge> => {
    const port = await findFreePort();
    const logFile = join(await newFolder(), 'modforge.log');
    const url = `http://127.0.0.1:${port}`;
    const server = await startServer({
      command: process.execPath,
      args: [program],
      env: {
        // As the Dockerfile has it.
        NODE_ENV: 'production',
        NODE_OPTIONS: '--v8-pool-size=1 --max-semi-space-size=8',
        PORT: String(port),
        MODFORGE_OWNERS: 'acme',
        MODFORGE_PATHS: pathRule,
        MODFORGE_VISIBILITY: 'public',
        ...env,
      },
      logFile,
      url: `${url}/healthz`,
    });
    const modforge = { ...server, url, proxyUrl: `${url}/api/packages/acme/go` };
    try {
      await hasTestedItself(logFile);
      await warmUp(modforge);
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return modforge;
  };

  const warmUp = async ({ proxyUrl }: Modforge) => {
    const version = nextVersion();
    await upload(proxyUrl, zipOf(small, version));
    for (const file of ['info', 'mod', 'zip']) await timeDownload(`${proxyUrl}/${small.path}/@v/${version}.${file}`);
    await sleep(restMs);
  };

  const startModforge = () =>
    start({ MODFORGE_FORGE: 'gitea', MODFORGE_FORGE_URL: forge.url, MODFORGE_TOKEN: ada.token });

  return {
    forge,
    small,
    newFolder,
    nextVersion,
    startModforge,
    startEmbeddedModforge: data =>
      start({ MODFORGE_FORGE: 'local', MODFORGE_DATA: data, MODFORGE_USERS: `${ada.name}:${ada.token}` }),
    async publishOnce(modules) {
      const missing = modules.filter(({ path }) => !published.has(path));
      if (missing.length === 0) return;
      await using modforge = await startModforge();
      for (const module of missing) {
        await upload(modforge.proxyUrl, zipOf(module, publishedVersion));
        published.add(module.path);
      }
    },
    async [Symbol.asyncDispose]() {
      await forge[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}
