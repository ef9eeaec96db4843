/** Wires everything: what tests, the command line and main all start. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import { createFsFromVolume, Volume } from 'memfs';
import type { Logger } from 'pino';
import { type Config, InvalidConfig } from './config.ts';
import type { Forge } from './forge/forge.ts';
import { createGiteaForge } from './forge/gitea/gitea-forge.ts';
import { createGithubForge } from './forge/github/github-forge.ts';
import { diskFileSystem } from './forge/local/file-system.ts';
import { createLocalForge } from './forge/local/local-forge.ts';
import { createHandler } from './http/create-handler.ts';
import { listen } from './http/listen.ts';
import { Registry } from './registry/registry.ts';

/**
 * How long refs are believed without asking the forge again, and that there is no repository: as long as clients are told to believe a
 * 404, and half as long as a list. A publish through this process is seen at once.
 */
const refsTtlMs = 5_000;

/** How long the forge may take to answer one call. */
const forgeTimeoutMs = 30_000;

/** How long the forge may take to answer when modforge starts. */
const startMs = 30_000;

export interface AppOptions {
  readonly config: Config;
  readonly log: Logger;
  /** In place of the constant above, in milliseconds; 0 asks for refs every time. */
  readonly refsTtlMs?: number;
}

export interface App extends AsyncDisposable {
  /** Where it listens, without a slash at the end. */
  readonly url: string;
  /** The user that was made for the local forge, because the configuration names none. */
  readonly madeUser: { readonly name: string; readonly password: string } | undefined;
  /** Resolves when nothing is done in the background any more. */
  settled(): Promise<void>;
}

/** Starts modforge; disposing stops it after the requests and the background work under way. Throws InvalidConfig or ForgeUnavailable. */
export async function startApp({ config, log, refsTtlMs: ttlMs = refsTtlMs }: AppOptions): Promise<App> {
  const isEmbedded = config.forge.kind === 'local' || config.forge.kind === 'memory';
  const madeUser = isEmbedded && config.users === undefined ? makeUser() : undefined;
  const users = config.users ?? new Map(madeUser && [[madeUser.name, madeUser.password]]);
  const forge = createForge(config, users, log);
  const description = await forge.describe(config.owners, AbortSignal.timeout(startMs));
  log.info({ forge: description }, 'the forge answers');
  const registry = new Registry({ ...config, forge, refsTtlMs: ttlMs, log });
  const tls = config.tls && (await readTls(config.tls));
  const listener = await listen(createHandler({ ...config, registry, log }), { ...config, tls });
  return {
    url: listener.url,
    madeUser,
    settled: () => registry.settled(),
    async [Symbol.asyncDispose]() {
      await listener[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
    },
  };
}

function createForge({ forge, visibility }: Config, users: ReadonlyMap<string, string>, log: Logger): Forge {
  const hosted = { visibility, userAgent: 'modforge', timeoutMs: forgeTimeoutMs, log };
  switch (forge.kind) {
    case 'github':
      return createGithubForge({ ...hosted, url: forge.url, token: forge.token });
    case 'gitea':
      return createGiteaForge({ ...hosted, url: forge.url, token: forge.token });
    case 'local':
      return createLocalForge({ fs: diskFileSystem, directory: resolve(forge.directory), users, visibility, log });
    case 'memory':
      return createLocalForge({ fs: createFsFromVolume(new Volume()), directory: '/', users, visibility, log });
  }
}

async function readTls(files: { cert: string; key: string }): Promise<{ cert: Buffer; key: Buffer }> {
  try {
    const tls = { cert: await readFile(files.cert), key: await readFile(files.key) };
    createSecureContext(tls);
    return tls;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InvalidConfig([`MODFORGE_TLS_CERT (${files.cert}) and MODFORGE_TLS_KEY (${files.key}): ${reason}`]);
  }
}

const makeUser = () => ({ name: 'publisher', password: randomBytes(15).toString('base64url') });
