/** What a caller of Gitea may do: the person's rights, and, in REST and where a token comes as Basic, its scopes. */
import { type Account, type Caller, fold, greaterRole, type Role } from './accounts.ts';
import { type Repository, roleOf } from './repositories.ts';

/**
 * Who meets anonymous callers: nobody; Gitea itself (REQUIRE_SIGNIN_VIEW: 403 in REST, 401 in git); or a proxy before it, which sends
 * every request without credentials to a login page.
 */
export type SignInWall = 'none' | 'gitea' | 'proxy';

export type ScopeCategory = 'repository' | 'organization' | 'user';

export function hasScope(caller: Caller, level: 'read' | 'write', category: ScopeCategory): boolean {
  const scopes = caller.kind === 'user' ? caller.token?.scopes : undefined;
  if (scopes === undefined || scopes.includes('all')) return true;
  return scopes.includes(`write:${category}`) || (level === 'read' && scopes.includes(`read:${category}`));
}

/** Whether the caller sees that the owner exists. */
export function seesOwner(owner: Account, caller: Caller): boolean {
  if (owner.kind === 'user' || owner.visibility === 'public') return true;
  if (caller.kind === 'anonymous') return false;
  return owner.visibility === 'limited' || owner.members.has(fold(caller.user.name));
}

/** The person's role, whatever their token's scopes. */
export function personalRole(repository: Repository, caller: Caller): Role {
  const asAnyone: Role = !repository.isPrivate && seesOwner(repository.owner, caller) ? 'read' : 'none';
  return caller.kind === 'anonymous' ? asAnyone : greaterRole(asAnyone, roleOf(caller.user, repository));
}
