/** Answers of the registry as HTTP: types, lifetimes, conditions and ranges (RFC 9110, RFC 9111). */
import type { Request, Response } from 'express';
import type { Content, ContentKind } from '../registry/content.ts';
import type { ModuleAnswer } from '../registry/read-module.ts';

export const textType = 'text/plain; charset=utf-8';

const types: Record<ContentKind, string> = {
  list: textType,
  mod: textType,
  info: 'application/json',
  zip: 'application/zip',
};

/** A version's files never change; what a version is asked by, list and query, may change with the next publish. */
const lifetimes = { fixed: 'max-age=31536000, immutable', passing: 'max-age=10' };

export const cacheControl = (isPublic: boolean, lifetime: string): string =>
  `${isPublic ? 'public' : 'private'}, ${lifetime}`;

/** Sends the content, or as much of it as the request's conditions and range leave. */
export function replyWithContent(request: Request, response: Response, answer: ModuleAnswer): void {
  const { content, isFixed, isPublic } = answer;
  response.set({
    'Cache-Control': cacheControl(isPublic, isFixed ? lifetimes.fixed : lifetimes.passing),
    ETag: content.etag,
    // A pseudo-version names its own time, which may lie ahead; this date must not.
    'Last-Modified': new Date(Math.min(content.modified.getTime(), Date.now())).toUTCString(),
  });
  if (isUnchanged(request, answer)) {
    response.status(304).end();
    return;
  }
  // Not Express's own set(), which adds a charset to JSON.
  response.setHeader('Content-Type', types[content.kind]);
  response.setHeader('Accept-Ranges', 'bytes');
  const range = rangeOf(request, content);
  if (range === 'unsatisfiable') {
    response.set({ 'Content-Range': `bytes */${content.bytes.byteLength}`, 'Cache-Control': 'no-store' });
    response.removeHeader('Last-Modified');
    replyWithText(response, 416, `the file has ${content.bytes.byteLength} bytes`);
    return;
  }
  let bytes = content.bytes;
  if (range !== undefined) {
    bytes = bytes.subarray(range.start, range.end + 1);
    response.status(206);
    response.set('Content-Range', `bytes ${range.start}-${range.end}/${content.bytes.byteLength}`);
  }
  response.set('Content-Length', String(bytes.byteLength));
  response.end(request.method === 'HEAD' ? undefined : bytes);
}

export function replyWithText(response: Response, status: number, text: string): void {
  const body = Buffer.from(`${text}\n`);
  response.status(status).set({ 'Content-Type': textType, 'Content-Length': String(body.byteLength) });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

/** If-None-Match, else If-Modified-Since (RFC 9110, section 13.2.2). */
function isUnchanged(request: Request, { content, isFixed }: ModuleAnswer): boolean {
  const noneMatch = request.headers['if-none-match'];
  if (noneMatch !== undefined) {
    return noneMatch.trim() === '*' || entityTags(noneMatch).some(tag => tag.replace(/^W\//, '') === content.etag);
  }
  const since = Date.parse(request.headers['if-modified-since'] ?? '');
  // What can change can also change back to something older, so there the date has to be the very one that was sent.
  return isFixed ? since >= content.modified.getTime() : since === content.modified.getTime();
}

const entityTags = (header: string): string[] => header.match(/(?:W\/)?"[^"]*"/g) ?? [];

/** The one range that is asked for and may be sent alone; several at once, or of another unit, get the whole. */
function rangeOf(request: Request, content: Content): { start: number; end: number } | 'unsatisfiable' | undefined {
  if (request.method !== 'GET') return undefined;
  const ifRange = request.headers['if-range'];
  if (typeof ifRange === 'string' && ifRange !== content.etag && Date.parse(ifRange) !== content.modified.getTime()) {
    return undefined;
  }
  const ranges = request.range(content.bytes.byteLength);
  if (ranges === -1) return 'unsatisfiable';
  if (ranges === undefined || ranges === -2 || ranges.type !== 'bytes') return undefined;
  return ranges.length === 1 ? ranges[0] : undefined;
}
