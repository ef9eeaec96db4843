/** modforge as the tests start it: in memory unless told otherwise, on a free port of this machine. */
import pino from 'pino';
import { type App, startApp } from '../../src/app.ts';
import { parseConfig, readEnv } from '../../src/config.ts';

const { TEST_FORGE, TEST_GITEA_USER = 'siteadmin', TEST_GITEA_TOKEN = '' } = process.env;
const isRealGitea = TEST_FORGE === 'real-gitea';
const name = isRealGitea ? TEST_GITEA_USER : 'ann';
const password = isRealGitea ? TEST_GITEA_TOKEN : 'secret';

/** The user that every test app knows. */
export const publisher = { name, password, basic: `Basic ${btoa(`${name}:${password}`)}` };

export interface TestApp extends App {
  /** `/api/packages/{owner}/go` of the first owner. */
  readonly proxyUrl: string;
  /** What was logged, a line of JSON each. */
  readonly logged: string[];
}

/** Starts modforge with `env` over the tests' defaults: forge in memory, owner acme, refs never older than asked. */
export async function startTestApp(env: Record<string, string> = {}): Promise<TestApp> {
  const defaults = {
    PORT: '0',
    MODFORGE_FORGE: 'memory',
    MODFORGE_OWNERS: 'acme',
    MODFORGE_USERS: `${publisher.name}:${publisher.password}`,
  };
  const config = parseConfig(readEnv({ ...defaults, ...env }, undefined));
  const logged: string[] = [];
  const log = pino({ level: 'info' }, { write: line => logged.push(line) });
  const app = await startApp({ config, log, refsTtlMs: 1 });
  return { ...app, proxyUrl: `${app.url}/api/packages/${config.owners[0]}/go`, logged };
}
