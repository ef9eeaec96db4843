import { createHash, type Hash } from 'node:crypto';
import type { Bulk } from '../spool/slice.ts';

/** What `go` can ask a module for. */
export type ContentKind = 'list' | 'info' | 'mod' | 'zip';

export interface Content {
  readonly kind: ContentKind;
  /** A large zip is on the disk, for as long as somebody owns it. */
  readonly bytes: Bulk;
  /** A strong validator of the bytes, with its quotes. */
  readonly etag: string;
  /** When the content came to be what it is; whole seconds. */
  readonly modified: Date;
}

export function makeContent(kind: ContentKind, bytes: Buffer, modified: Date): Content {
  return { kind, bytes, etag: etagOf(createHash('sha256').update(bytes)), modified };
}

/** The validator of the bytes that `sha256` has seen. */
export const etagOf = (sha256: Hash): string => `"${sha256.digest('base64url')}"`;
