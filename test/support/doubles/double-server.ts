/** The server of a double: REST by a table of operations, git by the real `git http-backend`, each reply recorded and held to the schema. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type GitTarget, gitHttpBackend, parseGitTarget } from '../git-http-server.ts';
import { listenOnLoopback } from '../listen-on-loopback.ts';
import type { Caller } from './accounts.ts';
import type { SchemaCheck } from './check-schema.ts';
import { type Fault, type Faults, type LoggedRequest, makeFaults, type RequestKind } from './faults.ts';

export interface Reply {
  readonly status: number;
  /** Sent as JSON, but for a string. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Thrown by an operation that ends early. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly reply: Reply;
  constructor(reply: Reply) {
    super(`answered ${reply.status}`);
    this.reply = reply;
  }
}

export type Body = Readonly<Record<string, unknown>>;

export interface Call {
  readonly request: IncomingMessage;
  readonly method: string;
  /** Below the base of the API, without the query. */
  readonly path: string;
  /** By the names in the operation's template, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: Body;
  readonly caller: Caller;
}

/** By operation, as the forge's description names it: `GET /repos/{owner}/{repo}`. */
export type Operations = Readonly<Record<string, (call: Call) => Reply | Promise<Reply>>>;

/** Lets git answer, as `user`, with more configuration; `afterPush` runs before the reply to a push ends. */
export interface GitGrant {
  readonly gitdir: string;
  readonly user: string;
  readonly config: Readonly<Record<string, string>>;
  readonly afterPush: () => Promise<void>;
}

export interface DoubleServerOptions {
  /** Below which REST lies: `/api/v1`, or '' where it lies at the root. */
  readonly basePath: string;
  readonly schema: SchemaCheck;
  readonly operations: Operations;
  /** Parameters that may hold slashes, by name. */
  readonly slashedParams: readonly string[];
  /** Throws a Refusal for bad credentials. */
  readonly identify: (header: string | undefined, kind: RequestKind) => Caller;
  /** Answers in place of the forge, before anything else, or changes what is asked. */
  readonly gate?: (request: IncomingMessage, kind: RequestKind) => Reply | undefined;
  /** A path that stands for another one. */
  readonly rewritePath?: (path: string) => string;
  readonly notFound: (path: string) => Reply;
  /** Sees every reply of REST before it is sent. */
  readonly finishRest: (reply: Reply, call: { request: IncomingMessage; caller: Caller | undefined }) => Reply;
  readonly authorizeGit: (target: GitTarget, caller: Caller) => GitGrant | Reply | Promise<GitGrant | Reply>;
}

export interface DoubleServer extends AsyncDisposable {
  readonly port: number;
  readonly log: LoggedRequest[];
  readonly faults: Faults;
  /** What requests and replies have had against the forge's schema. */
  readonly violations: string[];
}

interface Route {
  readonly operation: string;
  readonly pattern: RegExp;
  readonly run: Operations[string];
}

