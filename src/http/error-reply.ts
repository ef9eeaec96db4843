/** The one table from errors to statuses. What `go` makes of them: 404 asks the next proxy, everything else ends the search. */
import { randomUUID } from 'node:crypto';
import type { ErrorRequestHandler } from 'express';
import type { Logger } from 'pino';
import { ForgeUnavailable, ReleaseRefused } from '../forge/errors.ts';
import {
  CorruptObject,
  CredentialsRefused,
  GitUnavailable,
  ObjectMissing,
  PushRefused,
  RefMoved,
  RepositoryNotFound,
  TooManyFiles,
  WriteRefused,
} from '../git/errors.ts';
import {
  CredentialsNeeded,
  DamagedRecord,
  DeleteConflict,
  HashMismatch,
  HistoryTooLong,
  InvalidUpload,
  NotAllowed,
  NotFound,
  PublishConflict,
  UnservableVersion,
} from '../registry/errors.ts';
import { SpoolFault } from '../spool/spool.ts';
import {
  BadRequest,
  BodyTooLarge,
  BodyTooSlow,
  ClientGone,
  MethodNotAllowed,
  NoSuchRoute,
  TargetTooLong,
} from './errors.ts';
import { cacheControl, commonHeaders, replyWithText } from './reply.ts';

interface ErrorReply {
  readonly status: number;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Go prints no more of an error than a few lines. */
const maxProblems = 8;

const defaultRetryAfterSeconds = 5;

/** Undefined where the error is a fault of ours, and nothing of it is told. */
export function errorReply(error: unknown): ErrorReply | undefined {
  if (!(error instanceof Error)) return undefined;
  const { message } = error;
  if (error instanceof NotFound) {
    return { status: 404, message, headers: { 'Cache-Control': cacheControl(!error.dependsOnCaller, 'max-age=5') } };
  }
  if (error instanceof NoSuchRoute) {
    return { status: 404, message, headers: { 'Cache-Control': cacheControl(true, 'max-age=5') } };
  }
  if (error instanceof CredentialsNeeded || error instanceof CredentialsRefused) {
    return { status: 401, message, headers: { 'WWW-Authenticate': 'Basic realm="modforge", charset="UTF-8"' } };
  }
  const isPolicy = error instanceof WriteRefused || error instanceof NotAllowed || error instanceof ReleaseRefused;
  if (isPolicy) return { status: 403, message };
  if (error instanceof BadRequest || error instanceof PushRefused) return { status: 400, message };
  if (error instanceof InvalidUpload) return { status: 400, message: uploadText(error) };
  if (error instanceof MethodNotAllowed) return { status: 405, message, headers: { Allow: error.allowed.join(', ') } };
  if (error instanceof BodyTooSlow) return { status: 408, message };
  if (error instanceof PublishConflict || error instanceof DeleteConflict) return { status: 409, message };
  if (error instanceof BodyTooLarge) return { status: 413, message };
  if (error instanceof TargetTooLong) return { status: 414, message };
  if (isUnservable(error)) return { status: 422, message };
  if (error instanceof GitUnavailable || error instanceof ForgeUnavailable) {
    return tryAgain(503, message, error.retryAfterSeconds);
  }
  if (error instanceof RefMoved || error instanceof RepositoryNotFound) {
    return tryAgain(503, 'the repository changed meanwhile; try again');
  }
  if (error instanceof SpoolFault) {
    return tryAgain(503, 'the disk of this registry fails; tell its operator, and try again');
  }
  if (error.name === 'TimeoutError') return tryAgain(504, 'the forge took too long; try again');
  return undefined;
}

const tryAgain = (status: number, message: string, seconds = defaultRetryAfterSeconds): ErrorReply => ({
  status,
  message,
  headers: { 'Retry-After': String(seconds) },
});

/** What people pushed and modforge will not serve, now or later. */
const isUnservable = (error: Error): boolean =>
  error instanceof UnservableVersion || error instanceof TooManyFiles || error instanceof HistoryTooLong;

/** Faults of the store's content: an operator has to look, so they are told in full. */
function contentFault(error: unknown): string | undefined {
  const isFault =
    error instanceof HashMismatch ||
    error instanceof DamagedRecord ||
    error instanceof CorruptObject ||
    error instanceof ObjectMissing;
  return isFault ? error.message : undefined;
}

function uploadText({ message, problems }: InvalidUpload): string {
  const lines = problems.slice(0, maxProblems).map(({ code, file, reason }) => {
    const line = `${code}: ${file === '' ? '' : `${file}: `}${reason}`;
    return printable(line);
  });
  const more = problems.length - lines.length;
  const count = `${problems.length} problem${problems.length === 1 ? '' : 's'}`;
  return [`${message}: ${count}`, ...lines, ...(more > 0 ? [`and ${more} more`] : [])].join('\n');
}

/** File names come from the upload: nothing of them may break a line or steer a terminal. */
const printable = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, char => `\\u{${char.codePointAt(0)?.toString(16)}}`);

/** Express's last handler: an error becomes a status and a sentence, and what is ours to mend goes to the log with an id. */
export function replyWithError(log: Logger): ErrorRequestHandler {
  return (error: unknown, request, response, _next) => {
    if (error instanceof SpoolFault) log.error({ err: error }, 'the disk failed a request');
    if (error instanceof ClientGone || request.socket.destroyed) {
      response.destroy();
      return;
    }
    if (response.headersSent) {
      log.error({ err: error }, 'a reply failed after its headers were sent');
      response.destroy();
      return;
    }
    for (const name of response.getHeaderNames()) if (name !== 'vary') response.removeHeader(name);
    response.set({ ...commonHeaders, 'Cache-Control': 'no-store' });
    const reply = errorReply(error);
    if (reply === undefined) {
      const id = randomUUID();
      log.error({ err: error, id }, 'internal error');
      replyWithText(response, 500, `${contentFault(error) ?? 'an internal error'} (error ${id})`);
      return;
    }
    if (reply.status > 500 && !(error instanceof SpoolFault)) log.warn({ err: error }, 'the forge failed a request');
    response.set(reply.headers ?? {});
    if (error instanceof InvalidUpload && request.accepts(['text/plain', 'application/json']) === 'application/json') {
      response.status(reply.status).json({ error: error.message, problems: error.problems });
      return;
    }
    replyWithText(response, reply.status, reply.message);
  };
}
