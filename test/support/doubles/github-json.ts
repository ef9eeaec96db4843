/** Things in the shapes that GitHub's REST gives them. */
import { type Account, isAtLeast, type Organisation, type Role, type User } from './accounts.ts';
import { fullNameOf, type Release, type Repository } from './repositories.ts';

/** The two bases of addresses: of pages and git, and of REST. */
export interface Bases {
  readonly url: string;
  readonly apiUrl: string;
}

/** Nothing here depends on the clock. */
const sometime = '2026-01-02T03:04:05Z';

const nodeId = (kind: string, id: number): string => Buffer.from(`${kind}:${id}`).toString('base64');

export function simpleUser({ kind, id, name }: Account, { url, apiUrl }: Bases) {
  const self = `${apiUrl}/users/${name}`;
  return {
    login: name,
    id,
    node_id: nodeId('User', id),
    avatar_url: `${url}/avatars/u/${id}`,
    gravatar_id: '',
    url: self,
    html_url: `${url}/${name}`,
    followers_url: `${self}/followers`,
    following_url: `${self}/following{/other_user}`,
    gists_url: `${self}/gists{/gist_id}`,
    starred_url: `${self}/starred{/owner}{/repo}`,
    subscriptions_url: `${self}/subscriptions`,
    organizations_url: `${self}/orgs`,
    repos_url: `${self}/repos`,
    events_url: `${self}/events{/privacy}`,
    received_events_url: `${self}/received_events`,
    type: kind === 'user' ? 'User' : 'Organization',
    site_admin: false,
    user_view_type: 'public',
  };
}

export function publicUser(account: Account, bases: Bases) {
  return {
    ...simpleUser(account, bases),
    name: null,
    company: null,
    blog: '',
    location: null,
    email: null,
    hireable: null,
    bio: null,
    public_repos: 0,
    public_gists: 0,
    followers: 0,
    following: 0,
    created_at: sometime,
    updated_at: sometime,
  };
}

export function privateUser(user: User, bases: Bases) {
  return {
    ...publicUser(user, bases),
    user_view_type: 'private',
    private_gists: 0,
    total_private_repos: 0,
    owned_private_repos: 0,
    disk_usage: 0,
    collaborators: 0,
    two_factor_authentication: true,
  };
}

export function organizationFull({ id, name }: Organisation, { url, apiUrl }: Bases) {
  const self = `${apiUrl}/orgs/${name}`;
  return {
    login: name,
    id,
    node_id: nodeId('Organization', id),
    url: self,
    repos_url: `${self}/repos`,
    events_url: `${self}/events`,
    hooks_url: `${self}/hooks`,
    issues_url: `${self}/issues`,
    members_url: `${self}/members{/member}`,
    public_members_url: `${self}/public_members{/member}`,
    avatar_url: `${url}/avatars/u/${id}`,
    description: '',
    has_organization_projects: true,
    has_repository_projects: true,
    public_repos: 0,
    public_gists: 0,
    followers: 0,
    following: 0,
    html_url: `${url}/${name}`,
    type: 'Organization',
    created_at: sometime,
    updated_at: sometime,
    archived_at: null,
  };
}

/** What stands behind a repository's own address in its `…_url` fields. */
const linkTemplates = {
  archive: '/{archive_format}{/ref}',
  assignees: '/assignees{/user}',
  blobs: '/git/blobs{/sha}',
  branches: '/branches{/branch}',
  collaborators: '/collaborators{/collaborator}',
  comments: '/comments{/number}',
  commits: '/commits{/sha}',
  compare: '/compare/{base}...{head}',
  contents: '/contents/{+path}',
  contributors: '/contributors',
  deployments: '/deployments',
  downloads: '/downloads',
  events: '/events',
  forks: '/forks',
  git_commits: '/git/commits{/sha}',
  git_refs: '/git/refs{/sha}',
  git_tags: '/git/tags{/sha}',
  hooks: '/hooks',
  issue_comment: '/issues/comments{/number}',
  issue_events: '/issues/events{/number}',
  issues: '/issues{/number}',
  keys: '/keys{/key_id}',
  labels: '/labels{/name}',
  languages: '/languages',
  merges: '/merges',
  milestones: '/milestones{/number}',
  notifications: '/notifications{?since,all,participating}',
  pulls: '/pulls{/number}',
  releases: '/releases{/id}',
  stargazers: '/stargazers',
  statuses: '/statuses/{sha}',
  subscribers: '/subscribers',
  subscription: '/subscription',
  tags: '/tags',
  teams: '/teams',
  trees: '/git/trees{/sha}',
};

