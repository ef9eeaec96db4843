/** The forge port: what modforge asks of the place where the repositories live. One folder beside this file a forge. */
import type { ObjectId } from '../git/object-id.ts';
import type { Remote } from '../git/remote.ts';
import type { Caller, Credentials } from './credentials.ts';

/** A repository by its owner's name and its own. */
export interface RepositoryName {
  readonly owner: string;
  readonly repo: string;
}

/** Who publishes, as the forge names them. */
export interface Login {
  readonly name: string;
}

/** A release as people see it on the forge's pages; the version stands without it. */
export interface Release {
  readonly tag: string;
  /** The commit that the tag points to. */
  readonly commit: ObjectId;
  readonly title: string;
  /** Markdown. */
  readonly text: string;
  readonly isPrerelease: boolean;
}

/** What createRepository leaves to its caller to know. */
export interface RepositoryState {
  /** Whether it was made just now, and so has no refs. */
  readonly isNew: boolean;
  /** Whether the forge would run workflows that are pushed; then content that holds some may not be. */
  readonly runsActions: boolean;
}

export interface Forge {
  /** Host of the forge's address, without port, and its path if it has one; undefined where it has no address. */
  readonly host: string | undefined;
  /** Whether tags that differ in case alone are one to the forge, so that both can't be published. */
  readonly foldsTagCase: boolean;
  /** The largest file that the forge takes, in bytes; undefined where it sets no limit. */
  readonly maxFileBytes: number | undefined;
  /**
   * Whether making a release brings back its tag where that is deleted at the same moment. The deletion's record tells afterwards:
   * refs are read again after createRelease, and where it came meanwhile, release and tag are to be deleted once more.
   */
  readonly releaseRevivesTag: boolean;
  /**
   * Asked once at the start: what the forge is and in which version, for the log. Throws ForgeUnavailable where its address, the
   * service's token or one of the owners is wrong, and says which.
   */
  describe(owners: readonly string[], signal: AbortSignal): Promise<string>;
  /** Throws ForgeUnavailable where the forge does not answer. */
  checkReady(signal: AbortSignal): Promise<void>;
  /** Throws CredentialsRefused, or ForgeUnavailable. */
  authenticate(credentials: Credentials, signal: AbortSignal): Promise<Login>;
  /** The repository with the caller's rights; nothing is asked until the remote is used. */
  remote(name: RepositoryName, caller: Caller): Remote;
  /**
   * The names, in lower case, of all the owner's repositories that git shows to the caller, perhaps of some more: for saying that one
   * is not there. Undefined where that can't be told for certain: they are more than a hundred, the caller may not list them, the forge
   * is down. One that was renamed is listed by its new name alone, though git finds it by the old one too. Throws the signal's reason.
   */
  repositoryNames(owner: string, caller: Caller, signal: AbortSignal): Promise<ReadonlySet<string> | undefined>;
  /**
   * Makes a repository for uploads, set up as the configuration says, and reads the settings back; one that is there already is
   * left as it is, but for settings that a killed process did not come to: those of an empty one are made.
   * Throws WriteRefused, CredentialsRefused or ForgeUnavailable.
   */
  createRepository(name: RepositoryName, caller: Caller, signal: AbortSignal): Promise<RepositoryState>;
  /**
   * Makes the release of a tag that the caller has just seen at the release's commit; fine if it is there already. Where the forge
   * lags after a push or is down, it is tried again until the signal ends, and the tag looked at before each further attempt.
   * Throws ReleaseRefused where the forge will not or the tag is gone, CredentialsRefused, and ForgeUnavailable when the signal ends.
   */
  createRelease(name: RepositoryName, release: Release, caller: Caller, signal: AbortSignal): Promise<void>;
  /** Deletes the release of a tag, if there is one; the tag stays. Throws ReleaseRefused, WriteRefused, ForgeUnavailable. */
  deleteRelease(name: RepositoryName, tag: string, caller: Caller, signal: AbortSignal): Promise<void>;
}
