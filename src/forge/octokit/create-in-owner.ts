import { WriteRefused } from '../../git/errors.ts';
import type { Caller } from '../credentials.ts';
import type { RepositoryName } from '../forge.ts';
import type { Answer, Call } from './client.ts';
import type { Logins } from './logins.ts';
import { checkName, type RepositoryAnswer, repositoryAnswer } from './repository-settings.ts';

/** Organisation or user, by the owner's name in lower case, as far as it is known: an account does not change from one to the other. */
export type OwnerKinds = Map<string, 'organisation' | 'user'>;

export interface CreateInOwnerOptions {
  readonly call: Call;
  readonly kinds: OwnerKinds;
  readonly logins: Logins;
  /** What the forge's call takes beside the name. */
  readonly settings: {
    readonly private: boolean;
    readonly has_issues?: boolean;
    readonly has_wiki?: boolean;
    readonly has_projects?: boolean;
  };
}

/**
 * Makes a repository in an organisation or, where the owner is the caller itself, as that user; undefined if there is one of that
 * name. A repository can be made for oneself only, so whose credentials these are is known before it is tried.
 * Throws WriteRefused, CredentialsRefused, ForgeUnavailable.
 */
export async function createInOwner(
  name: RepositoryName,
  caller: Caller,
  { call, kinds, logins, settings }: CreateInOwnerOptions,
  signal: AbortSignal,
): Promise<RepositoryAnswer | undefined> {
  const { owner, repo } = name;
  const doing = `create ${owner}/${repo}`;
  const options = { doing, caller, signal, answer: repositoryAnswer };
  const create = { name: repo, auto_init: false, ...settings };
  const kind = kinds.get(owner.toLowerCase());

  if (kind !== 'user') {
    const answer = await call(options, octokit => octokit.repos.createInOrg({ org: owner, ...create }));
    if (answer.kind === 'done' || answer.status !== 404 || kind === 'organisation') return created(answer);
  }
  const { name: user } = await logins.recall(caller, signal);
  if (user.toLowerCase() !== owner.toLowerCase()) {
    throw new WriteRefused(`cannot ${doing}: only ${owner} can, or a member if it is an organisation; this is ${user}`);
  }
  const answer = await call(options, octokit => octokit.repos.createForAuthenticatedUser(create));
  kinds.set(owner.toLowerCase(), 'user');
  return created(answer);

  function created(answer: Answer<RepositoryAnswer>): RepositoryAnswer | undefined {
    if (answer.kind === 'refused') {
      // Gitea says 409, GitHub 422.
      if (/already exists/i.test(answer.words)) return undefined;
      const hint = answer.status === 404 ? `; may these credentials create repositories in ${owner}?` : '';
      throw new WriteRefused(`cannot ${doing}: ${answer.words}${hint}`);
    }
    checkName(name, answer.data);
    return answer.data;
  }
}
