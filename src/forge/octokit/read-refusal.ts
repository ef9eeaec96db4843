/** What a forge's error answers say: its words, and whether it wants to be left alone for a while. */
import { z } from 'zod';

/** The part of Octokit's RequestError that is read here. */
export interface RequestFailure extends Error {
  readonly status: number;
  readonly response?: { readonly headers: Readonly<Record<string, unknown>>; readonly data: unknown };
}

export const isRequestError = (error: unknown): error is RequestFailure =>
  error instanceof Error && 'status' in error && typeof error.status === 'number';

const problem = z.union([
  z.string(),
  z.object({ message: z.string() }).transform(({ message }) => message),
  z.object({ field: z.string(), code: z.string() }).transform(({ field, code }) => `${field} ${code}`),
]);

const refusal = z.object({ message: z.string(), errors: z.array(problem).nullish().catch(undefined) });

/** The words of an error in the forge's JSON, in one line; undefined for anything else, as a proxy's page. */
export function readRefusal(data: unknown): string | undefined {
  const parsed = refusal.safeParse(data);
  if (!parsed.success) return undefined;
  const { message, errors } = parsed.data;
  const words = [message, ...(errors ?? [])].join(': ');
  return words.replace(/\s+/g, ' ').slice(0, 500);
}

/** GitHub asks for a minute where it does not say how long ("Rate limits for the REST API"). */
const throttledSeconds = 60;

/** In how many seconds a throttled call may be tried again; undefined for a call that was not throttled. GitHub throttles with 403. */
export function retryAfterSeconds({ status, message, response }: RequestFailure, now: Date): number | undefined {
  const headers = response?.headers ?? {};
  const retryAfter = headers['retry-after'];
  const isSpent = headers['x-ratelimit-remaining'] === '0';
  const isThrottled =
    status === 429 ||
    (status === 403 && (retryAfter !== undefined || isSpent || /\brate limit\b/i.test(message))) ||
    (status >= 500 && retryAfter !== undefined);
  if (!isThrottled) return undefined;
  const until = isSpent ? Number(headers['x-ratelimit-reset']) - now.getTime() / 1000 : throttledSeconds;
  const seconds = /^\d+$/.test(String(retryAfter)) ? Number(retryAfter) : until;
  return Number.isFinite(seconds) ? Math.max(1, Math.ceil(seconds)) : throttledSeconds;
}
