import type { ObjectId, ObjectKind } from './object-id.ts';
import type { RefName } from './ref-name.ts';

/** There is no such repository, or the caller may not see it: the two are never told apart. */
export class RepositoryNotFound extends Error {
  override readonly name = 'RepositoryNotFound';
  readonly repository: string;
  constructor(repository: string, options?: ErrorOptions) {
    super(`no repository ${repository}, or no right to see it`, options);
    this.repository = repository;
  }
}

/** The store knows no such user, or the password or token is wrong. */
export class CredentialsRefused extends Error {
  override readonly name = 'CredentialsRefused';
}

/** The caller may see the repository but not write to it; the message says who said so, and how. */
export class WriteRefused extends Error {
  override readonly name = 'WriteRefused';
}

/** The store did not answer, or not in a form that can be believed. Trying again later may help. */
export class GitUnavailable extends Error {
  override readonly name = 'GitUnavailable';
  readonly retryAfterSeconds: number | undefined;
  constructor(message: string, options?: ErrorOptions & { retryAfterSeconds?: number }) {
    super(message, options);
    this.retryAfterSeconds = options?.retryAfterSeconds;
  }
}

/** A ref was not what the push expected: somebody else was first. */
export class RefMoved extends Error {
  override readonly name = 'RefMoved';
  readonly ref: RefName;
  constructor(ref: RefName, options?: ErrorOptions) {
    super(`${ref} is not what it was`, options);
    this.ref = ref;
  }
}

/** The store refuses the content or the name of what is pushed; trying again won't help. */
export class PushRefused extends Error {
  override readonly name = 'PushRefused';
}

/** The repository has no such object. */
export class ObjectMissing extends Error {
  override readonly name = 'ObjectMissing';
  readonly id: ObjectId;
  constructor(id: ObjectId, options?: ErrorOptions) {
    super(`the repository has no object ${id}`, options);
    this.id = id;
  }
}

/** An object that is not what its id or kind says. */
export class CorruptObject extends Error {
  override readonly name = 'CorruptObject';
  readonly id: ObjectId;
  constructor(id: ObjectId, problem: string, options?: ErrorOptions) {
    super(`object ${id}: ${problem}`, options);
    this.id = id;
  }
}

/** A commit with more files than anyone can use: trees may name each other so often that no memory holds all paths. */
export class TooManyFiles extends Error {
  override readonly name = 'TooManyFiles';
  constructor(commit: ObjectId, maxFiles: number) {
    super(`commit ${commit} has more than ${maxFiles} files`);
  }
}

/** An object of another kind than it was to be: a tag may point to anything. */
export class UnexpectedKind extends CorruptObject {
  readonly kind: ObjectKind;
  constructor(id: ObjectId, facts: { kind: ObjectKind; expected: ObjectKind }) {
    super(id, `it is a ${facts.kind}, not a ${facts.expected}`);
    this.kind = facts.kind;
  }
}

/** What is read is no sound pack, or goes beyond the limits given. */
export class CorruptPack extends Error {
  override readonly name: string = 'CorruptPack';
}
