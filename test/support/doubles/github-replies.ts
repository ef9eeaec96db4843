/** How GitHub says no. */
import type { Reply } from './double-server.ts';

const documentation = 'https://docs.github.com/rest';

export function refusal(status: number, message: string, headers: Readonly<Record<string, string>> = {}): Reply {
  return { status, body: { message, documentation_url: documentation, status: String(status) }, headers };
}

export interface FieldError {
  readonly resource: string;
  readonly code: string;
  readonly field?: string;
  readonly message?: string;
}

/** 422. */
export function invalid(message: string, ...errors: readonly FieldError[]): Reply {
  return { status: 422, body: { message, ...(errors.length > 0 && { errors }), documentation_url: documentation } };
}

export const ssoHeader = (organisation: string, url: string): Record<string, string> => ({
  'X-GitHub-SSO': `required; url=${url}/orgs/${organisation}/sso?authorization_request=A1B2`,
});
