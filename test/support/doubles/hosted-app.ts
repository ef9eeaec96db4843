/** The doubles of both forges with the same people in them, and modforge before one of them. */
import pino from 'pino';
import { startApp } from '../../../src/app.ts';
import { parseConfig, readEnv } from '../../../src/config.ts';
import type { TestApp } from '../test-app.ts';
import type { ForgeDouble } from './forge-double.ts';
import { startGiteaDouble } from './gitea.ts';
import { startGithubDouble } from './github.ts';

export type HostedKind = 'gitea' | 'github';

export const hostedKinds: readonly HostedKind[] = ['gitea', 'github'];

/** Ada, who owns the organisation acme, and her token, with which modforge runs. */
export const ada = { name: 'ada', token: 'adas-own-token', basic: `Basic ${btoa('ada:adas-own-token')}` };

export async function startHostedDouble(kind: HostedKind): Promise<ForgeDouble> {
  const double = kind === 'gitea' ? await startGiteaDouble() : await startGithubDouble();
  addPeople(double);
  return double;
}

/** Adds ada and acme. */
export function addPeople(double: ForgeDouble): void {
  double.addUser({ name: ada.name });
  double.addOrganisation({ name: 'acme', members: { [ada.name]: 'admin' } });
  double.addToken({ user: ada.name, value: ada.token });
}

export interface HostedAppOptions {
  readonly kind: HostedKind;
  readonly double: ForgeDouble;
  readonly env?: Readonly<Record<string, string>>;
  /** A minute unless given: nothing is asked again while a test runs. */
  readonly refsTtlMs?: number;
}

/** Starts modforge before `double`, which outlives it. */
export async function startHostedApp({
  kind,
  double,
  env = {},
  refsTtlMs = 60_000,
}: HostedAppOptions): Promise<TestApp> {
  const defaults = {
    PORT: '0',
    MODFORGE_FORGE: kind,
    MODFORGE_FORGE_URL: double.url,
    MODFORGE_TOKEN: ada.token,
    MODFORGE_OWNERS: 'acme',
  };
  const config = parseConfig(readEnv({ ...defaults, ...env }, undefined));
  const logged: string[] = [];
  const log = pino({ level: 'info' }, { write: line => logged.push(line) });
  const app = await startApp({ config, log, refsTtlMs });
  return { ...app, proxyUrl: `${app.url}/api/packages/acme/go`, logged };
}

/** Uploads a module zip, as ada unless somebody else is named. */
export const uploadTo = (app: TestApp, zip: Buffer, authorization = ada.basic): Promise<Response> =>
  fetch(`${app.proxyUrl}/upload`, { method: 'PUT', body: zip, headers: { Authorization: authorization } });
