/** A double of Gitea 1.22. */
import { parseShownCredentials } from '../git-http-server.ts';
import { type Caller, isAtLeast } from './accounts.ts';
import { readSchema } from './check-schema.ts';
import { Refusal, type Reply } from './double-server.ts';
import type { RequestKind } from './faults.ts';
import {
  type Core,
  type Dialect,
  type ForgeDouble,
  type PushSeen,
  startForgeDouble,
  tagsCome,
  tagsGone,
} from './forge-double.ts';
import { giteaOperations } from './gitea-operations.ts';
import { apiError } from './gitea-replies.ts';
import { hasScope, personalRole, type SignInWall, seesOwner } from './gitea-rights.ts';

export interface GiteaDoubleOptions {
  readonly signInWall?: SignInWall;
}

export interface GiteaDouble extends ForgeDouble {
  setSignInWall(wall: SignInWall): void;
}

const basePath = '/api/v1';

/** What comes with 404, which Gitea describes as empty (services/context/api.go). */
const notFoundSchema = {
  type: 'object',
  required: ['message', 'url', 'errors'],
  properties: {
    message: { type: 'string' },
    url: { type: 'string' },
    errors: { type: ['array', 'null'], items: { type: 'string' } },
  },
};

export async function startGiteaDouble({ signInWall = 'none' }: GiteaDoubleOptions = {}): Promise<GiteaDouble> {
  let wall = signInWall;
  const { double } = await startForgeDouble('', core => makeGitea(core, () => wall));
  return {
    ...double,
    setSignInWall(kind) {
      wall = kind;
    },
  };
}

function makeGitea(core: Core, wall: () => SignInWall): Dialect {
  const { accounts, repositories } = core;
  const bases = () => ({ url: core.url(), apiUrl: `${core.url()}${basePath}` });
  const error = (status: number, message: string) => apiError(status, message, core.url());

  const badCredentials = (kind: RequestKind): Refusal =>
    new Refusal(
      kind === 'rest'
        ? error(401, 'user does not exist [uid: 0, name: ]')
        : // Without WWW-Authenticate.
          { status: 401, body: 'Unauthorized\n' },
    );

  const findBasic = (user: string, password: string): Caller | undefined => {
    const isInName = password === '' || password === 'x-oauth-basic';
    const token = accounts.findToken(isInName ? user : password);
    if (token !== undefined) return { kind: 'user', user: accounts.userOf(token), token, scheme: 'basic' };
    const account = accounts.find(user);
    const isRight = account?.kind === 'user' && account.password !== undefined && account.password === password;
    return isRight ? { kind: 'user', user: account, token: undefined, scheme: 'basic' } : undefined;
  };

  const identify = (header: string | undefined, kind: RequestKind): Caller => {
    if (header === undefined) return { kind: 'anonymous' };
    const shown = parseShownCredentials(header);
    if (shown?.kind === 'basic') {
      const caller = findBasic(shown.user, shown.password);
      if (caller === undefined) throw badCredentials(kind);
      return caller;
    }
    const token = accounts.findToken(/^(?:token|bearer) +(.+)$/i.exec(header)?.[1] ?? '');
    if (token === undefined) throw badCredentials(kind);
    return { kind: 'user', user: accounts.userOf(token), token, scheme: 'token' };
  };

  const notePush = (push: PushSeen): void => {
    const { repository, after } = push;
    const isFirstBranch = !repository.hasBranch && [...after.keys()].some(name => name.startsWith('refs/heads/'));
    if (isFirstBranch) repository.unseenRequests = core.lag();
    // The table of releases folds case, and keeps the release of a tag that went, as a draft, until the tag comes again.
    const change = (tags: readonly string[], isDraft: boolean) => {
      const folded = new Set(tags.map(tag => tag.toLowerCase()));
      for (const release of repository.releases.values()) {
        if (folded.has(release.tag.toLowerCase())) release.isDraft = isDraft;
      }
    };
    change(tagsGone(push), true);
    change(tagsCome(push), false);
  };

  return {
    basePath,
    schema: readSchema({
      file: 'gitea.json',
      errors: ['APIError', 'APINotFound'],
      undescribed: { APINotFound: notFoundSchema },
    }),
    operations: giteaOperations({ ...core, bases, wall }),
    slashedParams: ['ref'],
    identify,
    gate(request) {
      if (wall() !== 'proxy' || request.headers.authorization !== undefined) return undefined;
      if (request.url?.startsWith('/user/login')) {
        const headers = { 'Content-Type': 'text/html; charset=utf-8' };
        return { status: 200, body: '<!DOCTYPE html><html><body><form>Sign in</form></body></html>', headers };
      }
      return { status: 302, headers: { Location: '/user/login' } };
    },
    throttled: ({ retryAfterSeconds, status = 429 }) => ({
      status,
      body: 'Too many requests\n',
      headers: { 'Retry-After': String(retryAfterSeconds) },
    }),
    // In plain text, unlike all other errors.
    notFound: () => ({ status: 404, body: '404 page not found\n' }),
    finishRest: reply => reply,
    async authorizeGit(target, caller) {
      const [owner = '', name = '', ...more] = target.repository.split('/');
      const found = more.length > 0 ? { kind: 'absent' as const } : repositories.find(owner, name);
      const isPush = target.service === 'git-receive-pack';
      const notFound: Reply = { status: 404, body: 'Repository not found\n' };
      if (found.kind === 'renamed') {
        const query = target.query === '' ? '' : `?${target.query}`;
        const { owner: to, name: toName } = found.repository;
        return { status: 307, headers: { Location: `/${to.name}/${toName}.git/${target.file}${query}` } };
      }
      const repository = found.kind === 'repository' ? found.repository : undefined;
      const isPublicPull =
        repository !== undefined &&
        !repository.isPrivate &&
        !isPush &&
        seesOwner(repository.owner, { kind: 'anonymous' });
      if (!isPublicPull || wall() !== 'none') {
        if (caller.kind === 'anonymous') {
          return { status: 401, body: 'Unauthorized\n', headers: { 'WWW-Authenticate': 'Basic realm="Gitea"' } };
        }
        // The hole of 1.22: in any other form than Basic the token's scopes are not looked at.
        if (caller.scheme === 'basic' && !hasScope(caller, isPush ? 'write' : 'read', 'repository')) {
          return { status: 403, body: 'Forbidden\n' };
        }
      }
      if (repository === undefined) {
        const kind = accounts.find(owner)?.kind === 'organisation' ? 'organizations' : 'users';
        return isPush ? { status: 403, body: `Push to create is not enabled for ${kind}.\n` } : notFound;
      }
      const role = personalRole(repository, caller);
      if (role === 'none') return notFound;
      const denied = isPush && !isAtLeast(role, 'write');
      return core.grant(repository, {
        target,
        user: caller.kind === 'anonymous' ? 'anonymous' : caller.user.name,
        config: {
          'receive.fsckObjects': 'false',
          // Readers get as far as the hook.
          ...(denied && { 'double.denial': 'Gitea: User permission denied for writing.' }),
        },
        onPush: notePush,
      });
    },
  };
}
