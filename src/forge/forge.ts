/** The forge port: what modforge asks of the place where the repositories live. One folder beside this file a forge. */
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

export interface Forge {
  /** Host of the forge's address, without port, and its path if it has one; undefined where it has no address. */
  readonly host: string | undefined;
  /** Throws ForgeUnavailable where the forge does not answer. */
  checkReady(signal: AbortSignal): Promise<void>;
  /** Throws CredentialsRefused, or ForgeUnavailable. */
  authenticate(credentials: Credentials, signal: AbortSignal): Promise<Login>;
  /** The repository with the caller's rights; nothing is asked until the remote is used. */
  remote(name: RepositoryName, caller: Caller): Remote;
  /**
   * Makes a repository for uploads, set up as the configuration says; one that is there already is left as it is.
   * Throws WriteRefused, CredentialsRefused or ForgeUnavailable.
   */
  createRepository(name: RepositoryName, caller: Caller, signal: AbortSignal): Promise<void>;
}
