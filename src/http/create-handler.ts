/** The HTTP surface, as an Express application over the registry, and before it the replies that need neither. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import express, { type NextFunction, type Request, type Response } from 'express';
import type { Logger } from 'pino';
import type { Caller } from '../forge/credentials.ts';
import { escapePath, escapeVersion } from '../gomod/escape.ts';
import { NotFound } from '../registry/errors.ts';
import { HashAhead } from '../registry/hash-ahead.ts';
import type { PathRule } from '../registry/path-rule.ts';
import type { Published } from '../registry/publish-version.ts';
import type { UploadTarget } from '../registry/read-upload.ts';
import type { Registry } from '../registry/registry.ts';
import { replyWithError } from './error-reply.ts';
import { MethodNotAllowed, NoSuchRoute } from './errors.ts';
import { findGoImport, goImportPage } from './go-import.ts';
import { parseAuthorization } from './parse-authorization.ts';
import { parseModuleTarget, parsePackage, parsePackageTarget, parseProxyTarget, uploadTarget } from './parse-target.ts';
import type { PlainRead } from './plain-reads.ts';
import { checkDeclaredBytes, declaredBytes, readBody } from './read-body.ts';
import { ReadyReplies } from './ready-replies.ts';
import { AnswerReplies, cacheControl, commonHeaders, replyWithText } from './reply.ts';

export interface HandlerOptions {
  readonly registry: Registry;
  readonly pathRules: readonly PathRule[];
  /** How users reach it, without a slash at the end; undefined: as the request says. */
  readonly publicUrl: string | undefined;
  /** Addresses and networks whose forwarded headers are believed. */
  readonly trustProxy: readonly string[];
  readonly maxUploadBytes: number;
  /** Larger uploads are kept on the disk. */
  readonly spoolAboveBytes: number;
  /** Size of the registry's content cache, in bytes. */
  readonly cacheBytes: number;
  readonly log: Logger;
}

/** What the routes share. */
interface Context extends HandlerOptions {
  readonly ready: ReadyReplies;
}

/** Methods of what can be read. */
const reading = ['GET', 'HEAD'];

/** A client that is refused before its body is read may go on sending for this long. */
const lingerMs = 5_000;

export interface Handler {
  readonly handle: RequestListener;
  /** The whole reply to a read, in latin1, where it was made before and still stands. */
  readonly readyText: (read: PlainRead) => string | undefined;
}

export function createHandler(options: HandlerOptions): Handler {
  const { registry, cacheBytes, log } = options;
  const ready = new ReadyReplies({ registry, maxBytes: cacheBytes });
  const app = createApp({ ...options, ready });
  return {
    handle: (request, response) => {
      logWhenDone(request, response, log);
      const replies = ready.find(request);
      if (replies === undefined) app(request, response);
      else replies.for(request).send(response);
    },
    readyText: read => {
      const reply = ready.find(read)?.for(read);
      const text = reply?.text();
      if (reply && text !== undefined) logRequest(log, read, reply.status, 0);
      return text;
    },
  };
}

function createApp(context: Context): RequestListener {
  const { registry, log, trustProxy } = context;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('trust proxy', [...trustProxy]);

  app.use((request, response, next) => {
    response.set(commonHeaders);
    lingerAfterRefusal(request, response);
    next();
  });

  app.all('/healthz', (request, response) => {
    allow(request, reading);
    response.set('Cache-Control', 'no-store');
    replyWithText(response, 200, 'ok');
  });

  app.all('/readyz', async (request, response) => {
    allow(request, reading);
    await registry.checkReady(signalOf(response));
    response.set('Cache-Control', 'no-store');
    replyWithText(response, 200, 'ready');
  });

  app.use('/api/packages', (request, response) => proxy(request, response, context));
  app.use('/api/v1/packages', (request, response) => packages(request, response, context));
  app.use((request, response, next) => goGet(request, response, next, context));

  app.use((_request: Request, _response: Response, next: NextFunction) => {
    next(new NoSuchRoute('nothing here; a GOPROXY is /api/packages/{owner}/go'));
  });
  app.use(replyWithError(log));
  return app;
}

/** `/api/packages/{owner}/go/…`: uploads, and the GOPROXY protocol. Who asks is looked at before what the request says. */
async function proxy(request: Request, response: Response, context: Context): Promise<void> {
  const { registry, ready } = context;
  const signal = signalOf(response);
  const { owner, rest } = parseProxyTarget(request.originalUrl);
  const caller = parseAuthorization(request.headers.authorization);
  const checkReader = () => registry.checkReader(owner, caller, signal);
  const isUpload = rest.length === 1 && rest[0] === 'upload';
  if (request.method === 'PUT') await registry.checkBeforeUpload(owner, caller, undefined, signal);
  else if (isUpload || !reading.includes(request.method)) await checkReader();
  if (isUpload) {
    allow(request, ['PUT']);
    return upload(request, response, { owner, caller, target: undefined }, context);
  }
  const target = await parseChecked(() => parseModuleTarget(rest), checkReader);
  const { module, question } = target;
  const isZip = question.kind === 'version' && question.file === 'zip';
  allow(request, isZip ? [...reading, 'PUT'] : reading);
  if (request.method === 'PUT') {
    return upload(request, response, { owner, caller, target: uploadTarget(target) }, context);
  }
  await using answer = await registry.read({ owner, module, caller }, question, signal);
  const replies = new AnswerReplies(answer);
  ready.remember(request.originalUrl, request, replies);
  await replies.for(request).send(response);
}

