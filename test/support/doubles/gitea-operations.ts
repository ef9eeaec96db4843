/** What Gitea's REST does, operation by operation. */
import { type Account, type Caller, fold, isAtLeast, type Organisation, type User } from './accounts.ts';
import { type Call, type Operations, Refusal, type Reply } from './double-server.ts';
import type { Core } from './forge-double.ts';
import { type Bases, organizationJson, refJson, releaseJson, repositoryJson, tagJson, userJson } from './gitea-json.ts';
import { apiError } from './gitea-replies.ts';
import { hasScope, personalRole, type ScopeCategory, type SignInWall, seesOwner } from './gitea-rights.ts';
import { flagIn, textIn } from './read-body.ts';
import { type Release, type Repository, roleOf } from './repositories.ts';

export interface GiteaContext extends Core {
  bases(): Bases;
  wall(): SignInWall;
}

const largestPage = 50;
const features = [
  'has_issues',
  'has_wiki',
  'has_projects',
  'has_actions',
  'has_pull_requests',
  'has_packages',
  'has_releases',
];

export function giteaOperations(context: GiteaContext): Operations {
  const { accounts, repositories, bases, wall, url } = context;

  const error = (status: number, message: string): Reply => apiError(status, message, url());
  const notFound = (): Reply => {
    const body = { errors: [], message: "The target couldn't be found.", url: `${url()}/api/swagger` };
    return { status: 404, body };
  };

  /** The scopes come first: a token that lacks them learns nothing, not even that something is absent. */
  const demandScopes = ({ caller, method }: Call, ...categories: readonly ScopeCategory[]): void => {
    if (wall() === 'gitea' && caller.kind === 'anonymous') {
      throw new Refusal(error(403, 'Only signed in user is allowed to call APIs.'));
    }
    const level = method === 'GET' ? 'read' : 'write';
    if (categories.every(category => hasScope(caller, level, category))) return;
    const wanted = categories.map(category => `${level}:${category}`).join(', ');
    throw new Refusal(error(403, `token does not have at least one of required scope(s): [${wanted}]`));
  };

  const userOf = (caller: Caller): User => {
    if (caller.kind === 'anonymous') throw new Refusal(error(401, 'token is required'));
    return caller.user;
  };

  const accountOf = ({ params, caller }: Call): Account => {
    const account = accounts.find(params.username ?? '');
    if (account === undefined || !seesOwner(account, caller)) throw new Refusal(notFound());
    return account;
  };

  const organisationOf = ({ params, caller }: Call): Organisation => {
    const account = accounts.find(params.org ?? '');
    if (account?.kind !== 'organisation' || !seesOwner(account, caller)) throw new Refusal(notFound());
    return account;
  };

  /** The repository of the call, for those who may read it. */
  const open = (call: Call): Repository => {
    demandScopes(call, 'repository');
    const { params, caller, path } = call;
    const found = repositories.find(params.owner ?? '', params.repo ?? '');
    if (found.kind === 'renamed') {
      const { owner, name } = found.repository;
      const rest = path.replace(/^\/repos\/[^/]+\/[^/]+/, '');
      throw new Refusal({ status: 307, headers: { Location: `/api/v1/repos/${owner.name}/${name}${rest}` } });
    }
    if (found.kind === 'absent' || personalRole(found.repository, caller) === 'none') throw new Refusal(notFound());
    return found.repository;
  };

  const openFor = (role: 'write' | 'admin', call: Call): Repository => {
    const repository = open(call);
    userOf(call.caller);
    if (isAtLeast(personalRole(repository, call.caller), role)) return repository;
    const text =
      role === 'admin'
        ? 'user should be an owner or a collaborator with admin write of a repository'
        : 'user should have a permission to write to a repo';
    throw new Refusal(error(403, text));
  };

  const viewFor = (repository: Repository, caller: Caller) => ({
    ...bases(),
    role: personalRole(repository, caller),
    isEmpty: isStillEmpty(repository),
  });

  /** Some of `all` are left out of their page where the caller may not read them, and are counted all the same. */
  const list = async (call: Call, all: readonly Repository[]): Promise<Reply> => {
    const { items, headers } = pageWithLinks(all, call, bases());
    const readable = items.filter(repository => personalRole(repository, call.caller) !== 'none');
    const body = await Promise.all(
      readable.map(repository => repositoryJson(repository, viewFor(repository, call.caller))),
    );
    return { status: 200, body, headers };
  };

  const listOwned = (call: Call, owner: Account): Promise<Reply> => {
    const isSigned = call.caller.kind === 'user';
    return list(
      call,
      repositories.ofOwner(owner).filter(({ isPrivate }) => isSigned || !isPrivate),
    );
  };

  const create = async (owner: Account, { body, caller }: Call): Promise<Reply> => {
    const name = textIn(body, 'name') ?? '';
    const complaint = complaintAbout(name);
    if (complaint !== undefined) return error(422, complaint);
    const repository = await repositories.create({
      owner: owner.name,
      name,
      isPrivate: flagIn(body, 'private') ?? false,
      description: textIn(body, 'description') ?? '',
      defaultBranch: textIn(body, 'default_branch') ?? 'main',
      // What the body says of has_issues and the others is passed over: all are on.
    });
    if (repository === undefined) return error(409, 'The repository with the same name already exists.');
    return { status: 201, body: await repositoryJson(repository, viewFor(repository, caller)) };
  };

  const releaseById = (repository: Repository, id: string | undefined): Release => {
    const release = repository.releases.get(Number(id));
    if (release === undefined) throw new Refusal(notFound());
    return release;
  };

  return {
    'GET /version'({ caller }) {
      if (wall() === 'gitea' && caller.kind === 'anonymous')
        return error(403, 'Only signed in user is allowed to call APIs.');
      return { status: 200, body: { version: '1.22.0' } };
    },
    'GET /settings/api': () => ({
      status: 200,
      body: {
        max_response_items: largestPage,
        default_paging_num: 30,
        default_git_trees_per_page: 1000,
        default_max_blob_size: 10485760,
      },
    }),
    'GET /user'(call) {
      demandScopes(call, 'user');
      return { status: 200, body: userJson(userOf(call.caller), bases()) };
    },
    'GET /users/{username}'(call) {
      demandScopes(call, 'user');
      return { status: 200, body: userJson(accountOf(call), bases()) };
    },
    'GET /users/{username}/orgs'(call) {
      demandScopes(call, 'user', 'organization');
      const { name } = accountOf(call);
      const of = accounts.organisations().filter(org => org.members.has(fold(name)) && seesOwner(org, call.caller));
      const { items, headers } = pageWithLinks(of, call, bases());
      return { status: 200, body: items.map(organisation => organizationJson(organisation, bases())), headers };
    },
    'GET /orgs/{org}'(call) {
      demandScopes(call, 'organization');
      return { status: 200, body: organizationJson(organisationOf(call), bases()) };
    },

    'GET /orgs/{org}/repos'(call) {
      demandScopes(call, 'organization');
      return listOwned(call, organisationOf(call));
    },
    'GET /users/{username}/repos'(call) {
      demandScopes(call, 'user', 'repository');
      return listOwned(call, accountOf(call));
    },
    'GET /user/repos'(call) {
      demandScopes(call, 'user', 'repository');
      const user = userOf(call.caller);
      return list(
        call,
        repositories.all().filter(repository => roleOf(user, repository) !== 'none'),
      );
    },
    'POST /orgs/{org}/repos'(call) {
      demandScopes(call, 'organization');
      const user = userOf(call.caller);
      const organisation = organisationOf(call);
      if (!isAtLeast(organisation.members.get(fold(user.name)) ?? 'none', 'write')) {
        return error(403, 'Given user is not allowed to create repository in organization.');
      }
      return create(organisation, call);
    },
    'POST /user/repos'(call) {
      demandScopes(call, 'user', 'repository');
      return create(userOf(call.caller), call);
    },

    async 'GET /repos/{owner}/{repo}'(call) {
      const repository = open(call);
      return { status: 200, body: await repositoryJson(repository, viewFor(repository, call.caller)) };
    },
    async 'PATCH /repos/{owner}/{repo}'(call) {
      const repository = openFor('admin', call);
      const { body, caller } = call;
      repository.isPrivate = flagIn(body, 'private') ?? repository.isPrivate;
      repository.description = textIn(body, 'description') ?? repository.description;
      for (const feature of features) {
        const value = flagIn(body, feature);
        if (value !== undefined) repository.features.set(feature, value);
      }
      const branch = textIn(body, 'default_branch');
      // A branch that is not there is passed over without a word.
      const isBranch =
        branch !== undefined &&
        (isStillEmpty(repository) || (await repository.bare.refs()).has(`refs/heads/${branch}`));
      if (isBranch) await repository.bare.setHead(branch);
      const name = textIn(body, 'name');
      if (name !== undefined && name !== repository.name) {
        const complaint = complaintAbout(name);
        if (complaint !== undefined) return error(422, complaint);
        await repositories.rename(repository, repository.owner, name);
      }
      return { status: 200, body: await repositoryJson(repository, viewFor(repository, caller)) };
    },
    async 'DELETE /repos/{owner}/{repo}'(call) {
      await repositories.delete(openFor('admin', call));
      return { status: 204 };
    },

    'GET /repos/{owner}/{repo}/git/refs': call => listRefs(open(call), '', bases(), notFound),
    'GET /repos/{owner}/{repo}/git/refs/{ref}': call => listRefs(open(call), call.params.ref ?? '', bases(), notFound),

    'GET /repos/{owner}/{repo}/releases'(call) {
      const repository = open(call);
      const maySeeDrafts = isAtLeast(personalRole(repository, call.caller), 'write');
      const newestFirst = [...repository.releases.values()].reverse().filter(({ isDraft }) => maySeeDrafts || !isDraft);
      const { items, headers } = pageWithLinks(newestFirst, call, bases());
      return { status: 200, body: items.map(release => releaseJson(release, repository, bases())), headers };
    },
    async 'POST /repos/{owner}/{repo}/releases'(call) {
      const repository = openFor('write', call);
      if (isEmptyToReleases(repository)) return error(422, 'repo is empty');
      return createRelease({ context, repository, call, error });
    },
    'GET /repos/{owner}/{repo}/releases/tags/{tag}'(call) {
      const repository = open(call);
      const release = releaseOfTag(repository, call.params.tag);
      return release === undefined ? notFound() : { status: 200, body: releaseJson(release, repository, bases()) };
    },
    'DELETE /repos/{owner}/{repo}/releases/tags/{tag}'(call) {
      const repository = openFor('write', call);
      const release = releaseOfTag(repository, call.params.tag);
      if (release === undefined) return notFound();
      repository.releases.delete(release.id);
      return { status: 204 };
    },
    'GET /repos/{owner}/{repo}/releases/{id}'(call) {
      const repository = open(call);
      return { status: 200, body: releaseJson(releaseById(repository, call.params.id), repository, bases()) };
    },
    'DELETE /repos/{owner}/{repo}/releases/{id}'(call) {
      const repository = openFor('write', call);
      repository.releases.delete(releaseById(repository, call.params.id).id);
      return { status: 204 };
    },

    async 'GET /repos/{owner}/{repo}/tags'(call) {
      const repository = open(call);
      const tags = [...(await repository.bare.refs())].flatMap(([name, ref]) =>
        name.startsWith('refs/tags/') ? [tagJson(name.slice('refs/tags/'.length), ref, repository, bases())] : [],
      );
      // All of them without `page`, and never a Link.
      const body = call.query.has('page') ? pageOf(tags, call).items : tags;
      return { status: 200, body, headers: { 'X-Total-Count': String(tags.length) } };
    },
    async 'GET /repos/{owner}/{repo}/tags/{tag}'(call) {
      const repository = open(call);
      const { tag = '' } = call.params;
      const ref = (await repository.bare.refs()).get(`refs/tags/${tag}`);
      return ref === undefined ? notFound() : { status: 200, body: tagJson(tag, ref, repository, bases()) };
    },
    async 'DELETE /repos/{owner}/{repo}/tags/{tag}'(call) {
      const repository = openFor('write', call);
      const { tag = '' } = call.params;
      if (!(await repository.bare.refs()).has(`refs/tags/${tag}`)) return notFound();
      if (releaseOfTag(repository, tag) !== undefined)
        return error(409, 'a tag attached to a release cannot be deleted directly');
      await repository.bare.deleteTag(tag);
      return { status: 204 };
    },
  };
}

