/** Answers of the registry as HTTP: types, lifetimes, conditions and ranges (RFC 9110, RFC 9111). */
import type { ServerResponse } from 'node:http';
import type { Response } from 'express';
import type { ContentKind } from '../registry/content.ts';
import type { ModuleAnswer } from '../registry/read-module.ts';
import { type Slice, sliceBytes, sliceOf, subslice } from '../spool/slice.ts';
import { type ByteRange, parseRange } from './parse-range.ts';
import type { PlainRead } from './plain-reads.ts';
import { PreparedReply } from './prepared-reply.ts';
import { StreamedReply } from './streamed-reply.ts';

export const textType = 'text/plain; charset=utf-8';

const types: Record<ContentKind, string> = {
  list: textType,
  mod: textType,
  info: 'application/json',
  zip: 'application/zip',
};

/** Headers of whatever is answered. */
export const commonHeaders = { Vary: 'Authorization', 'X-Content-Type-Options': 'nosniff' };

/** A version's files never change; what a version is asked by, list and query, may change with the next publish. */
const lifetimes = { fixed: 'max-age=31536000, immutable', passing: 'max-age=10' };

export const cacheControl = (isPublic: boolean, lifetime: string): string =>
  `${isPublic ? 'public' : 'private'}, ${lifetime}`;

export interface Reply {
  readonly status: number;
  /** All of it, in latin1, where it is known and short. */
  text(): string | undefined;
  /** Resolves when nothing of the content is needed any more. */
  send(response: ServerResponse): void | Promise<void>;
}

function replyWith(status: number, headers: Readonly<Record<string, string>>, body: Slice): Reply {
  const ofBody = { ...headers, 'Content-Length': String(sliceBytes(body)) };
  const { bulk, start, end } = body;
  return Buffer.isBuffer(bulk)
    ? new PreparedReply(status, ofBody, bulk.subarray(start, end))
    : new StreamedReply(status, ofBody, body);
}

/** All that can be replied with one answer: the whole, nothing but its headers, that it is unchanged, or a part of it. */
export class AnswerReplies {
  readonly answer: ModuleAnswer;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #unchanged: PreparedReply;
  readonly #whole: Reply;
  readonly #head: PreparedReply;

  constructor(answer: ModuleAnswer) {
    const { content, isFixed, isPublic } = answer;
    const validators = {
      ...commonHeaders,
      'Cache-Control': cacheControl(isPublic, isFixed ? lifetimes.fixed : lifetimes.passing),
      ETag: content.etag,
      // A pseudo-version names its own time, which may lie ahead; this date must not.
      'Last-Modified': new Date(Math.min(content.modified.getTime(), Date.now())).toUTCString(),
    };
    this.answer = answer;
    this.#headers = { ...validators, 'Content-Type': types[content.kind], 'Accept-Ranges': 'bytes' };
    this.#unchanged = new PreparedReply(304, validators);
    this.#whole = replyWith(200, this.#headers, sliceOf(content.bytes));
    this.#head = new PreparedReply(200, { ...this.#headers, 'Content-Length': String(content.bytes.byteLength) });
  }

  /** The content, or as much of it as the request's conditions and range leave. */
  for(request: PlainRead): Reply {
    if (isUnchanged(request, this.answer)) return this.#unchanged;
    if (request.method === 'HEAD') return this.#head;
    const range = rangeOf(request, this.answer);
    if (range === undefined) return this.#whole;
    return range === 'unsatisfiable' ? this.#unsatisfiable() : this.#part(range);
  }

  #part({ start, end }: ByteRange): Reply {
    const { bytes } = this.answer.content;
    const headers = { ...this.#headers, 'Content-Range': `bytes ${start}-${end}/${bytes.byteLength}` };
    return replyWith(206, headers, subslice(sliceOf(bytes), start, end + 1));
  }

  #unsatisfiable(): PreparedReply {
    const { 'Last-Modified': _, ...headers } = this.#headers;
    const size = this.answer.content.bytes.byteLength;
    const text = Buffer.from(`the file has ${size} bytes\n`);
    const ofText = {
      ...headers,
      'Content-Range': `bytes */${size}`,
      'Cache-Control': 'no-store',
      'Content-Type': textType,
      'Content-Length': String(text.byteLength),
    };
    return new PreparedReply(416, ofText, text);
  }
}

export function replyWithText(response: Response, status: number, text: string): void {
  const body = Buffer.from(`${text}\n`);
  response.status(status).set({ 'Content-Type': textType, 'Content-Length': String(body.byteLength) });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

/** If-None-Match, else If-Modified-Since (RFC 9110, section 13.2.2). */
function isUnchanged({ headers }: PlainRead, answer: ModuleAnswer): boolean {
  const { content, isFixed } = answer;
  const noneMatch = headers['if-none-match'];
  // With its quotes the tag is found nowhere but in itself, in a list or behind a `W/`.
  if (noneMatch !== undefined) return noneMatch.trim() === '*' || noneMatch.includes(content.etag);
  const modifiedSince = headers['if-modified-since'];
  if (modifiedSince === undefined) return false;
  const since = Date.parse(modifiedSince);
  return isFixed ? since >= content.modified.getTime() : isOfDate(answer, since);
}

/**
 * Whether this is what had the date. A list can change back to something older, so the date has to be the very one that was sent. Any
 * other answer that can change has the date of its commit, which may get another version's name.
 */
const isOfDate = ({ content, isFixed }: ModuleAnswer, date: number): boolean =>
  (isFixed || content.kind === 'list') && date === content.modified.getTime();

/** The one range that is asked for and may be sent alone; several at once, or of another unit, get the whole. */
function rangeOf({ headers }: PlainRead, answer: ModuleAnswer): ReturnType<typeof parseRange> {
  const { range, 'if-range': ifRange } = headers;
  const { etag, bytes } = answer.content;
  if (range === undefined) return undefined;
  const isOther = typeof ifRange === 'string' && ifRange !== etag && !isOfDate(answer, Date.parse(ifRange));
  return isOther ? undefined : parseRange(range, bytes.byteLength);
}
