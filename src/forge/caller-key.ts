import { createHmac, randomBytes } from 'node:crypto';
import type { Caller } from './credentials.ts';

const processKey = randomBytes(32);

/** A name for a caller in cache keys: a keyed hash, worthless outside this process, so that no secret is kept. */
export function callerKey(caller: Caller): string {
  if (caller.kind !== 'user') return caller.kind;
  const { credentials } = caller;
  const secret = credentials.kind === 'basic' ? [credentials.user, credentials.password] : [credentials.token];
  return createHmac('sha256', processKey)
    .update(JSON.stringify([credentials.kind, ...secret]))
    .digest('base64url');
}
