import type { Caller } from '../forge/credentials.ts';
import { CredentialsRefused } from '../git/errors.ts';

/** Passwords that say "the user name is the token"; forges take both. */
const tokenInUserName = new Set(['', 'x-oauth-basic']);

/**
 * Who asks, from the Authorization header: Basic (RFC 7617), `token X` as GitHub and Gitea take it, or `Bearer X`.
 * Throws CredentialsRefused for anything else.
 */
export function parseAuthorization(header: string | undefined): Caller {
  if (header === undefined) return { kind: 'anonymous' };
  const [, scheme = '', value = ''] = /^(\S+) +(\S+)$/.exec(header.trim()) ?? [];
  switch (scheme.toLowerCase()) {
    case 'token':
    case 'bearer':
      return { kind: 'user', credentials: { kind: 'token', token: value } };
    case 'basic': {
      const [user = '', ...rest] = Buffer.from(value, 'base64').toString().split(':');
      const password = rest.join(':');
      if (rest.length === 0 || (user === '' && password === '')) break;
      const credentials = tokenInUserName.has(password)
        ? ({ kind: 'token', token: user } as const)
        : ({ kind: 'basic', user, password } as const);
      return { kind: 'user', credentials };
    }
  }
  throw new CredentialsRefused('the Authorization header is neither Basic user:password nor "token …" nor "Bearer …"');
}
