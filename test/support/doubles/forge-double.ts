/** What the doubles of all forges have in common: people, repositories, pushes, and how a test steers and watches them. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GitTarget } from '../git-http-server.ts';
import { makeTemporaryFolder } from '../temporary-folder.ts';
import {
  type Accounts,
  fold,
  makeAccounts,
  type NewOrganisation,
  type NewToken,
  type NewUser,
  type Role,
  type Visibility,
} from './accounts.ts';
import type { BareRef } from './bare-repository.ts';
import { type DoubleServerOptions, type GitGrant, type Reply, startDoubleServer } from './double-server.ts';
import type { Fault, LoggedRequest, RequestKind } from './faults.ts';
import { makeRepositories, type NewRepository, type Repositories, type Repository } from './repositories.ts';

export interface ForgeDouble extends AsyncDisposable {
  /** `http://127.0.0.1:{port}`; a repository's git is at `{url}/acme/lib.git`. */
  readonly url: string;
  /** Where REST begins. */
  readonly apiUrl: string;
  /** Holds the bare repositories, `acme/lib.git`. */
  readonly directory: string;
  addUser(user: NewUser): void;
  addOrganisation(organisation: NewOrganisation): void;
  /** The token's text; it is known to the forge at once, and until it is revoked. */
  addToken(token: NewToken): string;
  revokeToken(token: string): void;
  /** Gives the folder of the bare repository. */
  addRepository(repository: NewRepository): Promise<string>;
  /** Of an organisation (`acme`), or of a repository (`acme/lib`), which is public or private. */
  setVisibility(name: string, visibility: Visibility): void;
  /** What somebody may do with one repository, beside what they may as a member of its owner. */
  setRole(repository: string, user: string, role: Role): void;
  /** Both as `owner/name`; the old address answers with redirects. */
  renameRepository(from: string, to: string): Promise<void>;
  deleteRepository(name: string): Promise<void>;
  /** Every request since the start, or since `forgetRequests`. */
  readonly log: readonly LoggedRequest[];
  countRequests(): Readonly<Record<RequestKind, number>>;
  forgetRequests(): void;
  addFault(fault: Fault): void;
  /** After each push, the REST calls that need its refs are answered so many times as if it had not been. */
  lagAfterPush(requests: number): void;
  /** The next requests are turned away, with the status that this forge throttles with unless given. */
  throttle(options: { requests: number; retryAfterSeconds: number; status?: number; kind?: RequestKind }): void;
  /** Every push from now on is refused by a pre-receive hook that says this; undefined takes them again. */
  refusePushes(text: string | undefined): void;
  /**
   * What requests and replies have had against the forge's own schema. A double that is disposed of with any left throws; a test that
   * means to send something wrong takes them out first.
   */
  takeViolations(): string[];
}

/** What GitHub says to pushes that it will not have. */
export const pushRefusals = {
  privateEmail: [
    'error: GH007: Your push would publish a private email address.',
    'You can make your email public or disable this protection by visiting:',
    'https://github.com/settings/emails',
  ].join('\n'),
  largeFile: [
    'error: Trace: 0',
    'error: See https://gh.io/lfs for more information.',
    "error: File big.bin is 101.00 MB; this exceeds GitHub's file size limit of 100.00 MB",
    'error: GH001: Large files detected. You may want to try Git Large File Storage - https://git-lfs.github.com.',
  ].join('\n'),
  ruleViolation: [
    'error: GH013: Repository rule violations found for refs/tags/v1.0.0.',
    '',
    '- Cannot create ref due to creations being restricted.',
  ].join('\n'),
};

/** What a forge adds to the common core. */
export interface Dialect extends DoubleServerOptions {
  readonly throttled: (options: { retryAfterSeconds: number; status?: number }) => Reply;
}

/** What a dialect is made from. */
export interface Core {
  readonly accounts: Accounts;
  readonly repositories: Repositories;
  /** Of the server, once it listens. */
  url(): string;
  /** Lets git answer for a repository; `config` is what the forge's hook reads and git obeys. */
  grant(repository: Repository, options: GrantOptions): Promise<GitGrant>;
  lag(): number;
}

export interface GrantOptions {
  readonly target: GitTarget;
  readonly user: string;
  readonly config?: Readonly<Record<string, string>>;
  /** Told what a push has changed, after it. */
  readonly onPush: (push: PushSeen) => void;
}

export interface PushSeen {
  readonly repository: Repository;
  /** By full name. */
  readonly before: ReadonlyMap<string, BareRef>;
  readonly after: ReadonlyMap<string, BareRef>;
}

/** Reads what it has against a push from configuration that comes with the request. */
const preReceiveHook = `#!/bin/sh
denial=$(git config double.denial) && { printf '%s\\n' "$denial" >&2; exit 1; }
refusal=$(git config double.refusal) && { printf '%s\\n' "$refusal" >&2; exit 1; }
locked=$(git config double.lockedRefs)
guarded=$(git config double.workflowRefusal)
while read -r old new ref; do
  case " $locked " in
    *" $ref "*) printf 'error: GH013: Repository rule violations found for %s.\\n\\n- Cannot change this immutable tag\\n' "$ref" >&2; exit 1 ;;
  esac
  case "$new" in *[!0]*) ;; *) continue ;; esac
  [ -z "$guarded" ] && continue
  for file in $(git ls-tree -r --name-only "$new" -- .github/workflows/); do
    printf 'refusing to allow a Personal Access Token to create or update workflow \`%s\` without \`workflow\` scope\\n' "$file" >&2
    exit 1
  done
done
`;