interface ReleaseOptions {
  readonly context: GiteaContext;
  readonly repository: Repository;
  readonly call: Call;
  readonly error: (status: number, message: string) => Reply;
}

async function createRelease({ context, repository, call, error }: ReleaseOptions): Promise<Reply> {
  const { body, caller } = call;
  if (caller.kind === 'anonymous') return error(401, 'token is required');
  const tag = textIn(body, 'tag_name') ?? '';
  if (releaseOfTag(repository, tag) !== undefined) return error(409, 'Release is has no Tag');
  const head = (await repository.bare.head()).replace('refs/heads/', '');
  const target = textIn(body, 'target_commitish') || head;
  const isDraft = flagIn(body, 'draft') ?? false;
  const isThere = (await repository.bare.refs()).has(`refs/tags/${tag}`);
  // The target is looked at only where the tag is not there.
  if (!isThere && !isDraft) {
    const commit = await repository.bare.findCommit(target);
    if (commit === undefined) return error(500, `object does not exist [id: ${target}, rel_path: ]`);
    if (!(await repository.bare.createTag(tag, commit))) return error(500, `'${tag}' is not a valid tag name`);
  }
  const release: Release = {
    id: context.repositories.nextId(),
    author: caller.user,
    tag,
    target,
    title: textIn(body, 'name') ?? '',
    text: textIn(body, 'body') ?? '',
    isDraft,
    isPrerelease: flagIn(body, 'prerelease') ?? false,
    isImmutable: false,
  };
  repository.releases.set(release.id, release);
  return { status: 201, body: releaseJson(release, repository, context.bases()) };
}

