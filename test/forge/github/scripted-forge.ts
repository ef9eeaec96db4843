/** A server that knows what it will be asked and what it answers, call by call; the adapters' own protocol is tested with it. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Caller } from '../../../src/forge/credentials.ts';
import type { HostedForgeOptions } from '../../../src/forge/octokit/client.ts';
import { parseObjectId } from '../../../src/git/object-id.ts';
import { listenOnLoopback } from '../../support/listen-on-loopback.ts';

/** One answer, and for what. Calls to git's endpoints are answered from `refs`, and are no part of the script. */
export interface Step {
  /** As `POST /api/v1/user/repos`. */
  readonly call: string;
  readonly status: number;
  /** Sent as JSON, a string as HTML; nothing is sent without one. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Asked {
  readonly call: string;
  readonly authorization: string | undefined;
  readonly userAgent: string | undefined;
  readonly body: unknown;
}

export interface ScriptedForge extends AsyncDisposable {
  readonly url: string;
  readonly asked: readonly Asked[];
  /** What git's endpoints were sent as Authorization. */
  readonly gitAuthorizations: readonly (string | undefined)[];
  /** What ls-refs answers in every repository; undefined is 404. */
  refs: ReadonlyMap<string, string> | undefined;
  /** Whether git's endpoints refuse all credentials. */
  refusesGit: boolean;
  readonly warnings: readonly object[];
  options(more?: Partial<HostedForgeOptions>): HostedForgeOptions;
}

export async function scriptForge(...steps: Step[]): Promise<ScriptedForge> {
  const asked: Asked[] = [];
  const gitAuthorizations: (string | undefined)[] = [];
  const warnings: object[] = [];
  const left = [...steps];

  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method = '', url = '', headers } = request;
    if (url.includes('.git/')) {
      gitAuthorizations.push(headers.authorization);
      if (forge.refusesGit) return response.writeHead(401).end();
      return answerGit(request, response, forge.refs);
    }
    const text = Buffer.concat(chunks).toString();
    const call = `${method} ${url}`;
    asked.push({
      call,
      authorization: headers.authorization,
      userAgent: headers['user-agent'],
      body: text === '' ? undefined : JSON.parse(text),
    });
    const step = left.shift();
    const answer = step?.call === call ? step : { status: 599, body: { message: `not in the script: ${call}` } };
    const type = typeof answer.body === 'string' ? 'text/html' : 'application/json; charset=utf-8';
    const body = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body);
    response.writeHead(answer.status, { ...(body === undefined ? {} : { 'content-type': type }), ...step?.headers });
    response.end(body);
  });
  const listening = await listenOnLoopback(server);
  const { url } = listening;

  const forge: ScriptedForge = {
    url,
    asked,
    gitAuthorizations,
    refs: new Map(),
    refusesGit: false,
    warnings,
    options: more => ({
      url,
      token: undefined,
      visibility: 'private',
      userAgent: 'modforge/test',
      timeoutMs: 5_000,
      log: { warn: facts => warnings.push(facts) },
      ...more,
    }),
    [Symbol.asyncDispose]: () => listening[Symbol.asyncDispose](),
  };
  return forge;
}

/** Git's protocol v2, as far as ls-refs. */
function answerGit(
  { url = '' }: IncomingMessage,
  response: ServerResponse,
  refs: ReadonlyMap<string, string> | undefined,
) {
  if (refs === undefined || !url.endsWith('/git-upload-pack')) {
    return response.writeHead(404, { 'content-type': 'text/plain' }).end('Repository not found.');
  }
  response.writeHead(200, { 'content-type': 'application/x-git-upload-pack-result' });
  const lines = Array.from(refs, ([name, id]) => `${id} ${name}\n`);
  return response.end(
    [...lines.map(line => `${(line.length + 4).toString(16).padStart(4, '0')}${line}`), '0000'].join(''),
  );
}

export const alice: Caller = {
  kind: 'user',
  credentials: { kind: 'basic', user: 'alice', password: 'secret-of-alice' },
};
export const aliceByToken: Caller = { kind: 'user', credentials: { kind: 'token', token: 'secret-of-alice' } };
export const lib = { owner: 'acme', repo: 'lib' };
export const commit = parseObjectId('1'.repeat(40));
export const release = { tag: 'v1.2.3', commit, title: 'v1.2.3', text: 'go get it', isPrerelease: false };
export const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
/** A signal that a test that goes well never sees abort. */
export const soon = (): AbortSignal => AbortSignal.timeout(20_000);
