/** The repositories of a forge: what it knows of each beside what git knows, and what the people may do with it. */
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Account, type Accounts, fold, greaterRole, type Role, type User } from './accounts.ts';
import { type BareRepository, initBareRepository, openBareRepository } from './bare-repository.ts';

export interface Release {
  readonly id: number;
  readonly author: User;
  tag: string;
  readonly target: string;
  readonly title: string;
  readonly text: string;
  isDraft: boolean;
  readonly isPrerelease: boolean;
  readonly isImmutable: boolean;
}

export interface Repository {
  readonly id: number;
  owner: Account;
  name: string;
  bare: BareRepository;
  isPrivate: boolean;
  description: string;
  /** `has_issues`, `has_actions` and the others of the forge. */
  readonly features: Map<string, boolean>;
  readonly collaborators: Map<string, Role>;
  readonly releases: Map<number, Release>;
  /** Whether a branch was ever pushed, as far as the forge has noticed. */
  hasBranch: boolean;
  /** How many requests more will be answered as if the last push had not been. */
  unseenRequests: number;
  makesImmutableReleases: boolean;
  /** Tags whose release was immutable, which are never free again, not even in another repository of this name. */
  readonly burnedTags: Set<string>;
}

export interface NewRepository {
  readonly owner: string;
  readonly name: string;
  readonly isPrivate?: boolean;
  readonly description?: string;
  readonly defaultBranch?: string;
  readonly features?: Readonly<Record<string, boolean>>;
}

export type Found =
  | { readonly kind: 'repository'; readonly repository: Repository }
  | { readonly kind: 'renamed'; readonly repository: Repository }
  | { readonly kind: 'absent' };

export interface Repositories {
  /** Holds `{owner}/{name}.git`. */
  readonly directory: string;
  /** Undefined where the name is taken. */
  create(repository: NewRepository): Promise<Repository | undefined>;
  find(owner: string, name: string): Found;
  findById(id: number): Repository | undefined;
  /** By `owner/name`, as tests say it; throws where there is none. */
  get(fullName: string): Repository;
  ofOwner(owner: Account): Repository[];
  all(): Repository[];
  rename(repository: Repository, owner: Account, name: string): Promise<void>;
  delete(repository: Repository): Promise<void>;
  nextId(): number;
}

export const fullNameOf = ({ owner, name }: Repository): string => `${owner.name}/${name}`;

export function makeRepositories(directory: string, accounts: Accounts): Repositories {
  const byName = new Map<string, Repository>();
  /** Whoever wants one that is there already is told so when it can be used. */
  const beingMade = new Map<string, Promise<void>>();
  const formerNames = new Map<string, Repository>();
  const burnedTags = new Map<string, Set<string>>();
  let lastId = 0;
  const nextId = () => {
    lastId += 1;
    return lastId;
  };
  const keyOf = (owner: string, name: string) => fold(`${owner}/${name}`);
  const gitdirOf = (owner: Account, name: string) => join(directory, owner.name, `${name}.git`);
  const all = () => [...byName.values()];
  const find = (owner: string, name: string): Found => {
    const key = keyOf(owner, name);
    const repository = byName.get(key);
    if (repository !== undefined) return { kind: 'repository', repository };
    const renamed = formerNames.get(key);
    return renamed === undefined ? { kind: 'absent' } : { kind: 'renamed', repository: renamed };
  };
  return {
    directory,
    nextId,
    find,
    all,
    async create({ owner, name, isPrivate = false, description = '', defaultBranch = 'main', features = {} }) {
      const account = accounts.get(owner);
      await beingMade.get(keyOf(owner, name));
      if (byName.has(keyOf(owner, name))) return undefined;
      const gitdir = gitdirOf(account, name);
      const repository: Repository = {
        id: nextId(),
        owner: account,
        name,
        bare: openBareRepository(gitdir),
        isPrivate,
        description,
        features: new Map(Object.entries(features)),
        collaborators: new Map(),
        releases: new Map(),
        hasBranch: false,
        unseenRequests: 0,
        makesImmutableReleases: false,
        burnedTags: burnedTags.get(keyOf(owner, name)) ?? new Set(),
      };
      // Before anything is waited for, so that of two that make it one loses.
      byName.set(keyOf(owner, name), repository);
      formerNames.delete(keyOf(owner, name));
      const made = initBareRepository(gitdir, defaultBranch);
      beingMade.set(keyOf(owner, name), made);
      await made;
      beingMade.delete(keyOf(owner, name));
      return repository;
    },
    findById: id => all().find(repository => repository.id === id),
    get(fullName) {
      const [owner = '', name = ''] = fullName.split('/');
      const found = find(owner, name);
      if (found.kind === 'repository') return found.repository;
      throw new Error(`the double has no repository ${fullName}`);
    },
    ofOwner: owner => all().filter(repository => repository.owner === owner),
    async rename(repository, owner, name) {
      const former = keyOf(repository.owner.name, repository.name);
      const gitdir = gitdirOf(owner, name);
      await mkdir(dirname(gitdir), { recursive: true });
      await rename(repository.bare.gitdir, gitdir);
      byName.delete(former);
      formerNames.set(former, repository);
      byName.set(keyOf(owner.name, name), repository);
      Object.assign(repository, { owner, name, bare: openBareRepository(gitdir) });
    },
    async delete(repository) {
      const key = keyOf(repository.owner.name, repository.name);
      byName.delete(key);
      burnedTags.set(key, repository.burnedTags);
      await rm(repository.bare.gitdir, { recursive: true, force: true });
    },
  };
}

/** What a user may do with a repository, whatever token they show. */
export function roleOf(user: User, { owner, collaborators }: Repository): Role {
  if (owner === user) return 'admin';
  const asMember = owner.kind === 'organisation' ? (owner.members.get(fold(user.name)) ?? 'none') : 'none';
  return greaterRole(asMember, collaborators.get(fold(user.name)) ?? 'none');
}
