/** A git repository as the rest of modforge sees it, wherever it lies: refs, a commit, some of its files, a snapshot, the history, a push. */

import type { SliceStore } from '../spool/slice-store.ts';
import type { Commit } from './commit.ts';
import type { DeflatedBlob } from './deflated-blob.ts';
import type { ObjectId } from './object-id.ts';
import type { PackedObject } from './packed-object.ts';
import type { RefName } from './ref-name.ts';

/** A ref and what it points to; `peeled` is the object behind an annotated tag, where it is one. */
export interface Ref {
  readonly name: RefName;
  readonly id: ObjectId;
  readonly peeled?: ObjectId;
}

export interface Refs {
  /** Refs under the prefixes asked for, by full name. */
  readonly byName: ReadonlyMap<RefName, Ref>;
  /** The branch that HEAD names, whether it exists yet or not, or the commit, where it names one by its id. */
  readonly head: RefName | ObjectId | undefined;
}

/** One step of a push: `from` is what the ref must be now (undefined: absent), `to` what it becomes (undefined: deleted). */
export interface RefUpdate {
  readonly name: RefName;
  readonly from: ObjectId | undefined;
  readonly to: ObjectId | undefined;
}

/** Git's modes of files: a plain file, an executable one, a symbolic link, a submodule. */
export type FileMode = '100644' | '100755' | '120000' | '160000';

export interface SnapshotFile {
  /** The path in the tree, its parts separated by `/`. */
  readonly path: string;
  readonly mode: FileMode;
  readonly id: ObjectId;
  /** What the file holds; nothing for a submodule. */
  readonly blob: DeflatedBlob;
}

/** A commit and every file of its tree, in batches, in the tree's order, each of them checked against its id. */
export interface Snapshot {
  readonly commit: Commit;
  readonly files: AsyncIterable<readonly SnapshotFile[]>;
  /** Tells the files' compressed data from any other: what it is compressed to is not told by a commit. For use when all files were given. */
  readonly dataHash: () => string;
}

/** A commit, and the bytes of the blobs at the paths that were asked for; a path without one is left out. */
export interface CommitFiles {
  readonly commit: Commit;
  readonly files: ReadonlyMap<string, Buffer>;
}

/** What a commit says about its place in the history; `time` is the committer's, in seconds since 1970. */
export interface HistoryCommit {
  readonly id: ObjectId;
  /** None where the repository is shallow and cut off here. */
  readonly parents: readonly ObjectId[];
  readonly time: number;
}

/** The commits that lead from the tips to the known ones; ids of other objects than commits count for nothing. */
export interface HistoryRange {
  readonly tips: readonly ObjectId[];
  /** They may be ones that the repository lacks. */
  readonly known: readonly ObjectId[];
  readonly signal: AbortSignal;
}

export interface Push {
  /** The new objects; they and what the repository has must hold all that the new tips need. */
  readonly objects: readonly PackedObject[];
  /** All of them happen or none; their order is the order in which they become visible where the store has no transactions. */
  readonly updates: readonly RefUpdate[];
  readonly signal: AbortSignal;
}

/** A push whose objects go into the repository before all of them are known. Where it is disposed of and was not made, nothing stays. */
export interface BegunPush extends AsyncDisposable {
  /** Takes objects that the push will hold; the calls must wait for each other. */
  add(objects: readonly PackedObject[]): Promise<void>;
  /** Makes the push, as Remote.push does; for one call. */
  push(push: Push): Promise<void>;
}

/**
 * Every method throws RepositoryNotFound where the caller may not see the repository or there is none,
 * CredentialsRefused where the credentials are wrong, and GitUnavailable where the store does not answer.
 */
export interface Remote {
  /** Where people clone it, for provenance; undefined where it has no address of its own. */
  readonly url: string | undefined;
  /** Refs whose full name begins with one of `prefixes`, and HEAD. */
  refs(options: { prefixes: readonly string[]; signal: AbortSignal }): Promise<Refs>;
  /** Throws ObjectMissing, or CorruptObject where the object is no commit or is damaged. */
  commit(id: ObjectId, signal: AbortSignal): Promise<Commit>;
  /** What lies at `paths` in the commit's tree: of a symbolic link its target, of a folder or submodule nothing. Throws as `commit`. */
  files(commit: ObjectId, paths: readonly string[], signal: AbortSignal): Promise<CommitFiles>;
  /** `store` keeps the files' content, which goes with it. Throws as `commit`; iterating over the files throws as well. */
  snapshot(commit: ObjectId, store: SliceStore, signal: AbortSignal): Promise<Snapshot>;
  /**
   * Every commit that can be reached from the tips and not from the known ones, in no particular order. Where committers' clocks went backwards
   * some of the known ones' ancestors may be among them. Throws ObjectMissing where a tip is not there.
   */
  history(range: HistoryRange): Promise<readonly HistoryCommit[]>;
  /** Throws RefMoved where a ref is not what it must be, PushRefused where the store will not take it. */
  push(push: Push): Promise<void>;
  /** Begins a push whose objects are not all known yet; only a store that can take some of them early has it. */
  beginPush?(signal: AbortSignal): Promise<BegunPush>;
}
