/**
 * Replies that were made for an earlier request, and would be the same if they were made for this one: it needs no routing, no parsing
 * and no look at the registry's caches. The registry says how long an answer stands, and credentials are part of what is asked.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { LRUCache } from 'lru-cache';
import { keyedHash } from '../forge/caller-key.ts';
import type { Registry } from '../registry/registry.ts';
import { isPlain, type PlainRead } from './plain-reads.ts';
import type { AnswerReplies } from './reply.ts';

/** What an entry costs beside its content: key, headers, a small content once more as text. */
const entryBytes = 4096;

export interface ReadyRepliesOptions {
  readonly registry: Registry;
  /** Most bytes of all contents that have replies here. */
  readonly maxBytes: number;
}

export class ReadyReplies {
  readonly #registry: Registry;
  readonly #replies: LRUCache<string, AnswerReplies>;

  constructor({ registry, maxBytes }: ReadyRepliesOptions) {
    this.#registry = registry;
    this.#replies = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: ({ answer }) => answer.content.bytes.byteLength + entryBytes,
      // What is of no use any more must not hold content that other caches have dropped.
      ttlAutopurge: true,
      ttlResolution: 0,
    });
  }

  /** What may be replied to a request, as it came, without asking anyone. */
  find(request: PlainRead): AnswerReplies | undefined {
    if ((request.method !== 'GET' && request.method !== 'HEAD') || !isPlain(request.headers)) return undefined;
    const replies = this.#replies.get(keyOf(request.url ?? '', request));
    return replies && this.#registry.isFresh(replies.answer) ? replies : undefined;
  }

  /** Keeps the replies to whoever asks for `target` with this request's credentials, for as long as the registry stands by their answer. */
  remember(target: string, request: PlainRead, replies: AnswerReplies): void {
    // What is on the disk has an owner for each reply, and is large enough not to need this.
    if (!Buffer.isBuffer(replies.answer.content.bytes)) return;
    const ttl = replies.answer.freshness.until - performance.now();
    if (ttl > 0) this.#replies.set(keyOf(target, request), replies, { ttl });
  }
}

/** Requests with the same headers object have the same caller. */
const callers = new WeakMap<IncomingHttpHeaders, string>();

/** A target holds no space, so nobody's key is that of another one. */
function keyOf(target: string, { headers }: PlainRead): string {
  if (headers.authorization === undefined) return target;
  const caller = callers.get(headers) ?? keyedHash(headers.authorization);
  callers.set(headers, caller);
  return `${target} ${caller}`;
}
