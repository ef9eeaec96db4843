/** What GitHub's REST does, operation by operation. */
import { type Account, type Caller, isAtLeast, type User } from './accounts.ts';
import { type Call, type Operations, Refusal, type Reply } from './double-server.ts';
import type { Core } from './forge-double.ts';
import {
  type Bases,
  fullRepository,
  minimalRepository,
  organizationFull,
  privateUser,
  publicUser,
  refJson,
  releaseJson,
} from './github-json.ts';
import { invalid, refusal, ssoHeader } from './github-replies.ts';
import type { GithubRights } from './github-rights.ts';
import { flagIn, textIn } from './read-body.ts';
import { type NewRepository, type Release, type Repository, roleOf } from './repositories.ts';

export interface GithubContext extends Core {
  bases(): Bases;
  rights(repository: Repository, caller: Caller): GithubRights;
}

const features = ['has_issues', 'has_projects', 'has_wiki', 'has_discussions'];

export function githubOperations(context: GithubContext): Operations {
  const { accounts, repositories, bases, rights, url } = context;

  /** The repository of the call, for those to whom REST shows it. */
  const open = ({ params, caller, method, path }: Call): { repository: Repository; rights: GithubRights } => {
    const { owner = '', repo = '' } = params;
    const found = repositories.find(owner, repo);
    if (found.kind === 'absent') throw new Refusal(refusal(404, 'Not Found'));
    const { repository } = found;
    const held = rights(repository, caller);
    if (held.lacksSso && repository.isPrivate) {
      const text =
        'Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization.';
      throw new Refusal(refusal(403, text, ssoHeader(repository.owner.name, url())));
    }
    if (!held.isVisible) throw new Refusal(refusal(404, 'Not Found'));
    if (found.kind === 'renamed') {
      const Location = `${bases().apiUrl}/repositories/${repository.id}${path.replace(/^\/repos\/[^/]+\/[^/]+/, '')}`;
      const reply = refusal(method === 'GET' ? 301 : 307, 'Moved Permanently', { Location });
      throw new Refusal(reply);
    }
    return { repository, rights: held };
  };

  const demand = (isAllowed: boolean, caller: Caller): void => {
    if (caller.kind === 'anonymous') throw new Refusal(refusal(401, 'Requires authentication'));
    if (isAllowed) return;
    const isFineGrained = caller.token?.fineGrained !== undefined;
    const text = isFineGrained
      ? 'Resource not accessible by personal access token'
      : 'Must have admin rights to Repository.';
    throw new Refusal(refusal(403, text));
  };

  const openToWrite = (call: Call): Repository => {
    const { repository, rights: held } = open(call);
    demand(isAtLeast(held.contents, 'write'), call.caller);
    return repository;
  };

  const openToRead = (call: Call): Repository => {
    const { repository, rights: held } = open(call);
    if (held.contents === 'none') demand(false, call.caller);
    return repository;
  };

  const openToAdminister = (call: Call): Repository => {
    const { repository, rights: held } = open(call);
    demand(held.mayAdminister, call.caller);
    return repository;
  };

  const userOf = (caller: Caller): User => {
    if (caller.kind === 'anonymous') throw new Refusal(refusal(401, 'Requires authentication'));
    return caller.user;
  };

  const accountNamed = (name: string | undefined): Account => {
    const account = accounts.find(name ?? '');
    if (account === undefined) throw new Refusal(refusal(404, 'Not Found'));
    return account;
  };

  const organisationNamed = (name: string | undefined) => {
    const account = accountNamed(name);
    if (account.kind !== 'organisation') throw new Refusal(refusal(404, 'Not Found'));
    return account;
  };

  const viewFor = (repository: Repository, caller: Caller) => ({
    ...bases(),
    role: caller.kind === 'anonymous' ? undefined : rights(repository, caller).personal,
  });

  const list = async (call: Call, all: readonly Repository[]): Promise<Reply> => {
    const visible = all.filter(repository => rights(repository, call.caller).isVisible);
    const { items, headers } = page(visible, call, bases());
    const body = await Promise.all(
      items.map(repository => minimalRepository(repository, viewFor(repository, call.caller))),
    );
    return { status: 200, body, headers };
  };

  const create = async (owner: Account, { body, caller }: Call): Promise<Reply> => {
    const options = newRepository(owner, body);
    const repository = await repositories.create(options);
    if (repository === undefined) {
      const error = {
        resource: 'Repository',
        code: 'custom',
        field: 'name',
        message: 'name already exists on this account',
      };
      return invalid('Repository creation failed.', error);
    }
    return { status: 201, body: await fullRepository(repository, viewFor(repository, caller)) };
  };

  const findRelease = (repository: Repository, id: string | undefined): Release => {
    const release = repository.releases.get(Number(id));
    if (release === undefined) throw new Refusal(refusal(404, 'Not Found'));
    return release;
  };

  return {
    'GET /meta': () => ({ status: 200, body: { verifiable_password_authentication: false } }),
    'GET /user': ({ caller }) => ({ status: 200, body: privateUser(userOf(caller), bases()) }),
    'GET /users/{username}': ({ params }) => ({
      status: 200,
      body: publicUser(accountNamed(params.username), bases()),
    }),
    'GET /orgs/{org}': ({ params }) => ({
      status: 200,
      body: organizationFull(organisationNamed(params.org), bases()),
    }),

    'GET /orgs/{org}/repos'(call) {
      const isPublicOnly = call.query.get('type') === 'public';
      return list(
        call,
        repositories
          .ofOwner(organisationNamed(call.params.org))
          .filter(({ isPrivate }) => !(isPublicOnly && isPrivate)),
      );
    },
    'GET /users/{username}/repos': call =>
      list(
        call,
        repositories.ofOwner(accountNamed(call.params.username)).filter(({ isPrivate }) => !isPrivate),
      ),
    'GET /user/repos'(call) {
      const user = userOf(call.caller);
      const isOwnOnly = call.query.get('affiliation') === 'owner';
      return list(
        call,
        repositories
          .all()
          .filter(repository => (isOwnOnly ? repository.owner === user : roleOf(user, repository) !== 'none')),
      );
    },
    'POST /orgs/{org}/repos'(call) {
      const organisation = organisationNamed(call.params.org);
      const user = userOf(call.caller);
      const role = organisation.members.get(user.name.toLowerCase()) ?? 'none';
      if (!isAtLeast(role, 'write')) {
        return refusal(403, 'You need admin access to the organization before adding a repository to it.');
      }
      demandCreation(call.caller, organisation);
      return create(organisation, call);
    },
    'POST /user/repos'(call) {
      const user = userOf(call.caller);
      demandCreation(call.caller, user);
      return create(user, call);
    },

    async 'GET /repos/{owner}/{repo}'(call) {
      const { repository } = open(call);
      return { status: 200, body: await fullRepository(repository, viewFor(repository, call.caller)) };
    },
    async 'PATCH /repos/{owner}/{repo}'(call) {
      const repository = openToAdminister(call);
      const { body, caller } = call;
      const branch = textIn(body, 'default_branch');
      if (branch !== undefined) {
        const refs = await repository.bare.refs();
        const error = { resource: 'Repository', code: 'invalid', field: 'default_branch' };
        if (refs.size === 0) {
          const message =
            'Cannot update default branch for an empty repository. Please init the repository and push first.';
          return invalid('Validation Failed', { ...error, message });
        }
        if (!refs.has(`refs/heads/${branch}`)) {
          return invalid('Validation Failed', {
            ...error,
            message: `The branch ${branch} was not found. Please push that ref first or create it via the Git Data API.`,
          });
        }
        await repository.bare.setHead(branch);
      }
      const visibility = textIn(body, 'visibility');
      repository.isPrivate =
        visibility === undefined ? (flagIn(body, 'private') ?? repository.isPrivate) : visibility !== 'public';
      repository.description = textIn(body, 'description') ?? repository.description;
      for (const feature of features)
        repository.features.set(
          feature,
          flagIn(body, feature) ?? repository.features.get(feature) ?? feature !== 'has_discussions',
        );
      const name = textIn(body, 'name');
      if (name !== undefined && name !== repository.name)
        await repositories.rename(repository, repository.owner, cleanName(name));
      return { status: 200, body: await fullRepository(repository, viewFor(repository, caller)) };
    },
    async 'DELETE /repos/{owner}/{repo}'(call) {
      await repositories.delete(openToAdminister(call));
      return { status: 204 };
    },

    'GET /repos/{owner}/{repo}/actions/permissions'(call) {
      const { repository, rights: held } = open(call);
      demand(held.mayReadActions, call.caller);
      const enabled = repository.features.get('has_actions') ?? true;
      return {
        status: 200,
        body: { enabled, ...(enabled && { allowed_actions: 'all' }), sha_pinning_required: false },
      };
    },
    'PUT /repos/{owner}/{repo}/actions/permissions'(call) {
      const { repository, rights: held } = open(call);
      demand(held.mayChangeActions, call.caller);
      repository.features.set('has_actions', flagIn(call.body, 'enabled') ?? true);
      return { status: 204 };
    },

    'GET /repos/{owner}/{repo}/immutable-releases'(call) {
      const repository = openToAdminister(call);
      if (!repository.makesImmutableReleases) return refusal(404, 'Not Found');
      return { status: 200, body: { enabled: true, enforced_by_owner: false } };
    },
    'PUT /repos/{owner}/{repo}/immutable-releases'(call) {
      openToAdminister(call).makesImmutableReleases = true;
      return { status: 204 };
    },
    'DELETE /repos/{owner}/{repo}/immutable-releases'(call) {
      openToAdminister(call).makesImmutableReleases = false;
      return { status: 204 };
    },

    async 'GET /repos/{owner}/{repo}/git/ref/{ref}'(call) {
      const repository = openToRead(call);
      const name = `refs/${call.params.ref}`;
      const refs = await repository.bare.refs();
      if (refs.size === 0) return refusal(409, 'Git Repository is empty.');
      const ref = refs.get(name);
      if (ref === undefined || isUnseen(repository)) return refusal(404, 'Not Found');
      return { status: 200, body: refJson(name, ref, repository, bases()) };
    },

    'GET /repos/{owner}/{repo}/releases'(call) {
      const repository = openToRead(call);
      const maySeeDrafts = isAtLeast(rights(repository, call.caller).contents, 'write');
      const newestFirst = [...repository.releases.values()].reverse().filter(({ isDraft }) => maySeeDrafts || !isDraft);
      const { items, headers } = page(newestFirst, call, bases());
      return { status: 200, body: items.map(release => releaseJson(release, repository, bases())), headers };
    },
    async 'POST /repos/{owner}/{repo}/releases'(call) {
      const repository = openToWrite(call);
      if (isUnseen(repository)) return refusal(404, 'Not Found');
      return createRelease(context, repository, call);
    },
    'GET /repos/{owner}/{repo}/releases/tags/{tag}'(call) {
      const repository = openToRead(call);
      const release = publishedRelease(repository, call.params.tag);
      if (release === undefined || isUnseen(repository)) return refusal(404, 'Not Found');
      return { status: 200, body: releaseJson(release, repository, bases()) };
    },
    'GET /repos/{owner}/{repo}/releases/{release_id}'(call) {
      const repository = openToRead(call);
      return { status: 200, body: releaseJson(findRelease(repository, call.params.release_id), repository, bases()) };
    },
    'DELETE /repos/{owner}/{repo}/releases/{release_id}'(call) {
      const repository = openToWrite(call);
      const release = findRelease(repository, call.params.release_id);
      if (release.isImmutable) return refusal(403, 'Cannot delete an immutable release.');
      repository.releases.delete(release.id);
      return { status: 204 };
    },
  };
}

