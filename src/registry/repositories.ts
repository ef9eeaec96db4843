/** The owner's repositories as one caller may see them: which one a module is in, and what its refs are right now. */

import { LRUCache } from 'lru-cache';
import { callerKey } from '../forge/caller-key.ts';
import type { Caller } from '../forge/credentials.ts';
import type { Forge, Login } from '../forge/forge.ts';
import { RepositoryNotFound } from '../git/errors.ts';
import type { Refs, Remote } from '../git/remote.ts';
import { type ModulePath, matchPrefixPatterns } from '../gomod/module-path.ts';
import { CredentialsNeeded, NotFound } from './errors.ts';
import type { PathRule } from './path-rule.ts';
import { type Place, placeModule } from './place-module.ts';
import { SharedCache } from './shared-cache.ts';

/** Who may read without credentials: what the forge shows to anyone, everything, or nothing. */
export type AnonymousRead = 'public' | 'all' | 'none';

export interface RepositoriesOptions {
  readonly forge: Forge;
  /** Owners served, as the forge spells them. */
  readonly owners: readonly string[];
  readonly pathRules: readonly PathRule[];
  readonly anonymousRead: AnonymousRead;
  /** Globs of module paths, separated by commas as in GOPRIVATE, that are only ever ours. */
  readonly privatePaths: string;
  /** How long refs are believed without asking again, in milliseconds. */
  readonly refsTtlMs: number;
}

export interface ModuleRequest {
  readonly owner: string;
  readonly module: ModulePath;
  readonly caller: Caller;
}

export interface OpenRepository {
  readonly place: Place;
  readonly remote: Remote;
  readonly refs: Refs;
  /** Whether anyone may read it, so that shared caches may keep what it says. */
  readonly isPublic: boolean;
}

/** What decides where a module is, whether it is managed and what its versions are; HEAD comes along. */
const refPrefixes = ['refs/heads/', 'refs/tags/', 'refs/modforge/'];

/** Rights are asked for again after this time. */
const rightsTtlMs = 60_000;

/** That there is no repository is known for as long. */
interface KnownRefs {
  readonly refs: Refs | undefined;
}

const service: Caller = { kind: 'service' };

export class Repositories {
  readonly #options: RepositoriesOptions;
  readonly #refs: SharedCache<KnownRefs>;
  readonly #logins = new SharedCache<Login>({ max: 10_000, ttlMs: rightsTtlMs });
  /** Counts the changes made through this process, a repository each: what was read before one is not believed after it. */
  readonly #changes = new LRUCache<string, number>({ max: 100_000 });

  constructor(options: RepositoriesOptions) {
    this.#options = options;
    this.#refs = new SharedCache({ max: 10_000, ttlMs: options.refsTtlMs });
  }

  get forge(): Forge {
    return this.#options.forge;
  }

  /** The owner as the configuration spells it; throws NotFound for one that is not served. */
  servedOwner(owner: string): string {
    const served = this.#findOwner(owner);
    if (served === undefined) {
      throw new NotFound(`the owner ${JSON.stringify(owner)} is not served here`, { dependsOnCaller: false });
    }
    return served;
  }

  place(owner: string, module: ModulePath): Place {
    const mapping = { rules: this.#options.pathRules, forgeHost: this.#options.forge.host };
    return placeModule(module, this.servedOwner(owner), mapping);
  }

  /** Who the caller is at the forge; throws CredentialsNeeded for an anonymous one, CredentialsRefused, ForgeUnavailable. */
  async login(caller: Caller, signal: AbortSignal): Promise<Login> {
    if (caller.kind !== 'user') throw new CredentialsNeeded('credentials of the forge are needed');
    const { credentials } = caller;
    const authenticate = (shared: AbortSignal) => this.#options.forge.authenticate(credentials, shared);
    return this.#logins.get(callerKey(caller), authenticate, signal);
  }

  /** Whether anyone may read of this owner. Throws CredentialsNeeded where nobody may without credentials, NotFound, and as `login`. */
  async checkReader(owner: string, caller: Caller, signal: AbortSignal): Promise<{ readonly isPublic: boolean }> {
    if (caller.kind === 'user') await this.login(caller, signal);
    this.servedOwner(owner);
    this.#checkAnonymous(caller);
    return { isPublic: this.#options.anonymousRead !== 'none' };
  }

  /**
   * The module's repository with the caller's rights to read, which are those that git grants to these credentials.
   * Throws NotFound or CredentialsNeeded, by the path and the caller alone and never by whether something exists.
   */
  async open({ owner, module, caller }: ModuleRequest, signal: AbortSignal): Promise<OpenRepository> {
    if (this.#findOwner(owner) === undefined) await this.checkReader(owner, caller, signal);
    const place = this.place(owner, module);
    this.#checkAnonymous(caller);
    const isOpen = this.#options.anonymousRead === 'all';
    // Where reading is open, credentials that are shown are looked at all the same: wrong ones are refused.
    const readers: Caller[] = isOpen && caller.kind === 'user' ? [caller, service] : [isOpen ? service : caller];
    for (const reader of readers) {
      const refs = await this.refs(place, reader, signal);
      if (refs === undefined) continue;
      const remote = this.#options.forge.remote(place, reader);
      return { place, refs, remote, isPublic: isOpen || caller.kind === 'anonymous' };
    }
    const isOurs = place.isOwnNamespace || matchPrefixPatterns(this.#options.privatePaths, module);
    if (caller.kind === 'anonymous' && isOurs) {
      throw new CredentialsNeeded(`no such module, or credentials are needed: ${module}`);
    }
    throw new NotFound(`no module ${module} here`, { dependsOnCaller: !isOpen });
  }

  #findOwner(owner: string): string | undefined {
    return this.#options.owners.find(one => one.toLowerCase() === owner.toLowerCase());
  }

  #checkAnonymous(caller: Caller): void {
    if (caller.kind === 'anonymous' && this.#options.anonymousRead === 'none') {
      throw new CredentialsNeeded('reading needs credentials of the forge');
    }
  }

  /** The repository's refs as `caller` sees them, at most `refsTtlMs` old; undefined where there is none, or none to see. Else throws as Remote.refs. */
  async refs(place: Place, caller: Caller, signal: AbortSignal): Promise<Refs | undefined> {
    const repository = `${place.owner}/${place.repo}`;
    const key = `${repository} ${this.#changes.get(repository) ?? 0} ${callerKey(caller)}`;
    return (await this.#refs.get(key, shared => this.#askRefs(place, caller, shared), signal)).refs;
  }

  /** As `refs`, but asked for now: for deciding what to write. */
  freshRefs(place: Place, caller: Caller, signal: AbortSignal): Promise<Refs> {
    return this.#options.forge.remote(place, caller).refs({ prefixes: refPrefixes, signal });
  }

  /** To be called after a change of the repository's refs: they are asked for again by whoever reads next. */
  forget(place: Place): void {
    const repository = `${place.owner}/${place.repo}`;
    this.#changes.set(repository, (this.#changes.get(repository) ?? 0) + 1);
  }

  async #askRefs(place: Place, caller: Caller, signal: AbortSignal): Promise<KnownRefs> {
    try {
      return { refs: await this.freshRefs(place, caller, signal) };
    } catch (error) {
      if (error instanceof RepositoryNotFound) return { refs: undefined };
      throw error;
    }
  }
}