export async function startDoubleServer(options: DoubleServerOptions): Promise<DoubleServer> {
  const {
    basePath,
    schema,
    operations,
    slashedParams,
    identify,
    gate,
    rewritePath,
    notFound,
    finishRest,
    authorizeGit,
  } = options;
  const log: LoggedRequest[] = [];
  const violations: string[] = [];
  const faults = makeFaults();
  const routes = Object.entries(operations).map(([operation, run]): Route => {
    if (!schema.knows(operation)) violations.push(`${operation}: not in the forge's description`);
    return { operation, pattern: patternOf(operation, slashedParams), run };
  });

  const callOperation = async (request: IncomingMessage, entry: LoggedRequest): Promise<Reply> => {
    const url = new URL(request.url ?? '/', 'http://double');
    const method = request.method ?? 'GET';
    const asked = url.pathname.startsWith(`${basePath}/`) ? url.pathname.slice(basePath.length) : undefined;
    const bytes = await readAll(request);
    const path = asked === undefined ? undefined : (rewritePath?.(asked) ?? asked);
    const found = path === undefined ? undefined : findRoute(routes, method, path);
    let caller: Caller | undefined;
    let body: Body = {};
    let reply: Reply;
    try {
      body = parseBody(bytes);
      caller = identify(request.headers.authorization, 'rest');
      reply =
        found === undefined || path === undefined
          ? notFound(url.pathname)
          : await found.route.run({
              request,
              method,
              path,
              params: found.params,
              query: url.searchParams,
              body,
              caller,
            });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      reply = error.reply;
    }
    if (found !== undefined) {
      const { operation } = found.route;
      entry.operation = operation;
      const exchange = {
        operation,
        query: url.searchParams,
        requestBody: body,
        status: reply.status,
        replyBody: reply.body,
      };
      violations.push(...schema.check(exchange));
    }
    return finishRest(reply, { request, caller });
  };

  const answerGit = async (
    target: GitTarget,
    request: IncomingMessage,
    response: ServerResponse,
    entry: LoggedRequest,
  ): Promise<void> => {
    let grant: GitGrant | Reply;
    try {
      grant = await authorizeGit(target, identify(request.headers.authorization, 'git'));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      grant = error.reply;
    }
    if ('status' in grant) {
      request.resume();
      return send(response, grant);
    }
    const { gitdir, user, config, afterPush } = grant;
    if (target.file === 'git-receive-pack') endAfter(response, afterPush);
    const { responseBytes } = await gitHttpBackend(request, response, { gitdir, target, user, config });
    entry.responseBytes = responseBytes;
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url ?? '/';
    const target = parseGitTarget(path);
    const kind = target === undefined ? 'rest' : 'git';
    const scheme = request.headers.authorization?.split(' ')[0]?.toLowerCase();
    const operation = target?.service;
    const entry: LoggedRequest = {
      kind,
      method: request.method ?? '',
      path,
      scheme,
      get status() {
        return response.headersSent ? response.statusCode : undefined;
      },
      operation,
      responseBytes: 0,
    };
    log.push(entry);
    const due = faults.next(kind);
    if (await meet(due, 'before', response)) return;
    const isLost = due.some(({ when, mishap }) => when === 'after' && typeof mishap !== 'function');
    const unmute = isLost ? mute(response) : undefined;
    const gated = gate?.(request, kind);
    if (gated !== undefined) {
      request.resume();
      send(response, gated);
    } else if (target === undefined) {
      send(response, await callOperation(request, entry));
    } else {
      await answerGit(target, request, response, entry);
    }
    await unmute?.();
    await meet(due, 'after', response);
  };

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      // A client that went away is its own affair.
      if (!request.destroyed || request.complete)
        violations.push(`the double itself failed at ${request.method} ${request.url}: ${String(error)}`);
      response.destroy();
    });
  });
  return { ...(await listenOnLoopback(server)), log, faults, violations };
}

function patternOf(operation: string, slashed: readonly string[]): RegExp {
  const pattern = operation.replace(
    /\{(\w+)\}/g,
    (_, name: string) => `(?<${name}>${slashed.includes(name) ? '.+' : '[^/]+'})`,
  );
  return new RegExp(`^${pattern}$`);
}

function findRoute(routes: readonly Route[], method: string, path: string) {
  for (const route of routes) {
    const match = route.pattern.exec(`${method} ${path}`);
    if (match === null) continue;
    const params = Object.entries(match.groups ?? {}).map(
      ([name, value]) => [name, decodeURIComponent(value)] as const,
    );
    return { route, params: Object.fromEntries(params) };
  }
  return undefined;
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function parseBody(bytes: Buffer): Body {
  if (bytes.byteLength === 0) return {};
  try {
    const value: unknown = JSON.parse(bytes.toString());
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // Answered below.
  }
  throw new Refusal({ status: 400, body: { message: 'Problems parsing JSON' } });
}

function send(response: ServerResponse, { status, body, headers = {} }: Reply): void {
  if (response.destroyed) return;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  const isText = typeof body === 'string';
  if (body !== undefined && !response.hasHeader('Content-Type')) {
    response.setHeader('Content-Type', `${isText ? 'text/plain' : 'application/json'}; charset=utf-8`);
  }
  response.writeHead(status);
  response.end(body === undefined ? undefined : isText ? body : JSON.stringify(body));
}

/** Whether a mishap has taken the reply's place. */
async function meet(due: readonly Fault[], when: Fault['when'], response: ServerResponse): Promise<boolean> {
  let isTaken = false;
  for (const { mishap } of due.filter(fault => fault.when === when)) {
    if (typeof mishap === 'function') {
      await mishap();
    } else {
      isTaken = true;
      if (mishap === 'cut') response.destroy();
      else if (mishap !== 'hang') send(response, mishap);
    }
  }
  return isTaken;
}

/** Nothing that is answered from now on leaves the house, until the function that comes back is called. */
function mute(response: ServerResponse): () => Promise<void> {
  let settle = () => {};
  const ended = new Promise<void>(resolve => {
    settle = resolve;
  });
  const end = () => {
    settle();
    return response;
  };
  const silent = { write: () => true, writeHead: () => response, setHeader: () => response, end };
  Object.assign(response, silent);
  return async () => {
    await ended;
    for (const name of Object.keys(silent)) Reflect.deleteProperty(response, name);
  };
}

/** The reply ends once `work` is done: what comes next finds it done. */
function endAfter(response: ServerResponse, work: () => Promise<void>): void {
  const end = response.end.bind(response);
  const endLater = () => {
    work().then(
      () => end(),
      (error: unknown) => response.destroy(error instanceof Error ? error : new Error(String(error))),
    );
    return response;
  };
  Object.assign(response, { end: endLater });
}