async function createRelease(
  { bases, rights, repositories }: GithubContext,
  repository: Repository,
  call: Call,
): Promise<Reply> {
  const { body, caller } = call;
  if (caller.kind === 'anonymous') return refusal(401, 'Requires authentication');
  const tag = textIn(body, 'tag_name') ?? '';
  const refs = await repository.bare.refs();
  if (refs.size === 0)
    return invalid('Repository is empty.', { resource: 'Release', code: 'custom', message: 'Repository is empty.' });
  if (publishedRelease(repository, tag) !== undefined) {
    return invalid('Validation Failed', { resource: 'Release', code: 'already_exists', field: 'tag_name' });
  }
  if (repository.burnedTags.has(tag)) {
    const message = 'tag_name was used by an immutable release';
    return invalid('Validation Failed', { resource: 'Release', code: 'custom', field: 'tag_name', message });
  }
  // The target is looked at even where the tag is there.
  const given = textIn(body, 'target_commitish');
  const defaultBranch = (await repository.bare.head()).replace('refs/heads/', '');
  const target = given ?? defaultBranch;
  const isCommitish = /^[0-9a-f]{40}$/.test(target) || refs.has(`refs/heads/${target}`);
  const commit = isCommitish ? await repository.bare.findCommit(target) : undefined;
  const isThere = refs.has(`refs/tags/${tag}`);
  if (commit === undefined && (given !== undefined || !isThere)) {
    return invalid('Validation Failed', { resource: 'Release', code: 'invalid', field: 'target_commitish' });
  }
  const { mayChangeWorkflows } = rights(repository, caller);
  if (
    commit !== undefined &&
    !mayChangeWorkflows &&
    (await repository.bare.filesUnder('.github/workflows', commit)).length > 0
  ) {
    return refusal(404, 'Not Found');
  }
  const isDraft = flagIn(body, 'draft') ?? false;
  if (commit !== undefined && !isThere && !isDraft) await repository.bare.createTag(tag, commit);
  const release: Release = {
    id: repositories.nextId(),
    author: caller.user,
    tag,
    target,
    title: textIn(body, 'name') ?? '',
    text: textIn(body, 'body') ?? '',
    isDraft,
    isPrerelease: flagIn(body, 'prerelease') ?? false,
    isImmutable: repository.makesImmutableReleases && !isDraft,
  };
  // Another may have made one while git was asked.
  if (publishedRelease(repository, tag) !== undefined) {
    return invalid('Validation Failed', { resource: 'Release', code: 'already_exists', field: 'tag_name' });
  }
  repository.releases.set(release.id, release);
  if (release.isImmutable) repository.burnedTags.add(tag);
  return { status: 201, body: releaseJson(release, repository, bases()) };
}

