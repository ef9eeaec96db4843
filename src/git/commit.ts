import { CorruptObject } from './errors.ts';
import { isObjectId, type ObjectId } from './object-id.ts';

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

/**
 * Reads the content of a commit object; the message comes as it is, to the last line feed. Headers that are not ours (signatures, encodings) are passed over.
 * Throws CorruptObject where tree or committer are missing or make no sense.
 */
export function parseCommit(id: ObjectId, content: Buffer): Commit {
  const text = content.toString('utf8');
  const headerEnd = text.indexOf('\n\n');
  const header = headerEnd < 0 ? text : text.slice(0, headerEnd);
  const values = (key: string) =>
    header.split('\n').flatMap(line => (line.startsWith(`${key} `) ? [line.slice(key.length + 1)] : []));
  const [tree = ''] = values('tree');
  const parents = values('parent');
  // Whoever wrote it counts for nothing, and git goes on where that makes no sense.
  const author = parsePerson(values('author')[0]) ?? { name: '', email: '', time: 0 };
  const committer = parsePerson(values('committer')[0]);
  if (!isObjectId(tree) || !parents.every(isObjectId) || committer === undefined) {
    throw new CorruptObject(id, 'not a commit that can be read');
  }
  const message = headerEnd < 0 ? '' : text.slice(headerEnd + 2);
  return { id, tree, parents, author, committer, message };
}

/** `{name} <{address}> {seconds} {zone}`; the zone only says how to show the time. */
function parsePerson(line: string | undefined): Person | undefined {
  const [, name, email, seconds] = /^(.*?) ?<([^<>]*)>.*? (\d+)(?: [+-]\d+)?$/.exec(line ?? '') ?? [];
  if (name === undefined || email === undefined || !Number.isSafeInteger(Number(seconds))) return undefined;
  return { name, email, time: Number(seconds) };
}
