/**
 * The REST API of a forge through Octokit: every call has a limit on its time, carries the caller's credentials and no others, and
 * ends in an answer of the forge's own. What is no such answer (an outage, a throttle, a page of HTML) is ForgeUnavailable.
 */
import { retry } from '@octokit/plugin-retry';
import { throttling } from '@octokit/plugin-throttling';
import { Octokit } from '@octokit/rest';
import Bottleneck from 'bottleneck';
import { z } from 'zod';
import { CredentialsRefused } from '../../git/errors.ts';
import { callerKey } from '../caller-key.ts';
import type { Caller } from '../credentials.ts';
import { ForgeUnavailable } from '../errors.ts';
import type { Log } from '../log.ts';
import { followOnSameHost } from './follow-on-same-host.ts';
import { isRequestError, readRefusal, retryAfterSeconds } from './read-refusal.ts';

/** How GitHub and Gitea are reached. */
export interface HostedForgeOptions {
  /** The forge's address as people open it, `https://github.com`. */
  readonly url: string;
  /** The service's own token. */
  readonly token: string | undefined;
  /** Of created repositories. */
  readonly visibility: 'private' | 'public';
  readonly userAgent: string;
  /** How long the forge may take over one call, in milliseconds, a retry included. */
  readonly timeoutMs: number;
  readonly log: Log;
  /** In place of Node's. */
  readonly fetch?: typeof fetch;
}

export interface ClientOptions extends Pick<HostedForgeOptions, 'userAgent' | 'timeoutMs' | 'log' | 'fetch'> {
  /** Where the API begins, without a slash at the end. */
  readonly baseUrl: string;
  /** The value of the Authorization header; undefined for callers without credentials. */
  authorization(caller: Caller): string | undefined;
  /** Calls that write which the forge takes from one caller in a minute; undefined where it sets no limit. */
  readonly writesPerMinute: number | undefined;
}

/** What the forge says to a call that it understood: the data, or no and why. */
export type Answer<Data> = { readonly kind: 'done'; readonly data: Data } | Refusal;

export interface Refusal {
  readonly kind: 'refused';
  readonly status: number;
  /** The forge's own words, in one line. */
  readonly words: string;
}

export interface CallOptions<Data> {
  /** What is being done, as it reads after "cannot". */
  readonly doing: string;
  readonly caller: Caller;
  readonly signal: AbortSignal;
  /** What the answer must look like; `nothing` for an answer without a body. */
  readonly answer: z.ZodType<Data>;
  /** How often the call is repeated where the forge fails; default 1. */
  readonly retries?: number;
}

export type Call = <Data>(
  options: CallOptions<Data>,
  request: (octokit: Octokit) => Promise<{ data: unknown }>,
) => Promise<Answer<Data>>;

/** Of an answer without a body, which Octokit reads as an empty string: a page of HTML is none. */
export const nothing = z.literal(['', undefined]);

/** Statuses by which a forge says no to a call that it understood. */
const refusals = [400, 403, 404, 409, 410, 422, 423, 451];

const minuteMs = 60_000;

const ThrottledOctokit = Octokit.plugin(throttling, retry);

/** Throws CredentialsRefused where the caller's credentials are wrong, ForgeUnavailable, or the signal's reason. */
export function createCall({ baseUrl, authorization, writesPerMinute, ...options }: ClientOptions): Call {
  const { host } = new URL(baseUrl);
  const writes = new Bottleneck.Group({
    reservoir: writesPerMinute ?? null,
    reservoirRefreshAmount: writesPerMinute ?? null,
    reservoirRefreshInterval: minuteMs,
    // Nobody stands in line: what can't be sent now is given back at once.
    highWater: 0,
    strategy: Bottleneck.strategy.OVERFLOW,
  });
  const unlimited = new Bottleneck.Group();
  const quiet = { debug() {}, info() {}, error() {}, warn: (message: string) => options.log.warn({ host }, message) };

  const octokitFor = (caller: Caller, signal: AbortSignal, retries: number) => {
    const octokit = new ThrottledOctokit({
      baseUrl,
      userAgent: options.userAgent,
      log: quiet,
      request: { fetch: followOnSameHost(options.fetch ?? fetch), signal, log: quiet },
      retry: { retries, doNotRetry: [401, 405, 429, ...refusals] },
      throttle: {
        enabled: writesPerMinute !== undefined,
        id: `${host} ${callerKey(caller)}`,
        write: writes,
        notifications: unlimited,
        Bottleneck,
        // Neither is waited for: whoever asked is told when to come again.
        onRateLimit: () => undefined,
        onSecondaryRateLimit: () => undefined,
      },
    });
    const value = authorization(caller);
    octokit.hook.before('request', request => {
      if (value !== undefined) request.headers.authorization = value;
    });
    return octokit;
  };

  return async ({ doing, caller, signal, answer, retries = 1 }, request) => {
    signal.throwIfAborted();
    const limit = AbortSignal.timeout(options.timeoutMs);
    const either = AbortSignal.any([signal, limit]);
    let data: unknown;
    try {
      ({ data } = await unlessAborted(request(octokitFor(caller, either, retries)), either));
    } catch (error) {
      signal.throwIfAborted();
      if (limit.aborted) throw new ForgeUnavailable(`cannot ${doing}: ${host} took over ${options.timeoutMs / 1000} s`);
      return judge(error, { doing, caller, host });
    }
    const parsed = answer.safeParse(data);
    if (parsed.success) return { kind: 'done', data: parsed.data };
    throw new ForgeUnavailable(`cannot ${doing}: ${host} does not answer as its API says`, { cause: parsed.error });
  };
}

/** What a failed call means: the forge's no is returned, the rest thrown. */
function judge(error: unknown, { doing, caller, host }: { doing: string; caller: Caller; host: string }): Refusal {
  // Octokit's own error is not kept as the cause: it holds the request, and with it what the caller sent.
  const cause = error instanceof Error ? error.cause : undefined;
  if (error instanceof CredentialsRefused) throw error;
  if (error instanceof Bottleneck.BottleneckError) {
    const why = 'these credentials have written as much as it takes in a minute';
    throw new ForgeUnavailable(`cannot ${doing}: ${host}: ${why}`, { retryAfterSeconds: minuteMs / 1000 });
  }
  if (!isRequestError(error) || error.response === undefined) {
    const why = error instanceof Error ? error.message : 'no answer';
    throw new ForgeUnavailable(`cannot ${doing}: ${host}: ${why}`, { cause });
  }
  const { status, response } = error;
  const seconds = retryAfterSeconds(error, new Date());
  const words = readRefusal(response.data);
  if (seconds !== undefined || words === undefined) {
    const why = words ?? `answered ${status} without the JSON of its API`;
    const wait = seconds === undefined ? {} : { retryAfterSeconds: seconds };
    throw new ForgeUnavailable(`cannot ${doing}: ${host}: ${why}`, { cause, ...wait });
  }
  if (status === 401) {
    if (caller.kind === 'user') throw new CredentialsRefused(`${host} refuses the credentials: ${words}`);
    const whose = caller.kind === 'service' ? "the service's token (MODFORGE_TOKEN)" : 'callers without credentials';
    throw new ForgeUnavailable(`cannot ${doing}: ${host} refuses ${whose}: ${words}`);
  }
  if (refusals.includes(status)) return { kind: 'refused', status, words };
  throw new ForgeUnavailable(`cannot ${doing}: ${host} answered ${status}: ${words}`);
}

/** `work`, or the signal's reason as soon as it aborts; Octokit's pauses between retries do not look at signals. */
function unlessAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason);
    signal.addEventListener('abort', leave, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}