const publishedRelease = (repository: Repository, tag: string | undefined): Release | undefined =>
  [...repository.releases.values()].find(release => release.tag === tag && !release.isDraft);

/** Whether REST has not yet seen the last push; each time that it is asked brings the moment nearer. */
function isUnseen(repository: Repository): boolean {
  if (repository.unseenRequests === 0) return false;
  repository.unseenRequests -= 1;
  return true;
}

function demandCreation({ kind, ...caller }: Caller, owner: Account): void {
  if (kind === 'anonymous' || !('token' in caller) || caller.token === undefined) return;
  const { fineGrained, scopes } = caller.token;
  if (fineGrained !== undefined) {
    const isHis =
      fineGrained.owner.toLowerCase() === owner.name.toLowerCase() && fineGrained.repositories === undefined;
    if (isHis && fineGrained.permissions.administration === 'write') return;
    throw new Refusal(refusal(403, 'Resource not accessible by personal access token'));
  }
  if (scopes !== undefined && !scopes.includes('repo') && !scopes.includes('public_repo')) {
    throw new Refusal(refusal(404, 'Not Found'));
  }
}

/** Other characters silently become `-`, and `.git` at the end goes. */
const cleanName = (name: string): string => name.replace(/[^A-Za-z0-9._-]/g, '-').replace(/\.git$/, '');

