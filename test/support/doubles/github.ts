/** A double of GitHub, or of a GitHub Enterprise server. */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { parseShownCredentials } from '../git-http-server.ts';
import { type Caller, fold, isAtLeast } from './accounts.ts';
import { readSchema } from './check-schema.ts';
import { Refusal, type Reply } from './double-server.ts';
import type { RequestKind } from './faults.ts';
import {
  type Core,
  type Dialect,
  type ForgeDouble,
  type PushSeen,
  startForgeDouble,
  tagsGone,
} from './forge-double.ts';
import { githubOperations } from './github-operations.ts';
import { refusal, ssoHeader } from './github-replies.ts';
import { rightsAt } from './github-rights.ts';

export interface GithubDoubleOptions {
  /** `/api/v3`, as an Enterprise server has it, or '' for REST at the root, as at api.github.com; `/api/v3` unless given. */
  readonly basePath?: '/api/v3' | '';
  /** REST calls an hour, for each who calls; 5,000 unless given. Anonymous callers have 60. */
  readonly quota?: number;
}

export interface GithubDouble extends ForgeDouble {
  /** What everybody may still ask in this hour. */
  setQuota(calls: number): void;
  /** The organisation wants single sign-on from now on; see NewToken.authorizedFor. */
  requireSso(organisation: string): void;
  /** Whether releases made from now on are immutable. */
  setImmutableReleases(repository: string, isOn: boolean): void;
}

export async function startGithubDouble({
  basePath = '/api/v3',
  quota = 5000,
}: GithubDoubleOptions = {}): Promise<GithubDouble> {
  const ssoOwners = new Set<string>();
  const meter = makeMeter(quota);
  const { double, core } = await startForgeDouble('ghp_', parts =>
    makeGithub({ core: parts, basePath, ssoOwners, meter }),
  );
  return {
    ...double,
    setQuota: meter.setQuota,
    requireSso: organisation => void ssoOwners.add(fold(organisation)),
    setImmutableReleases(name, isOn) {
      core.repositories.get(name).makesImmutableReleases = isOn;
    },
  };
}

interface GithubParts {
  readonly core: Core;
  readonly basePath: string;
  readonly ssoOwners: ReadonlySet<string>;
  readonly meter: Meter;
}

function makeGithub({ core, basePath, ssoOwners, meter }: GithubParts): Dialect {
  const { accounts, repositories } = core;
  const bases = () => ({ url: core.url(), apiUrl: `${core.url()}${basePath}` });

  const findCaller = (header: string | undefined, kind: RequestKind): Caller => {
    if (header === undefined) return { kind: 'anonymous' };
    const shown = parseShownCredentials(header);
    const values =
      shown?.kind === 'basic' ? [shown.password, shown.user] : [/^(?:token|bearer) +(.+)$/i.exec(header)?.[1] ?? ''];
    const token = values.map(accounts.findToken).find(found => found !== undefined);
    // Git takes Basic alone.
    if (token === undefined || (kind === 'git' && shown?.kind !== 'basic')) throw badCredentials(kind);
    return { kind: 'user', user: accounts.userOf(token), token, scheme: shown?.kind === 'basic' ? 'basic' : 'token' };
  };

  const notePush = (push: PushSeen): void => {
    const { repository } = push;
    repository.unseenRequests = core.lag();
    // A release whose tag goes is left as a draft without one.
    for (const tag of tagsGone(push)) {
      for (const release of repository.releases.values()) {
        if (release.tag !== tag || release.isDraft) continue;
        Object.assign(release, { tag: `untagged-${release.id.toString(16).padStart(20, '0')}`, isDraft: true });
      }
    }
  };

  return {
    basePath,
    schema: readSchema({ file: 'github.json', errors: ['basic-error', 'validation-error'] }),
    operations: githubOperations({
      ...core,
      bases,
      rights: (repository, caller) => rightsAt(repository, caller, ssoOwners),
    }),
    slashedParams: ['ref', 'tag'],
    identify: findCaller,
    gate: (request, kind) => (kind === 'rest' ? meter.refuse(request) : undefined),
    throttled: ({ retryAfterSeconds, status = 403 }) =>
      refusal(status, 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.', {
        'Retry-After': String(retryAfterSeconds),
      }),
    // Renamed repositories are redirected to their number.
    rewritePath(path) {
      const [, id, rest = ''] = /^\/repositories\/(\d+)(\/.*)?$/.exec(path) ?? [];
      const repository = id === undefined ? undefined : repositories.findById(Number(id));
      return repository === undefined ? path : `/repos/${repository.owner.name}/${repository.name}${rest}`;
    },
    notFound: () => refusal(404, 'Not Found'),
    finishRest(reply, { request }) {
      const headers = {
        ...(basePath !== '' && { 'X-GitHub-Enterprise-Version': '3.19.0' }),
        'X-GitHub-Media-Type': 'github.v3; format=json',
        Vary: 'Accept, Authorization, Cookie, X-GitHub-OTP',
        ...reply.headers,
      };
      const isUnchanged = conditional(reply, request);
      return {
        ...isUnchanged,
        headers: { ...headers, ...isUnchanged.headers, ...meter.count(request, isUnchanged.status) },
      };
    },
    async authorizeGit(target, caller) {
      const [owner = '', name = '', ...more] = target.repository.split('/');
      const found = more.length > 0 ? { kind: 'absent' as const } : repositories.find(owner, name);
      const hidden = (): Reply =>
        caller.kind === 'anonymous' ? badCredentials('git').reply : { status: 404, body: 'Repository not found.\n' };
      if (found.kind === 'absent') return hidden();
      const { repository } = found;
      const { contents, lacksSso, mayChangeWorkflows } = rightsAt(repository, caller, ssoOwners);
      if (lacksSso && repository.isPrivate) {
        const text = `The '${repository.owner.name}' organization has enabled or enforced SAML SSO.\n`;
        return { status: 403, body: text, headers: ssoHeader(repository.owner.name, core.url()) };
      }
      if (contents === 'none') return hidden();
      const isPush = target.service === 'git-receive-pack';
      if (isPush && caller.kind === 'anonymous') return badCredentials('git').reply;
      if (found.kind === 'renamed') {
        const query = target.query === '' ? '' : `?${target.query}`;
        const location = `${core.url()}/${repository.owner.name}/${repository.name}.git/${target.file}${query}`;
        return { status: target.file === 'info/refs' ? 301 : 307, headers: { Location: location } };
      }
      const user = caller.kind === 'anonymous' ? 'anonymous' : caller.user.name;
      if (isPush && !isAtLeast(contents, 'write')) {
        return {
          status: 403,
          body: `Permission to ${repository.owner.name}/${repository.name}.git denied to ${user}.\n`,
        };
      }
      return core.grant(repository, {
        target,
        user,
        config: {
          'double.lockedRefs': lockedTags(repository.releases.values(), repository.burnedTags),
          ...(!mayChangeWorkflows && { 'double.workflowRefusal': 'true' }),
        },
        onPush: notePush,
      });
    },
  };
}

