import type { ObjectId } from './object-id.ts';

export interface Person {
  readonly name: string;
  readonly email: string;
  /** Seconds since 1970, UTC. */
  readonly time: number;
}

export interface Commit {
  readonly id: ObjectId;
  readonly tree: ObjectId;
  readonly parents: readonly ObjectId[];
  readonly author: Person;
  readonly committer: Person;
  readonly message: string;
}

/** The content of a commit object, dates in UTC; names and addresses must hold no `<`, `>`, NUL or line feed. */
export function encodeCommit(commit: Omit<Commit, 'id'>): Buffer {
  const person = (who: Person) => `${who.name} <${who.email}> ${who.time} +0000`;
  const lines = [
    `tree ${commit.tree}`,
    ...commit.parents.map(parent => `parent ${parent}`),
    `author ${person(commit.author)}`,
    `committer ${person(commit.committer)}`,
    '',
    commit.message,
  ];
  return Buffer.from(lines.join('\n'));
}