function newRepository(owner: Account, body: Call['body']): NewRepository {
  const name = cleanName(textIn(body, 'name') ?? '');
  const refuse = (message: string): never => {
    throw new Refusal(
      invalid('Repository creation failed.', { resource: 'Repository', code: 'custom', field: 'name', message }),
    );
  };
  if (name.endsWith('.wiki')) refuse('name cannot end in .wiki');
  if (name === '' || name === '.' || name === '..') refuse('name is reserved');
  if (name.length > 100) refuse('name is too long (maximum is 100 characters)');
  const visibility = textIn(body, 'visibility');
  const isPrivate = visibility === undefined ? (flagIn(body, 'private') ?? false) : visibility !== 'public';
  const chosen = features.flatMap(feature => {
    const value = flagIn(body, feature);
    return value === undefined ? [] : [[feature, value] as const];
  });
  return {
    owner: owner.name,
    name,
    isPrivate,
    description: textIn(body, 'description') ?? '',
    features: Object.fromEntries(chosen),
  };
}

/** One page, and `Link` to the others. */
function page<T>(all: readonly T[], { query, path }: Call, { apiUrl }: Bases) {
  const size = Math.min(100, Math.max(1, Number(query.get('per_page') ?? 30)));
  const number = Math.max(1, Number(query.get('page') ?? 1));
  const last = Math.max(1, Math.ceil(all.length / size));
  const linkTo = (to: number, rel: string) => {
    const rest = new URLSearchParams(query);
    rest.set('page', String(to));
    return `<${apiUrl}${path}?${rest}>; rel="${rel}"`;
  };
  const links = [
    ...(number > 1 ? [linkTo(number - 1, 'prev')] : []),
    ...(number < last ? [linkTo(number + 1, 'next'), linkTo(last, 'last')] : []),
    ...(number > 1 ? [linkTo(1, 'first')] : []),
  ];
  const headers: Record<string, string> = links.length > 0 ? { Link: links.join(', ') } : {};
  return { items: all.slice((number - 1) * size, number * size), headers };
}
