/**
 * A request to one service of a git server: gitprotocol-http(5). Credentials go up front, as Basic, and to no other host.
 * Only git's own answers count: all else, a sign-in page or a proxy's 404 page among it, is GitUnavailable and never an absence.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { CredentialsRefused, GitUnavailable, PushRefused, RepositoryNotFound, WriteRefused } from './errors.ts';
import type { HttpPoster, PostResponse } from './http-post.ts';
import { plainText } from './plain-text.ts';

export type GitService = 'git-upload-pack' | 'git-receive-pack';

export interface GitServer {
  /** The repository's address, without credentials. */
  readonly url: URL;
  readonly credentials: { readonly user: string; readonly password: string } | undefined;
  readonly poster: HttpPoster;
  readonly userAgent: string;
  /** Without any progress. */
  readonly timeoutMs: number;
}

export interface ServiceRequest {
  readonly service: GitService;
  readonly body: Buffer | (() => AsyncIterable<Uint8Array>);
  readonly signal: AbortSignal;
}

const maxRedirects = 5;
const maxErrorBytes = 4096;

/** Gives the body of git's own answer; throws as Remote says, and what Node throws where there is no answer. */
export async function requestService(server: GitServer, request: ServiceRequest): Promise<AsyncIterable<Buffer>> {
  const { service, body, signal } = request;
  const { credentials, timeoutMs } = server;
  const headers = {
    Accept: `application/x-${service}-result`,
    'Content-Type': `application/x-${service}-request`,
    'User-Agent': server.userAgent,
    ...(service === 'git-upload-pack' && { 'Git-Protocol': 'version=2' }),
    ...(credentials && { Authorization: basic(credentials) }),
  };
  let url = new URL(server.url);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${service}`;
  for (let redirects = 0; redirects <= maxRedirects; redirects += 1) {
    const sent = Buffer.isBuffer(body) ? body : body();
    const connection = service === 'git-receive-pack' ? 'new' : 'kept';
    const response = await postAgain(server.poster, { url, headers, body: sent, connection, timeoutMs, signal });
    if (response.status === 200 && isGitAnswer(response.headers, service)) return response.body;
    const { location } = response.headers;
    const text = await readText(response);
    if (![301, 302, 307, 308].includes(response.status) || location === undefined) {
      throw refusal(server, service, response, text);
    }
    url = redirected(url, location, service);
  }
  throw new GitUnavailable(`${server.url} redirects without end`);
}

const basic = ({ user, password }: { user: string; password: string }) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

/** A kept connection may have been closed by the server just when it is used again: the request then goes over a new one. */
async function postAgain(poster: HttpPoster, request: Parameters<HttpPoster['post']>[0]): Promise<PostResponse> {
  try {
    return await poster.post(request);
  } catch (error) {
    const wasClosed = error instanceof Error && 'code' in error && ['ECONNRESET', 'EPIPE'].includes(String(error.code));
    if (!wasClosed || request.connection !== 'kept' || request.signal.aborted) throw error;
    return await poster.post({ ...request, connection: 'new' });
  }
}

function isGitAnswer(headers: IncomingHttpHeaders, service: GitService): boolean {
  const encoding = headers['content-encoding'] ?? 'identity';
  return mediaType(headers) === `application/x-${service}-result` && encoding === 'identity';
}

const mediaType = (headers: IncomingHttpHeaders): string =>
  (headers['content-type'] ?? '').split(';', 1).join().trim().toLowerCase();

/** The same service at another path of the same server; throws GitUnavailable for anything else. */
function redirected(from: URL, location: string, service: GitService): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  // To https at the default ports of both: the same server, better kept.
  const isUpgrade = from.protocol === 'http:' && to?.protocol === 'https:' && from.port === '' && to.port === '';
  if (to?.hostname !== from.hostname || (to.origin !== from.origin && !isUpgrade)) {
    const where = to === undefined ? 'nowhere' : to.origin;
    throw new GitUnavailable(`${shown(from)} redirects to ${where}; redirects are followed on the same host only`);
  }
  if (!to.pathname.endsWith(`/${service}`)) {
    throw new GitUnavailable(`${shown(from)} redirects to ${shown(to)}, where git is not; is it a page to sign in?`);
  }
  to.username = '';
  to.password = '';
  return to;
}

const shown = (url: URL): string => `${url.origin}${url.pathname}`;

/** What an answer means that is not git's. */
function refusal({ url, credentials }: GitServer, service: GitService, response: PostResponse, text: string): Error {
  const { status, headers } = response;
  const isPage = mediaType(headers) === 'text/html';
  const words = isPage ? '' : plainText(text);
  const cause = new Error(`${status} ${words}`.trim());
  const said = words === '' ? '' : `: ${words}`;
  if (status === 401) {
    if (credentials === undefined) return new RepositoryNotFound(url.href, { cause });
    return new CredentialsRefused(`the forge refuses these credentials${said}`, { cause });
  }
  const retryAfterSeconds = retryAfter(headers);
  const isThrottled = status === 429 || (status === 403 && retryAfterSeconds !== undefined);
  const isPush = service === 'git-receive-pack';
  if (!isPage && !isThrottled) {
    if (status === 404 || (status === 403 && !isPush)) return new RepositoryNotFound(url.href, { cause });
    if (status === 403) return new WriteRefused(`the forge does not let these credentials push${said}`, { cause });
    if (status === 413 && isPush) return new PushRefused(`the forge takes no push of this size${said}`, { cause });
  }
  const what = isThrottled ? 'allows no more requests for now' : `answered ${status}${isPage ? ' with a page' : ''}`;
  const wait = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  return new GitUnavailable(`the forge ${what}${said}`, { cause, ...wait });
}

/** Seconds to wait, by `Retry-After` (RFC 9110, 10.2.3) or by what GitHub says about its quota; undefined where nothing is said. */
function retryAfter(headers: IncomingHttpHeaders): number | undefined {
  const { 'retry-after': after, 'x-ratelimit-remaining': remaining, 'x-ratelimit-reset': reset } = headers;
  const until = (ms: number) => Math.min(Math.max(Math.ceil((ms - Date.now()) / 1000), 1), 3600);
  if (after !== undefined && /^\d{1,9}$/.test(after)) return Number(after);
  if (after !== undefined && !Number.isNaN(Date.parse(after))) return until(Date.parse(after));
  if (remaining !== '0') return undefined;
  return typeof reset === 'string' && /^\d+$/.test(reset) ? until(Number(reset) * 1000) : 60;
}

/** The beginning of an answer that is no git's; a fault while reading it changes nothing. */
async function readText({ body }: PostResponse): Promise<string> {
  let text = Buffer.alloc(0);
  try {
    for await (const piece of body) {
      text = Buffer.concat([text, piece]);
      if (text.byteLength > maxErrorBytes) break;
    }
  } catch {
    // The status has been told already.
  }
  return text.toString('utf8', 0, maxErrorBytes);
}
