/** Bare repositories `{directory}/{owner}/{repo}.git` as a forge, with users of its own: every user may write, anyone may read what is exported. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { constants } from 'node:fs';
import { CredentialsRefused, RepositoryNotFound, WriteRefused } from '../../git/errors.ts';
import type { Caller, Credentials } from '../credentials.ts';
import { ForgeUnavailable } from '../errors.ts';
import type { Forge, Login, RepositoryName } from '../forge.ts';
import type { Log } from '../log.ts';
import {
  type BareRepository,
  createBareRepository,
  isExportedRepository,
  openBareRepository,
} from './bare-repository.ts';
import { type FileSystem, makeDirectory, systemErrorCode } from './file-system.ts';
import { createLocalRemote } from './local-remote.ts';
import { createPeelMemory } from './object-reader.ts';

export interface LocalForgeOptions {
  /** `node:fs`, or memfs's for a forge in memory. */
  readonly fs: FileSystem;
  /** The folder of all repositories, absolute; made if it is not there. */
  readonly directory: string;
  /** Passwords by user. */
  readonly users: ReadonlyMap<string, string>;
  /** Of created repositories: whether anonymous callers see them. */
  readonly visibility: 'private' | 'public';
  readonly log: Log;
  /** Age in milliseconds from which a lock file counts as left behind; default 60,000. */
  readonly staleLockMs?: number;
}

export function createLocalForge(options: LocalForgeOptions): Forge {
  const { fs, users, visibility, log, staleLockMs = 60_000 } = options;
  const directory = options.directory.replace(/\/+$/, '');
  const peelMemory = createPeelMemory();
  const prepareDirectory = succeedOnce(() => makeDirectory(fs, directory || '/'));

  const login = (credentials: Credentials): Login => {
    const name = findUser(users, credentials);
    if (name === undefined) throw new CredentialsRefused('no such user, or the password is wrong');
    return { name };
  };

  /** Rights first, so that what exists shows only to those who may see it; then the repository, if it can be read. */
  const open = async (name: RepositoryName, caller: Caller, right: 'read' | 'write'): Promise<BareRepository> => {
    if (caller.kind === 'user') login(caller.credentials);
    const repository = `${name.owner}/${name.repo}`;
    if (!isSafe(name)) throw new RepositoryNotFound(repository);
    const gitdir = gitdirOf(directory, name);
    if (caller.kind === 'anonymous') {
      if (!(await isExportedRepository(fs, gitdir))) throw new RepositoryNotFound(repository);
      if (right === 'write') throw new WriteRefused(`cannot write to ${repository} without credentials`);
    }
    await prepareDirectory();
    const opened = await openBareRepository(fs, gitdir);
    if (opened !== undefined) return opened;
    // A folder that was taken away, an unmounted disk, must not look like a repository that never was.
    await fs.promises.readdir(directory || '/');
    throw new RepositoryNotFound(repository);
  };

  return {
    host: undefined,
    foldsTagCase: false,
    maxFileBytes: undefined,
    releaseRevivesTag: false,

    async describe(_owners, signal) {
      await this.checkReady(signal);
      return directory === '' ? 'repositories in memory' : `repositories in ${directory}`;
    },

    async checkReady(signal) {
      signal.throwIfAborted();
      const { R_OK, W_OK, X_OK } = constants;
      await orUnavailable(`cannot use the folder ${directory}`, async () => {
        await prepareDirectory();
        await fs.promises.access(directory || '/', R_OK | W_OK | X_OK);
      });
    },

    async authenticate(credentials, signal) {
      signal.throwIfAborted();
      return login(credentials);
    },

    remote: (name, caller) =>
      createLocalRemote({
        fs,
        gitdir: gitdirOf(directory, name),
        repository: `${name.owner}/${name.repo}`,
        open: right => open(name, caller, right),
        peelMemory,
        staleLockMs,
        log,
      }),

    // Looking for one that is not there costs less than reading the folder.
    repositoryNames: async () => undefined,

    // Plain repositories have no releases.
    async createRelease() {},
    async deleteRelease() {},

    async createRepository(name, caller, signal) {
      signal.throwIfAborted();
      const repository = `${name.owner}/${name.repo}`;
      if (caller.kind === 'user') login(caller.credentials);
      if (caller.kind === 'anonymous') throw new WriteRefused(`cannot create ${repository} without credentials`);
      if (!isSafe(name)) throw new WriteRefused(`cannot create ${repository}: no repository can have this name`);
      const gitdir = gitdirOf(directory, name);
      const make = () => createBareRepository(fs, gitdir, { isExported: visibility === 'public' });
      return { isNew: await orUnavailable(`cannot create ${repository}`, make), runsActions: false };
    },
  };
}

const gitdirOf = (directory: string, { owner, repo }: RepositoryName): string => `${directory}/${owner}/${repo}.git`;

/** Whether the names stay one folder each; what they may be is decided above, this only keeps out what would lead elsewhere. */
const isSafe = ({ owner, repo }: RepositoryName): boolean =>
  [owner, repo].every(name => /^[A-Za-z0-9._-]+$/.test(name) && !/^\.+$/.test(name));

/** The user whose password this is; every password is compared, in constant time, so that time tells nothing. */
function findUser(users: ReadonlyMap<string, string>, credentials: Credentials): string | undefined {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const shown = digest(credentials.kind === 'basic' ? credentials.password : credentials.token);
  const matching = Array.from(users).filter(([, password]) => timingSafeEqual(digest(password), shown));
  const names = matching.map(([name]) => name);
  return credentials.kind === 'basic' ? names.find(name => name === credentials.user) : names[0];
}

/** Runs `action` until it has worked once, and never again. */
function succeedOnce(action: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= action().catch((error: unknown) => {
      done = undefined;
      throw error;
    });
    return done;
  };
}

async function orUnavailable<T>(what: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw systemErrorCode(error) === undefined ? error : new ForgeUnavailable(what, { cause: error });
  }
}