export interface RepositoryView extends Bases {
  /** The caller's role, whatever their token may do; undefined for anonymous. */
  readonly role: Role | undefined;
}

const permissionsOf = (role: Role) => ({
  admin: role === 'admin',
  maintain: role === 'admin',
  push: isAtLeast(role, 'write'),
  triage: isAtLeast(role, 'write'),
  pull: isAtLeast(role, 'read'),
});

/** As lists hold it. */
export async function minimalRepository(repository: Repository, view: RepositoryView) {
  const { id, name, owner, isPrivate, description, features, bare } = repository;
  const { url, apiUrl, role } = view;
  const self = `${apiUrl}/repos/${fullNameOf(repository)}`;
  const page = `${url}/${fullNameOf(repository)}`;
  const has = (feature: string) => features.get(feature) ?? true;
  return {
    id,
    node_id: nodeId('Repository', id),
    name,
    full_name: fullNameOf(repository),
    private: isPrivate,
    visibility: isPrivate ? 'private' : 'public',
    owner: simpleUser(owner, view),
    html_url: page,
    description: description === '' ? null : description,
    fork: false,
    url: self,
    ...Object.fromEntries(Object.entries(linkTemplates).map(([link, rest]) => [`${link}_url`, `${self}${rest}`])),
    git_url: `${page.replace('http:', 'git:')}.git`,
    ssh_url: `git@127.0.0.1:${fullNameOf(repository)}.git`,
    clone_url: `${page}.git`,
    svn_url: page,
    mirror_url: null,
    homepage: null,
    language: null,
    forks_count: 0,
    stargazers_count: 0,
    watchers_count: 0,
    size: 0,
    default_branch: (await bare.head()).replace('refs/heads/', ''),
    open_issues_count: 0,
    is_template: false,
    topics: [],
    has_issues: has('has_issues'),
    has_projects: has('has_projects'),
    has_wiki: has('has_wiki'),
    has_pages: false,
    has_downloads: true,
    has_discussions: features.get('has_discussions') ?? false,
    archived: false,
    disabled: false,
    pushed_at: sometime,
    created_at: sometime,
    updated_at: sometime,
    ...(role !== undefined && { permissions: permissionsOf(role) }),
    license: null,
    forks: 0,
    open_issues: 0,
    watchers: 0,
  };
}

export async function fullRepository(repository: Repository, view: RepositoryView) {
  const { owner } = repository;
  return {
    ...(await minimalRepository(repository, view)),
    network_count: 0,
    subscribers_count: 0,
    ...(owner.kind === 'organisation' && { organization: simpleUser(owner, view) }),
  };
}

export function releaseJson(release: Release, repository: Repository, bases: Bases) {
  const { id, tag, target, title, text, isDraft, isPrerelease, isImmutable, author } = release;
  const self = `${bases.apiUrl}/repos/${fullNameOf(repository)}`;
  return {
    url: `${self}/releases/${id}`,
    html_url: `${bases.url}/${fullNameOf(repository)}/releases/tag/${encodeURIComponent(tag)}`,
    assets_url: `${self}/releases/${id}/assets`,
    upload_url: `${self}/releases/${id}/assets{?name,label}`,
    tarball_url: isDraft ? null : `${self}/tarball/${encodeURIComponent(tag)}`,
    zipball_url: isDraft ? null : `${self}/zipball/${encodeURIComponent(tag)}`,
    id,
    node_id: nodeId('Release', id),
    tag_name: tag,
    target_commitish: target,
    name: title,
    body: text,
    draft: isDraft,
    prerelease: isPrerelease,
    immutable: isImmutable,
    created_at: sometime,
    published_at: isDraft ? null : sometime,
    updated_at: sometime,
    author: simpleUser(author, bases),
    assets: [],
  };
}

export function refJson(
  name: string,
  { id, type }: { id: string; type: string },
  repository: Repository,
  { apiUrl }: Bases,
) {
  const self = `${apiUrl}/repos/${fullNameOf(repository)}/git`;
  return {
    ref: name,
    node_id: nodeId('Ref', repository.id),
    url: `${self}/${name}`,
    object: { sha: id, type, url: `${self}/${type}s/${id}` },
  };
}
