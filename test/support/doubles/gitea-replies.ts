/** How Gitea says no. */
import type { Reply } from './double-server.ts';

/** `url` is the forge's address. */
export function apiError(status: number, message: string, url: string): Reply {
  return { status, body: { message, url: `${url}/api/swagger` } };
}