/** Drafts that a deleted tag has left behind are found as well; case is folded. */
const releaseOfTag = (repository: Repository, tag: string | undefined): Release | undefined =>
  [...repository.releases.values()].find(release => release.tag.toLowerCase() === tag?.toLowerCase());

/** Whether `empty` still says so, which a push of tags alone does not change. */
const isStillEmpty = (repository: Repository): boolean => !repository.hasBranch || repository.unseenRequests > 0;

/** The same, and each time that a release asks it brings the moment nearer when the first push is seen. */
function isEmptyToReleases(repository: Repository): boolean {
  const isEmpty = isStillEmpty(repository);
  if (repository.unseenRequests > 0) repository.unseenRequests -= 1;
  return isEmpty;
}

/** References whose names begin with `refs/{prefix}`, always a list; 404 where there are none. */
async function listRefs(repository: Repository, prefix: string, bases: Bases, notFound: () => Reply): Promise<Reply> {
  const found = [...(await repository.bare.refs())].filter(([name]) => name.startsWith(`refs/${prefix}`));
  if (found.length === 0) return notFound();
  return { status: 200, body: found.map(([name, ref]) => refJson(name, ref, repository, bases)) };
}

function complaintAbout(name: string): string | undefined {
  if (name === '' || name.length > 100 || !/^[A-Za-z0-9._-]+$/.test(name)) return `[Name]: AlphaDashDot`;
  if (['.', '..', '-'].includes(name)) return `name is reserved [name: ${name}]`;
  const ending = /\.(git|wiki|rss|atom)$/i.exec(name)?.[1];
  return ending === undefined ? undefined : `name pattern is not allowed [pattern: *.${ending}]`;
}

/** `per_page` is passed over. */
function pageOf<T>(all: readonly T[], { query }: Call) {
  const size = Math.min(largestPage, Math.max(1, Number(query.get('limit') ?? 30)));
  const number = Math.max(1, Number(query.get('page') ?? 1));
  return {
    items: all.slice((number - 1) * size, number * size),
    number,
    last: Math.max(1, Math.ceil(all.length / size)),
  };
}

function pageWithLinks<T>(all: readonly T[], call: Call, { apiUrl }: Bases) {
  const { items, number, last } = pageOf(all, call);
  const linkTo = (to: number, rel: string) => {
    const rest = new URLSearchParams(call.query);
    rest.set('page', String(to));
    return `<${apiUrl}${call.path}?${rest}>; rel="${rel}"`;
  };
  const links = [
    ...(number < last ? [linkTo(number + 1, 'next'), linkTo(last, 'last')] : []),
    ...(number > 1 ? [linkTo(1, 'first'), linkTo(number - 1, 'prev')] : []),
  ];
  const headers: Record<string, string> = { 'X-Total-Count': String(all.length) };
  return { items, headers: links.length > 0 ? { ...headers, Link: links.join(',') } : headers };
}
