/**
 * GitHub, on github.com and as GitHub Enterprise, as a forge. What is its own, beside Gitea's ways in `../gitea/gitea-forge.ts`:
 *
 * - The API knows tokens only, so a Basic password is one; git's endpoints want it with the user name x-access-token.
 * - A repository is created with all settings but Actions, which have a resource of their own.
 * - A release needs its commit as target, also where the tag exists, and makes the tag where it does not.
 * - A release is deleted by its id. An immutable one holds its tag for ever.
 * - The quota is counted, and told with 403.
 */
import { z } from 'zod';
import { WriteRefused } from '../../git/errors.ts';
import { createRefusedFilters } from '../../git/fetch-filter.ts';
import { createHttpPoster } from '../../git/http-post.ts';
import type { Remote } from '../../git/remote.ts';
import { createSmartHttpRemote } from '../../git/smart-http-remote.ts';
import type { Caller, Credentials } from '../credentials.ts';
import { ForgeUnavailable, ReleaseRefused } from '../errors.ts';
import type { Forge, RepositoryName } from '../forge.ts';
import { createCall, type HostedForgeOptions, nothing, type Refusal } from '../octokit/client.ts';
import { createInOwner, type OwnerKinds } from '../octokit/create-in-owner.ts';
import { credentialsOf, tokenAsBasic, tokenHeader } from '../octokit/credentials.ts';
import { parseForgeAddress } from '../octokit/forge-address.ts';
import { type ListPage, listRepositories } from '../octokit/list-repositories.ts';
import { createLogins } from '../octokit/logins.ts';
import { makeRelease, type ReleaseOutcome } from '../octokit/make-release.ts';
import { checkName, checkSettings, isEmpty, repositoryAnswer, withoutPages } from '../octokit/repository-settings.ts';
import { serviceRemote } from '../octokit/service-remote.ts';

/** "GitHub blocks files larger than 100 MiB" (docs.github.com, "About large files on GitHub"). */
const maxFileBytes = 100 * 1024 * 1024;

/** "No more than 80 content-generating requests per minute" (docs.github.com, "Rate limits for the REST API"). */
const writesPerMinute = 80;

/** "The number of results per page (max 100)", says each list's documentation. */
const largestPage = 100;

/** Tokens of GitHub Apps; nobody says whether their lists are whole, internal repositories among them. */
const appToken = /^gh[su]_/;

/** What an installation of an App, or a fine-grained token, is told that may not ask for its user. */
const mayNotAskLogin = /not accessible by (integration|personal access token)/i;

const meta = z.object({ verifiable_password_authentication: z.boolean(), installed_version: z.string().optional() });
const account = z.object({ type: z.string() });
const actionsPermissions = z.object({ enabled: z.boolean() });
const release = z.object({ id: z.number(), immutable: z.boolean().optional() });

