import type { H1 } from '../gomod/h1.ts';

/** Nothing here answers to that module, version or owner, for this caller. */
export class NotFound extends Error {
  override readonly name = 'NotFound';
  /** Whether the answer might be another with credentials, or with other ones. */
  readonly dependsOnCaller: boolean;
  constructor(message: string, options: { dependsOnCaller: boolean } & ErrorOptions) {
    super(message, options);
    this.dependsOnCaller = options.dependsOnCaller;
  }
}

/** The caller showed no credentials where some are needed. */
export class CredentialsNeeded extends Error {
  override readonly name = 'CredentialsNeeded';
}

/** A policy of modforge, not of the forge, says no. */
export class NotAllowed extends Error {
  override readonly name = 'NotAllowed';
}

/** What one thing in an upload is refused for: a stable code, the file it is about ('' for the whole), the reason. */
export interface UploadProblem {
  readonly code: string;
  readonly file: string;
  readonly reason: string;
}

/** The upload is no valid module zip, or holds what the forge could not: everything that is wrong with it at once. */
export class InvalidUpload extends Error {
  override readonly name = 'InvalidUpload';
  readonly problems: readonly UploadProblem[];
  constructor(summary: string, problems: readonly UploadProblem[], options?: ErrorOptions) {
    super(summary, options);
    this.problems = problems;
  }
}

/** The version is there, or was and may not be replaced, or its place belongs to another module. */
export class PublishConflict extends Error {
  override readonly name = 'PublishConflict';
}

/** The tag moved or went while it was being deleted. */
export class DeleteConflict extends Error {
  override readonly name = 'DeleteConflict';
}

/** What the repository holds is not what was published: never served, never cached. */
export class HashMismatch extends Error {
  override readonly name = 'HashMismatch';
  readonly module: string;
  readonly version: string;
  readonly file: 'go.mod' | 'zip';
  readonly recorded: H1;
  readonly found: H1;
  constructor(facts: { module: string; version: string; file: 'go.mod' | 'zip'; recorded: H1; found: H1 }) {
    const { module, version, file, recorded, found } = facts;
    super(`${module} ${version}: the ${file} was published as ${recorded} but the repository now gives ${found}`);
    this.module = module;
    this.version = version;
    this.file = file;
    this.recorded = recorded;
    this.found = found;
  }
}

/** A commit that carries hashes of a published version, but not one whole record. */
export class DamagedRecord extends Error {
  override readonly name = 'DamagedRecord';
  readonly commit: string;
  constructor(commit: string) {
    super(
      `commit ${commit} has a damaged record: Module, Version, Zip-Hash and Go-Mod-Hash must each stand in it once`,
    );
    this.commit = commit;
  }
}

/** More commits than modforge looks through for what a branch or an id is called. */
export class HistoryTooLong extends Error {
  override readonly name = 'HistoryTooLong';
  constructor(repository: string, maxCommits: number) {
    super(`${repository} has more than ${maxCommits} commits, and only its tags are served; ask for a tag`);
  }
}

/** A version that people pushed, and that can't be served as one. */
export class UnservableVersion extends Error {
  override readonly name = 'UnservableVersion';
  constructor(reason: string, options?: ErrorOptions) {
    super(`this version can't be served: ${reason}`, options);
  }
}
