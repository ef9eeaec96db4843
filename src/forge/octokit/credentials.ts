/** Callers' credentials in the forms that a forge's API and its git endpoints take. */
import { CredentialsRefused } from '../../git/errors.ts';
import type { Caller, Credentials } from '../credentials.ts';

/** User name and password as git's endpoints take them. */
export interface BasicCredentials {
  readonly user: string;
  readonly password: string;
}

/** What stands for the caller at the forge; undefined for a caller without credentials, and where the service has no token. */
export function credentialsOf(caller: Caller, serviceToken: string | undefined): Credentials | undefined {
  if (caller.kind === 'user') return caller.credentials;
  return caller.kind === 'service' && serviceToken !== undefined ? { kind: 'token', token: serviceToken } : undefined;
}

/** A token alone as Basic: GitHub wants this very user name with an app's token; with others, and at Gitea, any will do. */
export const tokenAsBasic = (token: string): BasicCredentials => ({ user: 'x-access-token', password: token });

/** An Authorization header with a token. Throws CredentialsRefused for what no token can be and no header can hold. */
export function tokenHeader(token: string): string {
  if (!/^[\x21-\x7e]+$/.test(token)) throw new CredentialsRefused('this can not be a token of the forge');
  return `token ${token}`;
}

export const basicHeader = ({ user, password }: BasicCredentials): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
