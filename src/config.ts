/** Environment → one checked object. `readEnv` finds the variables, `parseConfig` makes sense of them; every problem is named at once. */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { parseEnv } from 'node:util';
import { z } from 'zod';
import { checkPathRules, type PathRule, parsePathRule } from './registry/path-rule.ts';
import type { AnonymousRead } from './registry/repositories.ts';

export interface Config {
  readonly host: string;
  readonly port: number;
  /** Files of the certificate and its key, PEM. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly forge:
    | { readonly kind: 'local'; readonly directory: string }
    | { readonly kind: 'memory' }
    /** `token` is the service's own, for what needs no caller. */
    | { readonly kind: 'github' | 'gitea'; readonly url: string; readonly token: string | undefined };
  /** Users of the local forge and their passwords; undefined: one is made at start. */
  readonly users: ReadonlyMap<string, string> | undefined;
  readonly owners: readonly string[];
  readonly anonymousRead: AnonymousRead;
  /** Whether `anonymousRead` was left to its default, which depends on HOST and is said at start. */
  readonly isAnonymousReadDefault: boolean;
  readonly privatePaths: string;
  readonly visibility: 'private' | 'public';
  readonly pathRules: readonly PathRule[];
  readonly republish: 'any' | 'same';
  /** How users reach it, without a slash at the end; undefined: as the request says. */
  readonly publicUrl: string | undefined;
  /** Addresses and networks whose forwarded headers are believed. */
  readonly trustProxy: readonly string[];
  readonly cacheBytes: number;
  readonly maxUploadBytes: number;
  /** Larger uploads and zips are kept on the disk. */
  readonly spoolAboveBytes: number;
  /** The least that is logged. */
  readonly logLevel: 'error' | 'warn' | 'info';
}

/** Everything that is wrong with the configuration, a line each. */
export class InvalidConfig extends Error {
  override readonly name = 'InvalidConfig';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`the configuration is not valid:\n${problems.map(problem => `  ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

const reservedOwners = new Set(['api', 'healthz', 'readyz', 'metrics', 'hooks', 'status']);

const list = (text: string): string[] =>
  text
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '');

/** Bytes, given in megabytes. */
const megabytes = z.coerce
  .number('must be a number of megabytes')
  .positive('must be above 0')
  .max(1_000_000, 'must be below 1,000,000')
  .transform(count => Math.ceil(count * 2 ** 20));

/** Globs as GOPRIVATE has them; path.Match ignores a malformed one, which here would leave a name unguarded. */
const globs = z
  .string()
  .transform(list)
  .refine(all => all.every(glob => /^(?:[^[\]\\]|\\.|\[(?:[^\]\\]|\\.)+\])+$/.test(glob)), 'holds a malformed glob')
  .transform(all => all.join(','));

const networks = z
  .string()
  .transform(list)
  .refine(
    all => all.every(isNetwork),
    'must hold addresses, networks such as 10.0.0.0/8, loopback, linklocal or uniquelocal',
  );

/** As Express's "trust proxy" takes it. */
function isNetwork(text: string): boolean {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(text)) return true;
  const [address = '', bits, more] = text.split('/');
  const family = isIP(address);
  const maxBits = family === 4 ? 32 : 128;
  return family !== 0 && more === undefined && (bits === undefined || (/^\d+$/.test(bits) && Number(bits) <= maxBits));
}

const owners = z
  .string()
  .transform(list)
  .refine(names => names.length > 0, 'names no owner')
  .refine(names => names.every(name => /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)), 'holds a name that no forge allows')
  .refine(names => names.every(name => !reservedOwners.has(name.toLowerCase())), {
    error: `must not hold ${[...reservedOwners].join(', ')}: they are paths of modforge`,
  })
  .refine(names => new Set(names.map(name => name.toLowerCase())).size === names.length, 'names an owner twice');

const pathRules = z.string().transform((text, context): PathRule[] =>
  list(text).flatMap(rule => {
    try {
      return [parsePathRule(rule)];
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
      return [];
    }
  }),
);

const users = z.string().transform((text, context): Map<string, string> => {
  const found = new Map<string, string>();
  for (const [i, pair] of list(text).entries()) {
    const [user, password, more] = pair.split(':').map(decodeOrUndefined);
    if (!user || !password || more !== undefined) {
      // The pair itself is not shown: it holds a password.
      context.addIssue({
        code: 'custom',
        message: `entry ${i + 1} is not user:password; write "," and ":" as %2C and %3A`,
      });
    } else {
      if (found.has(user)) context.addIssue({ code: 'custom', message: `names the user ${user} twice` });
      if (password === 'x-oauth-basic')
        context.addIssue({ code: 'custom', message: 'x-oauth-basic can be no password' });
      found.set(user, password);
    }
  }
  return found;
});

