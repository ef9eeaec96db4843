/** Real git behind HTTP: `git http-backend` over a folder of bare repositories, with every request counted. */
import { spawn } from 'node:child_process';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { listenOnLoopback } from './listen-on-loopback.ts';

export type GitService = 'git-upload-pack' | 'git-receive-pack';

/** What a request to a git server asks for. */
export interface GitTarget {
  /** As in the address, without `.git`: `acme/lib`. */
  readonly repository: string;
  /** The file of the repository: `info/refs`, `git-upload-pack` or `git-receive-pack`. */
  readonly file: 'info/refs' | GitService;
  readonly service: GitService;
  /** Without the question mark. */
  readonly query: string;
}

/** Reads the address of a request; undefined where it is not one that smart HTTP knows. */
export function parseGitTarget(address: string): GitTarget | undefined {
  const [path = '', query = ''] = address.split('?', 2);
  const [, escaped = '', file] = /^\/(.+?)(?:\.git)?\/(info\/refs|git-upload-pack|git-receive-pack)$/.exec(path) ?? [];
  const repository = decodeURIComponent(escaped);
  if (repository.split('/').some(part => part === '' || part === '..' || part === '.')) return undefined;
  const service = file === 'info/refs' ? new URLSearchParams(query).get('service') : file;
  if (service !== 'git-upload-pack' && service !== 'git-receive-pack') return undefined;
  return { repository, file: file === 'info/refs' ? file : service, service, query };
}

/** What an Authorization header holds, told apart by its form. */
export type ShownCredentials =
  | { readonly kind: 'basic'; readonly user: string; readonly password: string }
  | { readonly kind: 'other'; readonly header: string };

export function parseShownCredentials(header: string | undefined): ShownCredentials | undefined {
  if (header === undefined) return undefined;
  const [, encoded] = /^Basic (.+)$/.exec(header) ?? [];
  if (encoded === undefined) return { kind: 'other', header };
  const decoded = Buffer.from(encoded, 'base64').toString();
  const colon = decoded.indexOf(':');
  return { kind: 'basic', user: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}

export interface GitBackendOptions {
  /** The bare repository. */
  readonly gitdir: string;
  readonly target: GitTarget;
  /** Who pushes; hooks see it as REMOTE_USER. */
  readonly user?: string;
  /** More configuration than the server's own: `{ 'core.hooksPath': '…' }`. */
  readonly config?: Readonly<Record<string, string>>;
}

const serverConfig = {
  'http.receivepack': 'true',
  'receive.fsckObjects': 'true',
  'receive.autogc': 'false',
  'uploadpack.allowAnySHA1InWant': 'true',
  'uploadpack.allowFilter': 'true',
  'safe.directory': '*',
};

/** Answers one request with `git http-backend`; gives the bytes of both bodies once it is answered. A client that goes away ends it. */
export async function gitHttpBackend(
  request: IncomingMessage,
  response: ServerResponse,
  { gitdir, target, user = 'somebody', config = {} }: GitBackendOptions,
): Promise<{ requestBytes: number; responseBytes: number }> {
  const settings = Object.entries({ ...serverConfig, ...config });
  const env: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    HOME: '/nonexistent',
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_COUNT: String(settings.length),
    GIT_PROJECT_ROOT: gitdir,
    GIT_HTTP_EXPORT_ALL: '1',
    PATH_INFO: `/${target.file}`,
    QUERY_STRING: target.query,
    REQUEST_METHOD: request.method,
    CONTENT_TYPE: request.headers['content-type'] ?? '',
    REMOTE_USER: user,
    REMOTE_ADDR: '127.0.0.1',
    GIT_PROTOCOL: [request.headers['git-protocol'] ?? ''].flat().join(':'),
    HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
  };
  for (const [i, [key, value]] of settings.entries()) {
    env[`GIT_CONFIG_KEY_${i}`] = key;
    env[`GIT_CONFIG_VALUE_${i}`] = value;
  }
  const { 'content-length': contentLength } = request.headers;
  if (contentLength !== undefined) env.CONTENT_LENGTH = contentLength;

  const git = spawn('git', ['http-backend'], { env, stdio: ['pipe', 'pipe', 'ignore'] });
  response.once('close', () => git.kill());
  let requestBytes = 0;
  request.on('data', (chunk: Buffer) => {
    requestBytes += chunk.byteLength;
  });
  // Git may answer without having read all of it.
  pipeline(request, git.stdin).catch(() => request.resume());

  let head: Buffer | undefined = Buffer.alloc(0);
  let responseBytes = 0;
  const send = (bytes: Buffer) => {
    responseBytes += bytes.byteLength;
    return response.write(bytes);
  };
  for await (const chunk of git.stdout) {
    let goesOn = true;
    if (head === undefined) {
      goesOn = send(chunk);
    } else {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) continue;
      writeCgiHead(response, head.toString('latin1', 0, end));
      goesOn = send(head.subarray(end + 4));
      head = undefined;
    }
    if (!goesOn && !response.destroyed) await drained(response);
  }
  if (head !== undefined && !response.destroyed) response.writeHead(500);
  response.end();
  return { requestBytes, responseBytes };
}