interface Throttling {
  left: number;
  readonly kind: RequestKind | undefined;
  readonly reply: Reply;
}

export interface StartedDouble {
  readonly double: ForgeDouble;
  readonly core: Core;
}

/** Starts a forge of the dialect that `makeDialect` makes. */
export async function startForgeDouble(
  tokenPrefix: string,
  makeDialect: (core: Core) => Dialect,
): Promise<StartedDouble> {
  const folder = await makeTemporaryFolder();
  const directory = join(folder.path, 'repositories');
  const hooks = join(folder.path, 'hooks');
  await Promise.all([mkdir(directory), mkdir(hooks)]);
  await writeFile(join(hooks, 'pre-receive'), preReceiveHook);
  await chmod(join(hooks, 'pre-receive'), 0o755);

  const accounts = makeAccounts(tokenPrefix);
  const repositories = makeRepositories(directory, accounts);
  let refusal: string | undefined;
  let lag = 0;
  let url = '';

  const grant = async (
    repository: Repository,
    { target, user, config = {}, onPush }: GrantOptions,
  ): Promise<GitGrant> => {
    const before = target.file === 'git-receive-pack' ? await repository.bare.refs() : new Map();
    return {
      gitdir: repository.bare.gitdir,
      user,
      config: {
        'core.hooksPath': hooks,
        'receive.denyDeleteCurrent': 'ignore',
        ...config,
        ...(refusal !== undefined && { 'double.refusal': refusal }),
      },
      async afterPush() {
        const push = { repository, before, after: await repository.bare.refs() };
        if (!isSame(push)) await notePush(push, onPush);
      },
    };
  };

  const core: Core = { accounts, repositories, url: () => url, grant, lag: () => lag };
  const dialect = makeDialect(core);
  let throttling: Throttling | undefined;
  const server = await startDoubleServer({
    ...dialect,
    gate(request, kind) {
      if (throttling !== undefined && throttling.left > 0 && (throttling.kind ?? kind) === kind) {
        throttling.left -= 1;
        return throttling.reply;
      }
      return dialect.gate?.(request, kind);
    },
  });
  url = `http://127.0.0.1:${server.port}`;

  const double: ForgeDouble = {
    url,
    apiUrl: `${url}${dialect.basePath}`,
    directory,
    addUser: accounts.addUser,
    addOrganisation: accounts.addOrganisation,
    addToken: accounts.addToken,
    revokeToken: accounts.revokeToken,
    async addRepository(options) {
      const repository = await repositories.create(options);
      if (repository === undefined) throw new Error(`${options.owner}/${options.name} is there already`);
      return repository.bare.gitdir;
    },
    setVisibility(name, visibility) {
      if (name.includes('/')) {
        repositories.get(name).isPrivate = visibility !== 'public';
        return;
      }
      const account = accounts.get(name);
      if (account.kind !== 'organisation') throw new Error(`${name} is no organisation`);
      account.visibility = visibility;
    },
    setRole: (repository, user, role) =>
      void repositories.get(repository).collaborators.set(fold(accounts.get(user).name), role),
    async renameRepository(from, to) {
      const [owner = '', name = ''] = to.split('/');
      await repositories.rename(repositories.get(from), accounts.get(owner), name);
    },
    deleteRepository: name => repositories.delete(repositories.get(name)),
    log: server.log,
    countRequests() {
      const git = server.log.filter(({ kind }) => kind === 'git').length;
      return { git, rest: server.log.length - git };
    },
    forgetRequests: () => void server.log.splice(0),
    addFault: server.faults.add,
    lagAfterPush(requests) {
      lag = requests;
    },
    throttle({ requests, kind, ...how }) {
      throttling = { left: requests, kind, reply: dialect.throttled(how) };
    },
    refusePushes(text) {
      refusal = text;
    },
    takeViolations: () => server.violations.splice(0),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
      if (server.violations.length > 0) {
        throw new Error(`the double and the forge's own schema disagree:\n${server.violations.join('\n')}`);
      }
    },
  };
  return { double, core };
}

const isSame = ({ before, after }: PushSeen): boolean =>
  before.size === after.size && [...before].every(([name, { id }]) => after.get(name)?.id === id);

const branchPrefix = 'refs/heads/';

/** The first branch that is pushed becomes the default one, where the one that HEAD names is not there. */
async function notePush(push: PushSeen, onPush: GrantOptions['onPush']): Promise<void> {
  const { repository, after } = push;
  const branches = [...after.keys()].filter(name => name.startsWith(branchPrefix));
  const [first] = branches;
  if (first !== undefined && !after.has(await repository.bare.head())) {
    await repository.bare.setHead(first.slice(branchPrefix.length));
  }
  onPush(push);
  if (first !== undefined) repository.hasBranch = true;
}

/** Tags that a push has taken away, without `refs/tags/`. */
export const tagsGone = ({ before, after }: PushSeen): string[] =>
  tagsOf(before).filter(tag => !after.has(`refs/tags/${tag}`));

/** Tags that a push has brought. */
export const tagsCome = ({ before, after }: PushSeen): string[] =>
  tagsOf(after).filter(tag => !before.has(`refs/tags/${tag}`));

const tagsOf = (refs: ReadonlyMap<string, BareRef>): string[] =>
  [...refs.keys()].flatMap(name => (name.startsWith('refs/tags/') ? [name.slice('refs/tags/'.length)] : []));