function decodeOrUndefined(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

const address = (example: string) =>
  z
    .url({ protocol: /^https?$/, error: `must be an address such as ${example}` })
    .refine(url => /^[^@?#]*$/.test(url), 'must hold no user, query or fragment')
    .transform(url => url.replace(/\/+$/, ''));

/** Every variable that modforge knows, with its meaning and its default as `--help` prints them. */
const variables = z.object({
  HOST: z.string().default('127.0.0.1').meta({ description: 'address it listens on', fallback: '127.0.0.1' }),
  PORT: z.coerce
    .number('must be a port number')
    .int('must be a port number')
    .min(0, 'must be a port number')
    .max(65535, 'must be a port number')
    .default(8080)
    .meta({ description: 'port it listens on; 0 for any free one', fallback: '8080' }),
  MODFORGE_TLS_CERT: z
    .string()
    .optional()
    .meta({ description: 'PEM file of the certificate, to serve HTTPS', fallback: 'none' }),
  MODFORGE_TLS_KEY: z.string().optional().meta({ description: "PEM file of the certificate's key", fallback: 'none' }),
  MODFORGE_FORGE: z
    .enum(['local', 'memory', 'github', 'gitea'], 'must be local, memory, github or gitea')
    .default('local')
    .meta({ description: 'where the repositories live: local, memory, github, gitea', fallback: 'local' }),
  MODFORGE_FORGE_URL: address('https://git.acme.dev')
    .optional()
    .meta({ description: "the forge's address, GitHub Enterprise's too", fallback: 'https://github.com for github' }),
  MODFORGE_TOKEN: z.string().optional().meta({ description: "the service's token at the forge", fallback: 'none' }),
  MODFORGE_OWNERS: owners.optional().meta({
    description: 'organisations or users served, comma-separated',
    fallback: 'demo for local and memory',
  }),
  MODFORGE_DATA: z.string().default('./data').meta({ description: 'folder of the local forge', fallback: './data' }),
  MODFORGE_USERS: users.optional().meta({
    description: 'users of the local forge, user:password, comma-separated; "," and ":" in them as %2C and %3A',
    fallback: 'one made at start',
  }),
  MODFORGE_ANONYMOUS_READ: z.enum(['public', 'all', 'none'], 'must be public, all or none').optional().meta({
    description: 'who reads without credentials: public (what the forge shows to anyone), all, none',
    fallback: 'public; for local and memory all while HOST is loopback, else none',
  }),
  MODFORGE_PRIVATE: globs
    .prefault('')
    .meta({ description: 'globs of module paths, as GOPRIVATE, that are only ever ours', fallback: 'none' }),
  MODFORGE_VISIBILITY: z
    .enum(['private', 'public'], 'must be private or public')
    .default('private')
    .meta({ description: 'of created repositories: private, public', fallback: 'private' }),
  MODFORGE_PATHS: pathRules.prefault('').meta({
    description: 'rules from module paths to repositories, go.acme.dev/{repo}=acme/{repo}, comma-separated',
    fallback: 'none',
  }),
  MODFORGE_REPUBLISH: z
    .enum(['any', 'same'], 'must be any or same')
    .default('any')
    .meta({ description: 'what may be published after a delete: any, same', fallback: 'any' }),
  MODFORGE_PUBLIC_URL: address('https://modules.acme.dev')
    .optional()
    .meta({ description: 'how users reach it', fallback: 'from the request' }),
  MODFORGE_TRUST_PROXY: networks.prefault('').meta({
    description: 'addresses and networks whose forwarded headers are believed, comma-separated',
    fallback: 'none',
  }),
  MODFORGE_CACHE_MB: megabytes.prefault(256).meta({ description: 'size of the content cache', fallback: '256' }),
  MODFORGE_MAX_UPLOAD_MB: megabytes.prefault(500).meta({ description: 'largest accepted upload', fallback: '500' }),
  MODFORGE_SPOOL_ABOVE_MB: megabytes.prefault(16).meta({
    description: 'larger uploads and zips are kept in temporary files without names (in TMPDIR), others in memory',
    fallback: '16',
  }),
  MODFORGE_LOG_LEVEL: z
    .enum(['error', 'warn', 'info'], 'must be error, warn or info')
    .default('info')
    .meta({ description: 'least that is logged: error, warn, info (each request)', fallback: 'info' }),
});

/** The table of variables for `--help`. */
export function describeVariables(): string {
  const rows = Object.entries(variables.shape).map(([name, schema]) => {
    const { description = '', fallback = '' } = schema.meta() ?? {};
    return `  ${name.padEnd(24)} ${description} [${String(fallback)}]`;
  });
  return rows.join('\n');
}

/** The variables of the environment, and of `file` (lines of NAME=value) where the environment has none. Throws InvalidConfig. */
export function readEnv(env: NodeJS.ProcessEnv, file: string | undefined): Record<string, string> {
  const all = { ...(file === undefined ? {} : parseEnv(readConfigFile(file))), ...env };
  const isOurs = (name: string) => name in variables.shape || name.startsWith('MODFORGE_');
  // An empty variable is one that is not set: compose files and unit files make such.
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, string] => isOurs(entry[0]) && !!entry[1]),
  );
}

function readConfigFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new InvalidConfig([`cannot read the file of --config: ${error instanceof Error ? error.message : error}`]);
  }
}

/** Throws InvalidConfig. */
export function parseConfig(env: Record<string, string>): Config {
  const problems = Object.keys(env)
    .filter(name => !(name in variables.shape))
    .map(name => `${name} is not a variable of modforge; see modforge --help`);
  const parsed = variables.safeParse(env);
  if (!parsed.success) {
    problems.push(...parsed.error.issues.map(issue => `${issue.path.join('.')} ${issue.message}`));
    throw new InvalidConfig(problems);
  }
  const values = parsed.data;
  const { MODFORGE_TLS_CERT: cert, MODFORGE_TLS_KEY: key } = values;
  if ((cert === undefined) !== (key === undefined)) {
    problems.push('MODFORGE_TLS_CERT and MODFORGE_TLS_KEY belong together: set both or neither');
  }
  const forge = forgeOf(values, problems);
  const isEmbedded = forge.kind === 'local' || forge.kind === 'memory';
  const owners = values.MODFORGE_OWNERS ?? (isEmbedded ? ['demo'] : []);
  if (owners.length === 0) problems.push(`MODFORGE_OWNERS must name who is served at ${forge.kind}`);
  const openDefault = isLoopback(values.HOST) ? 'all' : 'none';
  const anonymousRead = values.MODFORGE_ANONYMOUS_READ ?? (isEmbedded ? openDefault : 'public');
  if (anonymousRead === 'all' && !isEmbedded && values.MODFORGE_TOKEN === undefined) {
    problems.push('MODFORGE_ANONYMOUS_READ=all reads as the service: set MODFORGE_TOKEN');
  }
  problems.push(...checkPathRules(values.MODFORGE_PATHS, owners));
  if (problems.length > 0) throw new InvalidConfig(problems);
  return {
    host: values.HOST,
    port: values.PORT,
    tls: cert !== undefined && key !== undefined ? { cert, key } : undefined,
    forge,
    users: values.MODFORGE_USERS,
    owners,
    anonymousRead,
    isAnonymousReadDefault: values.MODFORGE_ANONYMOUS_READ === undefined,
    privatePaths: values.MODFORGE_PRIVATE,
    visibility: values.MODFORGE_VISIBILITY,
    pathRules: values.MODFORGE_PATHS,
    republish: values.MODFORGE_REPUBLISH,
    publicUrl: values.MODFORGE_PUBLIC_URL,
    trustProxy: values.MODFORGE_TRUST_PROXY,
    cacheBytes: values.MODFORGE_CACHE_MB,
    maxUploadBytes: values.MODFORGE_MAX_UPLOAD_MB,
    spoolAboveBytes: values.MODFORGE_SPOOL_ABOVE_MB,
    logLevel: values.MODFORGE_LOG_LEVEL,
  };
}

function forgeOf(values: z.infer<typeof variables>, problems: string[]): Config['forge'] {
  const { MODFORGE_FORGE: kind, MODFORGE_FORGE_URL: url, MODFORGE_TOKEN: token } = values;
  switch (kind) {
    case 'memory':
      return { kind };
    case 'local':
      return { kind, directory: values.MODFORGE_DATA };
    case 'github':
      return { kind, url: url ?? 'https://github.com', token };
    case 'gitea':
      if (url === undefined) problems.push("MODFORGE_FORGE_URL must be Gitea's address, as https://git.acme.dev");
      return { kind, url: url ?? '', token };
  }
}

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127\.[0-9.]+$/.test(host);
