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
  readonly freshness: Freshness;
}

/** How long something rests on refs that would be believed anyway: until a time by performance.now(), and while `changes` stands. */
export interface Freshness {
  readonly until: number;
  readonly changes: number;
}

/** What a caller sees, and until when nobody needs to look whether it is still so, by performance.now(). */
interface SeenRefs extends KnownRefs {
  readonly until: number;
}

/** What decides where a module is, whether it is managed and what its versions are; HEAD comes along. */
const refPrefixes = ['refs/heads/', 'refs/tags/', 'refs/modforge/'];

/** In the last part of the time for which refs are believed they are asked for anew, so that nobody waits where many read. */
const renewalPart = 0.1;

/** An owner whose repositories can't be listed is not asked again in this time. */
const unlistableTtlMs = 60_000;

/** Rights are asked for again after this time. */
const rightsTtlMs = 60_000;

/** Undefined where there is no repository, or none to see. */
interface KnownRefs {
  readonly refs: Refs | undefined;
}

/** As Forge.repositoryNames gives them. */
interface Listing {
  readonly names: ReadonlySet<string> | undefined;
}

const service: Caller = { kind: 'service' };

export class Repositories {
  readonly #options: RepositoriesOptions;
  readonly #refs: SharedCache<KnownRefs>;
  /** Of an owner, for one caller. */
  readonly #listings: SharedCache<Listing>;
  /** The repository that was asked for last among those never seen, by owner and caller as the listings. */
  readonly #unseen: LRUCache<string, string>;
  /** Repositories that a caller has seen, by their refs. */
  readonly #seen = new LRUCache<string, true>({ max: 100_000 });
  readonly #logins = new SharedCache<Login>({ max: 10_000, ttlMs: rightsTtlMs });
  /** Counts the changes made through this process, of each repository and each owner: what was read before one is not believed after it. */
  readonly #changes = new LRUCache<string, number>({ max: 100_000 });
  /** All of those changes together. */
  #changeCount = 0;

  constructor(options: RepositoriesOptions) {
    this.#options = options;
    const { refsTtlMs } = options;
    this.#refs = new SharedCache({ max: 10_000, ttlMs: refsTtlMs });
    this.#listings = new SharedCache({
      max: 1_000,
      ttlMs: ({ names }) => (names === undefined ? unlistableTtlMs : refsTtlMs),
    });
    this.#unseen = new LRUCache({ max: 10_000, ttl: refsTtlMs, ttlResolution: 0 });
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
    const changes = this.#changeCount;
    let until = Number.POSITIVE_INFINITY;
    for (const reader of readers) {
      const seen = await this.#look(place, reader, signal);
      until = Math.min(until, seen.until);
      if (seen.refs === undefined) continue;
      const remote = this.#options.forge.remote(place, reader);
      const isPublic = isOpen || caller.kind === 'anonymous';
      return { place, refs: seen.refs, remote, isPublic, freshness: { until, changes } };
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

  /**
   * The repository's refs as `caller` sees them, at most `refsTtlMs` old; undefined where there is none, or none to see. Else
   * throws as Remote.refs.
   */
  async refs(place: Place, caller: Caller, signal: AbortSignal): Promise<Refs | undefined> {
    return (await this.#look(place, caller, signal)).refs;
  }

  /** Whether asking now for what has this freshness would give the same, and ask the forge for no refs. */
  isFresh({ until, changes }: Freshness): boolean {
    return changes === this.#changeCount && performance.now() < until;
  }

  /** As `refs`, but asked for now: for deciding what to write. */
  async freshRefs(place: Place, caller: Caller, signal: AbortSignal): Promise<Refs> {
    const refs = await this.#options.forge.remote(place, caller).refs({ prefixes: refPrefixes, signal });
    this.#seen.set(seenKey(place, caller), true);
    return refs;
  }

  /** To be called after a change of the repository's refs: they are asked for again by whoever reads next. */
  forget(place: Place): void {
    for (const name of [nameOf(place), place.owner]) this.#changes.set(name, (this.#changes.get(name) ?? 0) + 1);
    this.#changeCount++;
  }

  async #look(place: Place, caller: Caller, signal: AbortSignal): Promise<SeenRefs> {
    if (await this.#isUnlisted(place, caller, signal)) {
      return { refs: undefined, until: this.#listings.keptUntil(this.#keyOf(place.owner, caller)) };
    }
    const key = this.#keyOf(nameOf(place), caller);
    const ask = (shared: AbortSignal) => this.#askRefs(place, caller, shared);
    const { refs } = await this.#refs.get(key, ask, signal);
    const keptUntil = this.#refs.keptUntil(key);
    if (refs === undefined) return { refs, until: keptUntil };
    const until = keptUntil - this.#options.refsTtlMs * renewalPart;
    if (performance.now() > until) this.#refs.renew(key, ask);
    return { refs, until };
  }

  /** For what is known of a repository or an owner: another one for each caller, and after each change. */
  #keyOf(name: string, caller: Caller): string {
    return `${name} ${this.#changes.get(name) ?? 0} ${callerKey(caller)}`;
  }

  /**
   * Whether the list of the owner's repositories says that the caller sees no such one. `go` asks for every prefix of every path, so the
   * list is asked for when a second repository is wanted that the caller has never seen, and then answers for all of them. It only says
   * no: who may read is decided by the refs. A renamed repository is not on it under its old name, so in such a burst it is not found,
   * unless the caller has seen it by that name before.
   */
  async #isUnlisted(place: Place, caller: Caller, signal: AbortSignal): Promise<boolean> {
    if (this.#seen.get(seenKey(place, caller)) === true) return false;
    const key = this.#keyOf(place.owner, caller);
    const before = this.#unseen.get(key);
    this.#unseen.set(key, place.repo);
    if (before === undefined || before === place.repo) return false;
    const ask = async (shared: AbortSignal) => ({
      names: await this.#options.forge.repositoryNames(place.owner, caller, shared),
    });
    const { names } = await this.#listings.get(key, ask, signal);
    return names !== undefined && !names.has(place.repo.toLowerCase());
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

const nameOf = ({ owner, repo }: Place): string => `${owner}/${repo}`;

const seenKey = (place: Place, caller: Caller): string => `${nameOf(place)} ${callerKey(caller)}`;