const lockedTags = (releases: Iterable<{ tag: string; isImmutable: boolean }>, burned: Iterable<string>): string =>
  [...burned, ...[...releases].filter(({ isImmutable }) => isImmutable).map(({ tag }) => tag)]
    .map(tag => `refs/tags/${tag}`)
    .join(' ');

const badCredentials = (kind: RequestKind): Refusal =>
  kind === 'rest'
    ? new Refusal(refusal(401, 'Bad credentials'))
    : new Refusal({
        status: 401,
        body: 'Invalid username or token. Password authentication is not supported for Git operations.\n',
        headers: { 'WWW-Authenticate': 'Basic realm="GitHub"' },
      });

/** With an ETag, and 304 where the client has it. */
function conditional(reply: Reply, request: IncomingMessage): Reply {
  if (request.method !== 'GET' || reply.status !== 200) return reply;
  const tag = `W/"${createHash('sha256').update(JSON.stringify(reply.body)).digest('hex')}"`;
  const isKnown = request.headers['if-none-match'] === tag;
  return { ...(isKnown ? { status: 304 } : reply), headers: { ...reply.headers, ETag: tag } };
}

interface Meter {
  setQuota(calls: number): void;
  /** Undefined while there is quota left. */
  refuse(request: IncomingMessage): Reply | undefined;
  /** The headers that say how much is left; 304 costs nothing. */
  count(request: IncomingMessage, status: number): Record<string, string>;
}

function makeMeter(quota: number): Meter {
  const anonymousQuota = 60;
  let limit = quota;
  const used = new Map<string, number>();
  const reset = String(Math.ceil(Date.now() / 1000) + 3600);
  const keyOf = ({ headers }: IncomingMessage) => headers.authorization ?? '';
  const limitOf = (key: string) => (key === '' ? Math.min(anonymousQuota, limit) : limit);
  const headersOf = (key: string) => ({
    'X-RateLimit-Limit': String(key === '' ? anonymousQuota : quota),
    'X-RateLimit-Remaining': String(Math.max(0, limitOf(key) - (used.get(key) ?? 0))),
    'X-RateLimit-Used': String(used.get(key) ?? 0),
    'X-RateLimit-Reset': reset,
    'X-RateLimit-Resource': 'core',
  });
  return {
    setQuota(calls) {
      limit = calls;
      used.clear();
    },
    refuse(request) {
      const key = keyOf(request);
      if ((used.get(key) ?? 0) < limitOf(key)) return undefined;
      return refusal(403, 'API rate limit exceeded for user ID 1.', headersOf(key));
    },
    count(request, status) {
      const key = keyOf(request);
      if (status !== 304) used.set(key, (used.get(key) ?? 0) + 1);
      return headersOf(key);
    },
  };
}
