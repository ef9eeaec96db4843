import type { Octokit } from '@octokit/rest';
import { z } from 'zod';
import { CredentialsRefused } from '../../git/errors.ts';
import type { Caller } from '../credentials.ts';
import type { Log } from '../log.ts';
import type { Call } from './client.ts';

/** Asks for one page of the list, by its number from 1 on. */
export type ListPage = (
  octokit: Octokit,
  number: number,
) => Promise<{ readonly data: unknown; readonly headers: Readonly<Record<string, unknown>> }>;

export interface ListRepositoriesOptions {
  readonly call: Call;
  readonly log: Log;
  /** An owner with more has too many repositories. */
  readonly maxPages: number;
  readonly page: ListPage;
}

/** After this time it is better to look for each repository by itself. */
const patienceMs = 5_000;

const answer = z.object({
  repositories: z.array(z.object({ full_name: z.string() })),
  link: z.string().default(''),
  /** Gitea's alone: how many there are, those that the caller may not see among them. */
  total: z.coerce.number().optional(),
});

/**
 * The names of an owner's repositories, as Forge.repositoryNames gives them. Whatever leaves a doubt makes it undefined: more pages, a
 * no, an outage, repositories of somebody else, or some that Gitea counts and does not show, be they hidden (from a job's token even its
 * own repository is) or slipped to another page by a deletion.
 */
export async function listRepositories(
  owner: string,
  caller: Caller,
  { call, log, maxPages, page }: ListRepositoriesOptions,
  signal: AbortSignal,
): Promise<ReadonlySet<string> | undefined> {
  const doing = `list the repositories of ${owner}`;
  const limit = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
  const names = new Set<string>();
  const totals: number[] = [];
  try {
    for (let number = 1; number <= maxPages; number++) {
      const found = await call({ doing, caller, signal: limit, answer, retries: 0 }, async octokit => {
        const { data, headers } = await page(octokit, number);
        return { data: { repositories: data, link: headers.link, total: headers['x-total-count'] } };
      });
      if (found.kind === 'refused') return undefined;
      const { repositories, link, total } = found.data;
      for (const { full_name } of repositories) {
        const [of, name = ''] = full_name.toLowerCase().split('/');
        if (of !== owner.toLowerCase()) return undefined;
        names.add(name);
      }
      if (total !== undefined) totals.push(total);
      if (!/rel="?next\b/.test(link)) return totals.every(total => total === names.size) ? names : undefined;
    }
  } catch (error) {
    signal.throwIfAborted();
    // Wrong credentials are refused by whatever is asked next.
    if (!(error instanceof CredentialsRefused)) log.warn({ err: error, owner }, `cannot ${doing}`);
  }
  return undefined;
}
