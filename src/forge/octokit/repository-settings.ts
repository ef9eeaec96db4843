import { z } from 'zod';
import { RepositoryNotFound, WriteRefused } from '../../git/errors.ts';
import type { Remote } from '../../git/remote.ts';
import type { RepositoryName } from '../forge.ts';
import type { Log } from '../log.ts';

/** What is read of a repository, in GitHub's API and in Gitea's. */
export const repositoryAnswer = z.object({
  full_name: z.string(),
  private: z.boolean(),
  has_issues: z.boolean(),
  has_wiki: z.boolean(),
  has_projects: z.boolean(),
  /** Gitea's alone. */
  has_actions: z.boolean().optional(),
});

export type RepositoryAnswer = z.infer<typeof repositoryAnswer>;

/** What is off in a repository for uploads: nobody works in it. */
export const withoutPages = { has_issues: false, has_wiki: false, has_projects: false } as const;

/** Throws WriteRefused where the forge made another name of the one asked for, or went on to a repository elsewhere. */
export function checkName({ owner, repo }: RepositoryName, { full_name: found }: RepositoryAnswer): void {
  const [foundOwner = '', foundRepo] = found.split('/');
  if (foundOwner.toLowerCase() === owner.toLowerCase() && foundRepo === repo) return;
  throw new WriteRefused(`${owner}/${repo} is called ${found} by the forge, so it can't be used for this module`);
}

/** Throws WriteRefused where the forge shows to anyone what was to be private; other settings that did not take are logged. */
export function checkSettings(
  { owner, repo }: RepositoryName,
  answer: RepositoryAnswer,
  { visibility, isNew, log }: { visibility: 'private' | 'public'; isNew: boolean; log: Log },
): void {
  const repository = `${owner}/${repo}`;
  if (visibility === 'private' && !answer.private && isNew) {
    throw new WriteRefused(`the forge made ${repository} public, and it was to be private: look at its settings`);
  }
  const isAsAsked = answer.private === (visibility === 'private');
  if (!isAsAsked) log.warn({ repository, visibility }, 'a repository is not as visible as configured');
  const left = Object.entries(answer).filter(([setting, value]) => setting in withoutPages && value === true);
  if (left.length > 0) log.warn({ repository, left: left.map(([setting]) => setting) }, 'settings could not be made');
}

/** Whether nothing was ever pushed to it, so that it may be set up. Throws WriteRefused where there is one that the caller may not see. */
export async function isEmpty({ owner, repo }: RepositoryName, remote: Remote, signal: AbortSignal): Promise<boolean> {
  try {
    return (await remote.refs({ prefixes: ['refs/'], signal })).byName.size === 0;
  } catch (error) {
    if (!(error instanceof RepositoryNotFound)) throw error;
    throw new WriteRefused(`cannot create ${owner}/${repo}: the forge says that it exists, and does not show it`, {
      cause: error,
    });
  }
}
