import { createHash } from 'node:crypto';

/** What `go` can ask a module for. */
export type ContentKind = 'list' | 'info' | 'mod' | 'zip';

export interface Content {
  readonly kind: ContentKind;
  readonly bytes: Buffer;
  /** A strong validator of the bytes, with its quotes. */
  readonly etag: string;
  /** When the content came to be what it is; whole seconds. */
  readonly modified: Date;
}

export function makeContent(kind: ContentKind, bytes: Buffer, modified: Date): Content {
  const etag = `"${createHash('sha256').update(bytes).digest('base64url')}"`;
  return { kind, bytes, etag, modified };
}
