import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { CredentialsRefused } from '../../git/errors.ts';
import { callerKey } from '../caller-key.ts';
import type { Caller } from '../credentials.ts';
import { ForgeUnavailable } from '../errors.ts';
import type { Login } from '../forge.ts';
import type { Call } from './client.ts';

/**
 * The login of one whose token is good and may not say whose it is: an installation of a GitHub App, a Gitea token without the scope
 * read:user. What such a caller calls itself is not believed; no user of either forge can have this name.
 */
const unknown: Login = { name: '(unknown)' };

const account = z.object({ login: z.string().min(1) });

export interface Logins {
  /** Asks at `GET /user`. Throws CredentialsRefused, ForgeUnavailable, or the signal's reason. */
  ask(caller: Caller, signal: AbortSignal): Promise<Login>;
  /** What was asked within the last minute, else as `ask`. */
  recall(caller: Caller, signal: AbortSignal): Promise<Login>;
}

/** `mayNotAsk` matches the forge's words to a token that is good, and not for this question. */
export function createLogins(call: Call, mayNotAsk: RegExp): Logins {
  const known = new LRUCache<string, Login>({ max: 10_000, ttl: 60_000 });

  const ask = async (caller: Caller, signal: AbortSignal): Promise<Login> => {
    const doing = 'ask who the caller is';
    const answer = await call({ doing, caller, signal, answer: account }, octokit => octokit.users.getAuthenticated());
    if (answer.kind === 'done') return { name: answer.data.login };
    if (answer.status === 403 && mayNotAsk.test(answer.words)) return unknown;
    if (answer.status === 403) throw new CredentialsRefused(`the forge refuses the credentials: ${answer.words}`);
    throw new ForgeUnavailable(`cannot ${doing}: the forge answered ${answer.status}: ${answer.words}`);
  };

  const askAndRemember = async (caller: Caller, signal: AbortSignal): Promise<Login> => {
    const login = await ask(caller, signal);
    known.set(callerKey(caller), login);
    return login;
  };

  return {
    ask: askAndRemember,
    recall: async (caller, signal) => known.get(callerKey(caller)) ?? (await askAndRemember(caller, signal)),
  };
}
