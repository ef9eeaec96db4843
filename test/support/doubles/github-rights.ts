/** What a caller of GitHub may do with a repository: the least of what the person may, and what the token was given. */
import { type Caller, type FineGrained, fold, greaterRole, lesserRole, type Role } from './accounts.ts';
import { type Repository, roleOf } from './repositories.ts';

export interface GithubRights {
  /** The person's, as `permissions` in REST says it. */
  readonly personal: Role;
  /** Whether REST shows the repository at all. */
  readonly isVisible: boolean;
  /** Of files and refs: git and releases. */
  readonly contents: Role;
  readonly mayAdminister: boolean;
  readonly mayReadActions: boolean;
  readonly mayChangeActions: boolean;
  readonly mayChangeWorkflows: boolean;
  /** The organisation wants single sign-on, for which the token was not authorised. */
  readonly lacksSso: boolean;
}

const everything = { mayAdminister: true, mayReadActions: true, mayChangeActions: true, mayChangeWorkflows: true };
const nothing = { mayAdminister: false, mayReadActions: false, mayChangeActions: false, mayChangeWorkflows: false };

/** `ssoOwners` are folded names of organisations with single sign-on. */
export function rightsAt(repository: Repository, caller: Caller, ssoOwners: ReadonlySet<string>): GithubRights {
  const { isPrivate } = repository;
  const anyone: Role = isPrivate ? 'none' : 'read';
  const asAnyone = { personal: anyone, isVisible: !isPrivate, contents: anyone, ...nothing, lacksSso: false };
  if (caller.kind === 'anonymous') return asAnyone;
  const personal = greaterRole(anyone, roleOf(caller.user, repository));
  const owner = fold(repository.owner.name);
  const { token } = caller;
  const authorizedFor = (token?.authorizedFor ?? []).map(fold);
  if (personal === 'none') return asAnyone;
  if (ssoOwners.has(owner) && !authorizedFor.includes(owner)) return { ...asAnyone, personal, lacksSso: true };
  if (token?.fineGrained !== undefined)
    return fineGrainedRights(repository, token.fineGrained, { ...asAnyone, personal });
  const scopes = token?.scopes;
  const isWhole = scopes === undefined || scopes.includes('repo') || (!isPrivate && scopes.includes('public_repo'));
  if (!isWhole) return { ...asAnyone, personal };
  const isAdmin = personal === 'admin';
  return {
    personal,
    isVisible: true,
    contents: personal,
    ...(isAdmin ? everything : nothing),
    mayReadActions: isAdmin,
    mayChangeWorkflows: scopes === undefined || scopes.includes('workflow'),
    lacksSso: false,
  };
}

function fineGrainedRights(
  repository: Repository,
  { owner, repositories, permissions }: FineGrained,
  rights: GithubRights,
): GithubRights {
  const isChosen =
    fold(owner) === fold(repository.owner.name) &&
    (repositories === undefined || repositories.map(fold).includes(fold(repository.name)));
  if (!isChosen) return rights;
  const { contents, administration, actions, workflows } = permissions;
  const isAdmin = rights.personal === 'admin';
  return {
    personal: rights.personal,
    // Every token may read metadata of the repositories it is for.
    isVisible: true,
    contents: greaterRole(rights.contents, lesserRole(rights.personal, contents ?? 'none')),
    mayAdminister: isAdmin && administration === 'write',
    mayReadActions: isAdmin && (administration !== undefined || actions !== undefined),
    mayChangeActions: isAdmin && administration === 'write',
    mayChangeWorkflows: workflows === 'write',
    lacksSso: false,
  };
}