export function createGithubForge(options: HostedForgeOptions): Forge {
  const { token, visibility, log } = options;
  const { url, host } = parseForgeAddress(options.url);
  const tokenOf = (caller: Caller): string | undefined => {
    const credentials = credentialsOf(caller, token);
    return credentials?.kind === 'basic' ? credentials.password : credentials?.token;
  };
  const authorization = (caller: Caller) => {
    const value = tokenOf(caller);
    return value === undefined ? undefined : tokenHeader(value);
  };
  const call = createCall({ ...options, baseUrl: apiUrl(url), authorization, writesPerMinute });
  const logins = createLogins(call, mayNotAskLogin);
  const poster = createHttpPoster();
  const refusedFilters = createRefusedFilters();
  const kinds: OwnerKinds = new Map();
  const self: Caller = { kind: token === undefined ? 'anonymous' : 'service' };

  const remote = (name: RepositoryName, caller: Caller): Remote => {
    const value = tokenOf(caller);
    const made = createSmartHttpRemote({
      poster,
      refusedFilters,
      userAgent: options.userAgent,
      timeoutMs: options.timeoutMs,
      url: `${url}/${name.owner}/${name.repo}.git`,
      credentials: value === undefined ? undefined : tokenAsBasic(value),
    });
    return caller.kind === 'service' ? serviceRemote(made) : made;
  };

  /** Whether Actions run in it, after they were switched off if `isOurs`. */
  const runsActions = async (name: RepositoryName, caller: Caller, isOurs: boolean, signal: AbortSignal) => {
    const repository = `${name.owner}/${name.repo}`;
    const doing = `switch off the Actions of ${repository}`;
    if (isOurs) {
      const set = await call({ doing, caller, signal, answer: nothing }, octokit =>
        octokit.actions.setGithubActionsPermissionsRepository({ ...name, enabled: false }),
      );
      if (set.kind === 'refused') log.warn({ repository, words: set.words }, 'Actions could not be switched off');
    }
    const read = await call({ doing, caller, signal, answer: actionsPermissions }, octokit =>
      octokit.actions.getGithubActionsPermissionsRepository({ ...name }),
    );
    return read.kind === 'refused' || read.data.enabled;
  };

  return {
    host,
    foldsTagCase: false,
    maxFileBytes,
    releaseRevivesTag: true,

    async describe(owners, signal) {
      const doing = `reach GitHub at ${url} (MODFORGE_FORGE_URL)`;
      const answer = await call({ doing, caller: self, signal, answer: meta }, octokit => octokit.meta.get());
      if (answer.kind === 'refused') throw new ForgeUnavailable(`cannot ${doing}: ${answer.words}`);
      await Promise.all(owners.map(owner => findOwner(owner, signal)));
      const version = answer.data.installed_version;
      return version === undefined ? `GitHub at ${url}` : `GitHub Enterprise Server ${version} at ${url}`;
    },

    // Asking for the quota does not count against it; GitHub Enterprise without quotas answers 404, which is an answer too.
    async checkReady(signal) {
      const options = { doing: `reach GitHub at ${url}`, caller: self, signal, answer: z.object({}) };
      await call(options, octokit => octokit.rateLimit.get());
    },

    authenticate: (credentials: Credentials, signal) => logins.ask({ kind: 'user', credentials }, signal),

    remote,

    async repositoryNames(owner, caller, signal) {
      const isUser = kinds.get(owner.toLowerCase()) === 'user';
      const list = (asker: Caller, page: ListPage) =>
        listRepositories(owner, asker, { call, log, maxPages: 1, page }, signal);
      if (caller.kind === 'anonymous') {
        // As the service, and only what anyone sees: without credentials GitHub takes 60 calls an hour.
        if (token === undefined) return undefined;
        return list(self, octokit =>
          isUser
            ? octokit.repos.listForUser({ username: owner, type: 'owner', per_page: largestPage })
            : octokit.repos.listForOrg({ org: owner, type: 'public', per_page: largestPage }),
        );
      }
      const value = tokenOf(caller);
      if (value === undefined || appToken.test(value)) return undefined;
      if (!isUser) {
        return list(caller, octokit => octokit.repos.listForOrg({ org: owner, type: 'all', per_page: largestPage }));
      }
      // Private repositories of a user are listed to that user alone, as their own; whose an empty list is can't be seen.
      const own = await list(caller, octokit =>
        octokit.repos.listForAuthenticatedUser({ affiliation: 'owner', per_page: largestPage }),
      );
      return own?.size === 0 ? undefined : own;
    },

    async createRepository(name, caller, signal) {
      const repository = `${name.owner}/${name.repo}`;
      if (caller.kind === 'anonymous') throw new WriteRefused(`cannot create ${repository} without credentials`);
      const settings = { private: visibility === 'private', ...withoutPages };
      const created = await createInOwner(name, caller, { call, kinds, logins, settings }, signal);
      if (created !== undefined) {
        checkSettings(name, created, { visibility, isNew: true, log });
      } else {
        if (!(await isEmpty(name, remote(name, caller), signal))) {
          return { isNew: false, runsActions: await runsActions(name, caller, false, signal) };
        }
        await completeSettings(name, caller, signal);
      }
      return { isNew: created !== undefined, runsActions: await runsActions(name, caller, true, signal) };
    },

    createRelease: (name, { tag, commit, title, text, isPrerelease }, caller, signal) => {
      const options = { doing: `make the release ${tag}`, caller, signal, answer: release, retries: 0 };
      // `legacy`: which release is the latest goes by version, not by which was published last.
      const parameters = { tag_name: tag, target_commitish: commit, name: title, body: text, prerelease: isPrerelease };
      const attempt = () =>
        call(options, octokit => octokit.repos.createRelease({ ...name, ...parameters, make_latest: 'legacy' }));
      return makeRelease({ ...name, tag, commit }, { remote: remote(name, caller), attempt, outcome, signal });
    },

    async deleteRelease(name, tag, caller, signal) {
      const doing = `delete the release ${tag} of ${name.owner}/${name.repo}`;
      const found = await call({ doing, caller, signal, answer: release }, octokit =>
        octokit.repos.getReleaseByTag({ ...name, tag }),
      );
      if (found.kind === 'refused') return checkDeleted(found, doing);
      if (found.data.immutable === true) {
        throw new ReleaseRefused(`cannot ${doing}: it is immutable at GitHub, and its tag stays as long as it does`);
      }
      const deleted = await call({ doing, caller, signal, answer: nothing }, octokit =>
        octokit.repos.deleteRelease({ ...name, release_id: found.data.id }),
      );
      if (deleted.kind === 'refused') checkDeleted(deleted, doing);
    },
  };

  async function findOwner(owner: string, signal: AbortSignal): Promise<void> {
    const doing = `find the owner ${owner} (MODFORGE_OWNERS) at ${url}`;
    const answer = await call({ doing, caller: self, signal, answer: account }, octokit =>
      octokit.users.getByUsername({ username: owner }),
    );
    if (answer.kind === 'refused') throw new ForgeUnavailable(`cannot ${doing}: ${answer.words}`);
    kinds.set(owner.toLowerCase(), answer.data.type === 'Organization' ? 'organisation' : 'user');
  }

  /** Of an empty repository that is there already: who may write to it but not set it up publishes all the same. */
  async function completeSettings(name: RepositoryName, caller: Caller, signal: AbortSignal): Promise<void> {
    const repository = `${name.owner}/${name.repo}`;
    const options = { doing: `set up ${repository}`, caller, signal, answer: repositoryAnswer };
    const answer = await call(options, octokit => octokit.repos.update({ ...name, ...withoutPages }));
    if (answer.kind === 'refused') {
      log.warn({ repository, words: answer.words }, 'settings could not be made');
      return;
    }
    checkName(name, answer.data);
    checkSettings(name, answer.data, { visibility, isNew: false, log });
  }
}

/** Where the API is: a host of its own for github.com and ghe.com, a path of a GitHub Enterprise Server. */
function apiUrl(url: string): string {
  const { protocol, host } = new URL(url);
  return host === 'github.com' || host.endsWith('.ghe.com') ? `${protocol}//api.${host}` : `${url}/api/v3`;
}

/** REST lags behind a push: the repository is not found, or seems empty, or does not know the commit. */
function outcome({ status, words }: Refusal): ReleaseOutcome {
  if (status === 422 && /immutable/i.test(words)) return 'refused';
  if (status === 422 && /already.exists/i.test(words)) return 'made';
  if (status === 404 || /\bempty\b|target_commitish|valid tag/i.test(words)) return 'lagging';
  return 'refused';
}

/** That there is none is fine. */
function checkDeleted({ status, words }: Refusal, doing: string): void {
  if (status === 404) return;
  throw status === 403
    ? new WriteRefused(`cannot ${doing}: ${words}`)
    : new ReleaseRefused(`cannot ${doing}: ${words}`);
}