/** Resolves when the response takes more, or nobody is left to take it. */
const drained = (response: ServerResponse): Promise<void> =>
  new Promise(resolve => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });

function writeCgiHead(response: ServerResponse, head: string): void {
  let status = 200;
  for (const line of head.split('\r\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1).trim();
    if (name === 'Status') status = Number.parseInt(value, 10);
    else response.setHeader(name, value);
  }
  response.writeHead(status);
}

export interface GitRequest extends GitTarget {
  readonly credentials: ShownCredentials | undefined;
}

export interface CountedRequest extends GitRequest {
  readonly method: string;
  readonly status: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

export interface GitHttpServerOptions {
  /** Holds the repositories, `{repository}.git`. */
  readonly directory: string;
  /** The status of the reply, by repository, service and credentials; 200 lets git answer. All are let in unless given. */
  readonly authorize?: (request: GitRequest) => number;
  /** Runs before git does. */
  readonly onRequest?: (request: GitRequest) => void | Promise<void>;
  readonly delayMs?: number;
  readonly config?: Readonly<Record<string, string>>;
}

export interface GitHttpServer extends AsyncDisposable {
  /** `http://127.0.0.1:{port}`; a repository is at `{url}/acme/lib.git`. */
  readonly url: string;
  /** All requests that were answered, in the order of their ends. */
  readonly requests: CountedRequest[];
}

/** Starts a server of its own on a free port. */
export async function startGitHttpServer(options: GitHttpServerOptions): Promise<GitHttpServer> {
  const { directory, authorize = () => 200, onRequest, delayMs = 0, config = {} } = options;
  const requests: CountedRequest[] = [];

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const target = parseGitTarget(request.url ?? '');
    if (target === undefined) return void response.writeHead(404).end();
    const asked = { ...target, credentials: parseShownCredentials(request.headers.authorization) };
    if (delayMs > 0) await sleep(delayMs);
    await onRequest?.(asked);
    const status = authorize(asked);
    let bytes = { requestBytes: 0, responseBytes: 0 };
    if (status === 200) {
      const user = asked.credentials?.kind === 'basic' ? asked.credentials.user : 'anonymous';
      const gitdir = join(directory, `${target.repository}.git`);
      bytes = await gitHttpBackend(request, response, { gitdir, target, user, config });
    } else {
      request.resume();
      if (status === 401) response.setHeader('WWW-Authenticate', 'Basic realm="git"');
      response.writeHead(status, { 'Content-Type': 'text/plain' }).end('not for you\n');
    }
    requests.push({ ...asked, method: request.method ?? '', status: response.statusCode, ...bytes });
  };

  const server = createServer((request, response) => {
    answer(request, response).catch(error => response.destroy(error));
  });
  return { ...(await listenOnLoopback(server)), requests };
}
