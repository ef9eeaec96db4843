/**
 * Gitea (1.21 and later, and Forgejo) as a forge. What is its own, beside GitHub's ways in `../github/github-forge.ts`:
 *
 * - Basic goes to the API as it came: a password is a password here, or a token.
 * - Creating takes name and visibility only; all other settings, Actions among them, are made by a second call.
 * - A release with a target that can't exist is made where the tag exists and fails where it does not, so it never makes one.
 * - A release is deleted by its tag.
 * - Tags that differ in case alone are one to its tables. There is no quota, and nothing is counted here either.
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
import { basicHeader, credentialsOf, tokenAsBasic, tokenHeader } from '../octokit/credentials.ts';
import { parseForgeAddress } from '../octokit/forge-address.ts';
import { type ListPage, listRepositories } from '../octokit/list-repositories.ts';
import { createLogins } from '../octokit/logins.ts';
import { makeRelease, type ReleaseOutcome } from '../octokit/make-release.ts';
import { checkName, checkSettings, isEmpty, repositoryAnswer, withoutPages } from '../octokit/repository-settings.ts';
import { serviceRemote } from '../octokit/service-remote.ts';

/** Names no object: a release with this target can't make its tag. */
const noCommit = '0'.repeat(40);

/** Unless its operator chose another number (MAX_RESPONSE_ITEMS). */
const largestPage = 50;

/** What a good token without the scope read:user is told that asks for its user. */
const mayNotAskLogin = /required scope/i;

const version = z.object({ version: z.string() });
const release = z.object({ id: z.number() });
const anything = z.object({});

