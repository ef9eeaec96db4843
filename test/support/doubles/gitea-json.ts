/** Things in the shapes that Gitea's REST gives them. */
import { type Account, isAtLeast, type Organisation, type Role } from './accounts.ts';
import type { BareRef } from './bare-repository.ts';
import { fullNameOf, type Release, type Repository } from './repositories.ts';

/** The two bases of addresses: of pages and git, and of REST. */
export interface Bases {
  readonly url: string;
  readonly apiUrl: string;
}

/** Nothing here depends on the clock. */
const sometime = '2026-01-02T03:04:05Z';
const never = '0001-01-01T00:00:00Z';

export function userJson(account: Account, { url }: Bases) {
  const { id, name } = account;
  return {
    id,
    login: name,
    login_name: '',
    source_id: 0,
    full_name: '',
    email: `${name.toLowerCase()}@noreply.localhost`,
    avatar_url: `${url}/avatars/${id}`,
    html_url: `${url}/${name}`,
    language: '',
    is_admin: false,
    last_login: never,
    created: sometime,
    restricted: false,
    active: false,
    prohibit_login: false,
    location: '',
    website: '',
    description: '',
    visibility: account.kind === 'user' ? 'public' : account.visibility,
    followers_count: 0,
    following_count: 0,
    starred_repos_count: 0,
  };
}

/** Without `login`. */
export function organizationJson({ id, name, visibility }: Organisation, { url }: Bases) {
  return {
    id,
    name,
    username: name,
    full_name: '',
    email: '',
    avatar_url: `${url}/avatars/${id}`,
    description: '',
    website: '',
    location: '',
    visibility,
    repo_admin_change_team_access: false,
  };
}

export interface RepositoryView extends Bases {
  readonly role: Role;
  /** As Gitea's own table says it, which can lag behind git. */
  readonly isEmpty: boolean;
}

export async function repositoryJson(repository: Repository, view: RepositoryView) {
  const { id, name, owner, isPrivate, description, bare, releases, features } = repository;
  const { url, apiUrl, role, isEmpty } = view;
  const page = `${url}/${fullNameOf(repository)}`;
  const has = (feature: string) => features.get(feature) ?? true;
  return {
    id,
    owner: userJson(owner, view),
    name,
    full_name: fullNameOf(repository),
    description,
    empty: isEmpty,
    // Of the repository alone: in a limited or private organisation it says false all the same.
    private: isPrivate,
    fork: false,
    template: false,
    parent: null,
    mirror: false,
    size: 0,
    language: '',
    languages_url: `${apiUrl}/repos/${fullNameOf(repository)}/languages`,
    html_url: page,
    url: `${apiUrl}/repos/${fullNameOf(repository)}`,
    link: '',
    ssh_url: `git@localhost:${fullNameOf(repository)}.git`,
    clone_url: `${page}.git`,
    original_url: '',
    website: '',
    stars_count: 0,
    forks_count: 0,
    watchers_count: 0,
    open_issues_count: 0,
    open_pr_counter: 0,
    release_counter: [...releases.values()].filter(({ isDraft }) => !isDraft).length,
    default_branch: (await bare.head()).replace('refs/heads/', ''),
    archived: false,
    created_at: sometime,
    updated_at: sometime,
    archived_at: '1970-01-01T00:00:00Z',
    permissions: { admin: role === 'admin', push: isAtLeast(role, 'write'), pull: isAtLeast(role, 'read') },
    has_issues: has('has_issues'),
    has_wiki: has('has_wiki'),
    has_pull_requests: has('has_pull_requests'),
    has_projects: has('has_projects'),
    projects_mode: 'all',
    has_releases: has('has_releases'),
    has_packages: has('has_packages'),
    has_actions: has('has_actions'),
    ignore_whitespace_conflicts: false,
    allow_merge_commits: true,
    allow_rebase: true,
    allow_rebase_explicit: true,
    allow_squash_merge: true,
    allow_fast_forward_only_merge: true,
    allow_rebase_update: true,
    default_delete_branch_after_merge: false,
    default_merge_style: 'merge',
    default_allow_maintainer_edit: false,
    avatar_url: '',
    internal: !isPrivate && owner.kind === 'organisation' && owner.visibility === 'private',
    mirror_interval: '',
    object_format_name: 'sha1',
    mirror_updated: never,
    repo_transfer: null,
  };
}

export function releaseJson(release: Release, repository: Repository, bases: Bases) {
  const { id, tag, target, title, text, isDraft, isPrerelease, author } = release;
  const self = `${bases.apiUrl}/repos/${fullNameOf(repository)}/releases/${id}`;
  const page = `${bases.url}/${fullNameOf(repository)}`;
  return {
    id,
    tag_name: tag,
    target_commitish: target,
    name: title,
    body: text,
    url: self,
    html_url: `${page}/releases/tag/${encodeURIComponent(tag)}`,
    tarball_url: `${page}/archive/${encodeURIComponent(tag)}.tar.gz`,
    zipball_url: `${page}/archive/${encodeURIComponent(tag)}.zip`,
    upload_url: `${self}/assets`,
    draft: isDraft,
    prerelease: isPrerelease,
    // Both of the commit, not of the publication.
    created_at: sometime,
    published_at: sometime,
    author: userJson(author, bases),
    assets: [],
  };
}

export function tagJson(name: string, { id, peeled }: BareRef, repository: Repository, bases: Bases) {
  const page = `${bases.url}/${fullNameOf(repository)}`;
  const commit = peeled ?? id;
  return {
    name,
    message: '',
    id,
    commit: {
      url: `${bases.apiUrl}/repos/${fullNameOf(repository)}/git/commits/${commit}`,
      sha: commit,
      created: sometime,
    },
    zipball_url: `${page}/archive/${encodeURIComponent(name)}.zip`,
    tarball_url: `${page}/archive/${encodeURIComponent(name)}.tar.gz`,
  };
}

export function refJson(name: string, { id, type }: BareRef, repository: Repository, { apiUrl }: Bases) {
  const self = `${apiUrl}/repos/${fullNameOf(repository)}/git`;
  return { ref: name, url: `${self}/${name}`, object: { type, sha: id, url: `${self}/${type}s/${id}` } };
}