/** `/api/v1/packages/{owner}/go/{name}/{version}`, as Gitea's API has it. */
async function packages(request: Request, response: Response, { registry }: HandlerOptions): Promise<void> {
  const signal = signalOf(response);
  const caller = parseAuthorization(request.headers.authorization);
  const target = parsePackageTarget(request.originalUrl);
  if (request.method !== 'DELETE') {
    const { isPublic } = await registry.checkReader(target.owner, caller, signal);
    if (!reading.includes(request.method)) throw new MethodNotAllowed(request.method, ['DELETE']);
    throw new NotFound('versions can be deleted here, not looked at', { dependsOnCaller: !isPublic });
  }
  await registry.checkBeforeUpload(target.owner, caller, undefined, signal);
  const { owner, module, version } = parsePackage(target);
  await registry.delete({ owner, module, caller }, version, signal);
  response.status(204).set('Cache-Control', 'no-store').end();
}

/** `?go-get=1`, on any path that a rule matches and no route has. */
function goGet(request: Request, response: Response, next: NextFunction, options: HandlerOptions): void {
  const isAsked = reading.includes(request.method) && request.query['go-get'] === '1';
  const found = isAsked ? findGoImport(request.hostname ?? '', request.path, options.pathRules) : undefined;
  if (found === undefined) {
    next();
    return;
  }
  const page = goImportPage(found.prefix, `${publicUrl(request, options)}${proxyPath(found.owner)}`);
  response.set('Cache-Control', cacheControl(true, 'max-age=300')).type('html').send(page);
}

/** What `parse` gives. Where it refuses, nothing else will ask who the caller is, so `checkReader` does, before the refusal is told. */
async function parseChecked<T>(parse: () => T, checkReader: () => Promise<{ readonly isPublic: boolean }>): Promise<T> {
  try {
    return parse();
  } catch (error) {
    const { isPublic } = await checkReader();
    if (!(error instanceof NoSuchRoute)) throw error;
    throw new NotFound(error.message, { dependsOnCaller: !isPublic, cause: error });
  }
}

interface UploadRequest {
  readonly owner: string;
  readonly caller: Caller;
  /** What the path says the zip is, if it says so. */
  readonly target: UploadTarget | undefined;
}

async function upload(
  request: Request,
  response: Response,
  { owner, caller, target }: UploadRequest,
  options: HandlerOptions,
): Promise<void> {
  const { registry, maxUploadBytes, spoolAboveBytes } = options;
  const signal = signalOf(response);
  // Owner and credentials were looked at already; this is about the repository, where the path says which one.
  if (target !== undefined) await registry.checkBeforeUpload(owner, caller, target, signal);
  checkDeclaredBytes(request, maxUploadBytes);
  if (request.headers.expect?.toLowerCase() === '100-continue') response.writeContinue();
  // What goes to the disk keeps this thread busy enough while it comes.
  const ahead = (declaredBytes(request) ?? 0) > spoolAboveBytes ? undefined : new HashAhead(spoolAboveBytes, signal);
  const onBytes = (bytes: Uint8Array) => ahead?.take(bytes);
  await using body = await readBody(request, { maxBytes: maxUploadBytes, spoolAboveBytes, onBytes });
  const published = await registry.publish({ owner, caller, body: body.bytes, ahead, expected: target }, signal);
  const { module, version, info } = published;
  const path = proxyPath(owner);
  response.set({
    Location: `${options.publicUrl ?? ''}${path}/${escapePath(module)}/@v/${escapeVersion(version)}.info`,
    ETag: info.etag,
    'Cache-Control': 'no-store',
  });
  replyWithText(response, 201, publishedText(published, `${publicUrl(request, options)}${path}`));
}

function publishedText({ module, version, zipHash, warnings }: Published, proxyUrl: string): string {
  const install = `GOPROXY="${proxyUrl},$(go env GOPROXY)" GONOSUMDB=${module} go get ${module}@${version}`;
  return [`${module}@${version}`, zipHash, install, ...warnings.map(warning => `warning: ${warning}`)].join('\n');
}

const proxyPath = (owner: string): string => `/api/packages/${encodeURIComponent(owner)}/go`;

/** The address under which the client reached us, for texts that people paste and for `?go-get=1`. */
function publicUrl(request: Request, { publicUrl }: HandlerOptions): string {
  const host = /^[A-Za-z0-9.:[\]-]+$/.test(request.host ?? '') ? request.host : 'localhost';
  return publicUrl ?? `${request.protocol}://${host}`;
}

function allow(request: Request, methods: readonly string[]): void {
  if (!methods.includes(request.method)) throw new MethodNotAllowed(request.method, methods);
}

/** Aborts when the client goes away before it has its answer. */
function signalOf(response: Response): AbortSignal {
  const controller = new AbortController();
  const abort = () => controller.abort();
  response.once('close', abort).once('finish', () => response.off('close', abort));
  return controller.signal;
}

function logWhenDone({ method, url }: IncomingMessage, response: ServerResponse, log: Logger): void {
  const start = performance.now();
  response.on('close', () => {
    logRequest(log, { method, url }, response.statusCode, Math.round(performance.now() - start));
  });
}

function logRequest(
  log: Logger,
  { method, url = '' }: Pick<PlainRead, 'method' | 'url'>,
  status: number,
  ms: number,
): void {
  const query = url.indexOf('?');
  const path = query === -1 ? url : url.slice(0, query);
  log.info({ method, path, status, ms }, 'request');
}

/**
 * A reply to an upload whose body was not read must reach the client, which may still be sending: the rest is thrown away for
 * some seconds before the connection is cut.
 */
function lingerAfterRefusal(request: Request, response: Response): void {
  response.once('finish', () => {
    if (request.complete) return;
    const timer = setTimeout(() => request.socket.destroy(), lingerMs);
    request.once('close', () => clearTimeout(timer));
    request.socket.once('close', () => clearTimeout(timer));
    request.resume();
  });
}