export function createGiteaForge(options: HostedForgeOptions): Forge {
  const { token, visibility, log } = options;
  const { url, host } = parseForgeAddress(options.url);
  const authorization = (caller: Caller) => {
    const credentials = credentialsOf(caller, token);
    if (credentials === undefined) return undefined;
    return credentials.kind === 'basic' ? basicHeader(credentials) : tokenHeader(credentials.token);
  };
  const call = createCall({ ...options, baseUrl: `${url}/api/v1`, authorization, writesPerMinute: undefined });
  const logins = createLogins(call, mayNotAskLogin);
  const poster = createHttpPoster();
  const refusedFilters = createRefusedFilters();
  const kinds: OwnerKinds = new Map();
  const self: Caller = { kind: token === undefined ? 'anonymous' : 'service' };

  const askVersion = (doing: string, caller: Caller, signal: AbortSignal) =>
    call({ doing, caller, signal, answer: version }, octokit => octokit.request('GET /version'));

  const remote = (name: RepositoryName, caller: Caller): Remote => {
    const credentials = credentialsOf(caller, token);
    const made = createSmartHttpRemote({
      poster,
      refusedFilters,
      userAgent: options.userAgent,
      timeoutMs: options.timeoutMs,
      url: `${url}/${name.owner}/${name.repo}.git`,
      // Never as a token: Gitea 1.22 checks a token's scopes on git's endpoints only where it comes as Basic.
      credentials: credentials?.kind === 'token' ? tokenAsBasic(credentials.token) : credentials,
    });
    return caller.kind === 'service' ? serviceRemote(made) : made;
  };

  return {
    host,
    foldsTagCase: true,
    maxFileBytes: undefined,
    releaseRevivesTag: false,

    async describe(owners, signal) {
      const doing = `reach Gitea at ${url} (MODFORGE_FORGE_URL)`;
      const answer = await askVersion(doing, self, signal);
      if (answer.kind === 'refused' && answer.status !== 403) {
        throw new ForgeUnavailable(`cannot ${doing}: ${answer.words}`);
      }
      await Promise.all(owners.map(owner => findOwner(owner, signal)));
      // Behind a wall of sign-in the version is told to nobody without credentials.
      return answer.kind === 'refused' ? `Gitea at ${url}` : `Gitea ${answer.data.version} at ${url}`;
    },

    // Any answer of the API will do, a no to whoever has not signed in too.
    async checkReady(signal) {
      await askVersion(`reach Gitea at ${url}`, self, signal);
    },

    authenticate: (credentials: Credentials, signal) => logins.ask({ kind: 'user', credentials }, signal),

    remote,

    // With the caller's own credentials or none: Gitea counts nothing, and lists users' repositories as it lists organisations'.
    repositoryNames: (owner, caller, signal) => {
      const isUser = kinds.get(owner.toLowerCase()) === 'user';
      const page: ListPage = (octokit, number) =>
        isUser
          ? octokit.repos.listForUser({ username: owner, page: number, limit: largestPage })
          : octokit.repos.listForOrg({ org: owner, page: number, limit: largestPage });
      return listRepositories(owner, caller, { call, log, maxPages: 2, page }, signal);
    },

    async createRepository(name, caller, signal) {
      const repository = `${name.owner}/${name.repo}`;
      if (caller.kind === 'anonymous') throw new WriteRefused(`cannot create ${repository} without credentials`);
      const settings = { private: visibility === 'private' };
      const created = await createInOwner(name, caller, { call, kinds, logins, settings }, signal);
      const isNew = created !== undefined;
      const isOurs = isNew || (await isEmpty(name, remote(name, caller), signal));

      const answer = await call({ doing: `set up ${repository}`, caller, signal, answer: repositoryAnswer }, octokit =>
        isOurs
          ? octokit.repos.update({ ...name, ...withoutPages, has_actions: false })
          : octokit.repos.get({ ...name }),
      );
      if (answer.kind === 'refused') {
        // Who may write to it but not set it up publishes all the same.
        log.warn({ repository, words: answer.words }, 'settings could not be made');
        return { isNew, runsActions: true };
      }
      checkName(name, answer.data);
      if (isOurs) checkSettings(name, answer.data, { visibility, isNew, log });
      return { isNew, runsActions: answer.data.has_actions !== false };
    },

    createRelease: (name, { tag, commit, title, text, isPrerelease }, caller, signal) => {
      const options = { doing: `make the release ${tag}`, caller, signal, answer: release, retries: 0 };
      const parameters = {
        tag_name: tag,
        target_commitish: noCommit,
        name: title,
        body: text,
        prerelease: isPrerelease,
      };
      const attempt = () => call(options, octokit => octokit.repos.createRelease({ ...name, ...parameters }));
      return makeRelease({ ...name, tag, commit }, { remote: remote(name, caller), attempt, outcome, signal });
    },

    async deleteRelease(name, tag, caller, signal) {
      const doing = `delete the release ${tag} of ${name.owner}/${name.repo}`;
      const answer = await call({ doing, caller, signal, answer: nothing }, octokit =>
        octokit.request('DELETE /repos/{owner}/{repo}/releases/tags/{tag}', { ...name, tag }),
      );
      if (answer.kind === 'done' || answer.status === 404) return;
      const text = `cannot ${doing}: ${answer.words}`;
      throw answer.status === 403 ? new WriteRefused(text) : new ReleaseRefused(text);
    },
  };

  /** Throws ForgeUnavailable for an owner that the service's token should see and does not; without one it may be hidden. */
  async function findOwner(owner: string, signal: AbortSignal): Promise<void> {
    const doing = `find the owner ${owner} (MODFORGE_OWNERS) at ${url}`;
    const options = { doing, caller: self, signal, answer: anything };
    const organisation = await call(options, octokit => octokit.orgs.get({ org: owner }));
    if (organisation.kind === 'done') {
      kinds.set(owner.toLowerCase(), 'organisation');
      return;
    }
    const user = await call(options, octokit => octokit.users.getByUsername({ username: owner }));
    const isSeen = user.kind === 'done';
    if (isSeen && organisation.status === 404) kinds.set(owner.toLowerCase(), 'user');
    if (isSeen || user.status === 403) return;
    if (token !== undefined) throw new ForgeUnavailable(`cannot ${doing}: ${user.words}`);
    log.warn({ owner }, 'an owner is not visible without MODFORGE_TOKEN: hidden, or not there');
  }
}

/** Gitea comes to know of a push from a queue: until then the repository is not found, or empty. */
function outcome({ status, words }: Refusal): ReleaseOutcome {
  if (status === 409) return 'made';
  return status === 404 || (status === 422 && /\bempty\b/i.test(words)) ? 'lagging' : 'refused';
}
