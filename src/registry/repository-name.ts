/** A module path as a repository's name: reversible, in lower case only, never one that a forge reserves (row 3 of the mapping). */
import { createHash } from 'node:crypto';

const maxNameBytes = 100;
const keptBytes = 50;

/** Names and endings that GitHub or Gitea keep for themselves; their wikis and feeds live there. */
const reserved = /^\.{1,2}$|^-$|\.(git|wiki|rss|atom)$/;

/** Whether a forge would refuse or change a repository's name. */
export const isReservedName = (name: string): boolean => reserved.test(name.toLowerCase());

/** Letters, digits, `.`, `-` and single `_`: a `__` would read as an encoded `/`. */
const plainName = /^(?!.*__)[A-Za-z0-9._-]{1,100}$/;

/** Whether rows 1 and 2 of the mapping take a repository's name as it is. */
export const isPlainName = (name: string): boolean =>
  plainName.test(name) && !isReservedName(name) && !/^v[0-9]+$/.test(name);

const hexByte = (byte: number): string => `_${byte.toString(16).padStart(2, '0')}`;

function encodeByte(byte: number): string {
  const char = String.fromCharCode(byte);
  if (char === '/') return '__';
  return /[a-z0-9.-]/.test(char) ? char : hexByte(byte);
}

/**
 * The name of the repository for the module path `path`, which has no `/vN` at its end: `/` is `__`, and a byte other than
 * `a-z 0-9 - .` is `_` and two hex digits. Over 100 bytes: the first 50, cut at an escape, `_-`, and 40 hex digits of the
 * path's SHA-256.
 */
export function encodeRepositoryName(path: string): string {
  const parts = Array.from(Buffer.from(path), encodeByte);
  if (isReservedName(parts.join(''))) parts.push(hexByte(parts.pop()?.charCodeAt(0) ?? 0));
  const name = parts.join('');
  if (name.length <= maxNameBytes) return name;
  let head = '';
  for (const part of parts) {
    if (head.length + part.length > keptBytes) break;
    head += part;
  }
  return `${head}_-${createHash('sha256').update(path).digest('hex').slice(0, 40)}`;
}
