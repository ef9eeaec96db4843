/** Bare repositories from a description, by `git fast-import` with fixed people and dates: every id is the same on every machine. */
import { initBareRepository } from './doubles/bare-repository.ts';
import { gitIn } from './plain-git.ts';

/** What a path of a tree holds; null takes it away. */
export type FileShape =
  | string
  | Buffer
  | { readonly symlink: string }
  | { readonly executable: string }
  /** The id of a commit of another repository. */
  | { readonly submodule: string }
  | null;

export interface CommitShape {
  /** Names of commits above in the table; the one just above unless given, [] for a root. */
  readonly parents?: readonly string[];
  /** What changes against the first parent, by path; a file with the commit's name unless given. */
  readonly files?: Readonly<Record<string, FileShape>>;
  /** When it was committed, as git writes it: `1700000000 +0530`. A minute after the commit above unless given. */
  readonly date?: string;
}

/** What a tag points at: a commit by its name, an annotated tag of something, a commit's tree, or the go.mod in it. */
export type TagTarget =
  | string
  | { readonly annotated: TagTarget }
  | { readonly tree: string }
  | { readonly blob: string };

/** Names of branches and tags may hold what `fillIds` fills in. */
export interface RepositoryShape {
  readonly commits: Readonly<Record<string, CommitShape>>;
  readonly branches?: Readonly<Record<string, string>>;
  readonly tags?: Readonly<Record<string, TagTarget>>;
  /** Refs that are neither, by full name. */
  readonly otherRefs?: Readonly<Record<string, string>>;
  /** The branch that HEAD names, there or not; `main` unless given. */
  readonly head?: string;
  /** The commit that HEAD holds in place of a branch's name. */
  readonly detachedHead?: string;
}

export interface MadeCommit {
  readonly id: string;
  readonly time: Date;
}

/** By their names in the shape. */
export type MadeCommits = ReadonlyMap<string, MadeCommit>;

/** Writes ids into a text: `<one>` is the id of the commit `one`, `<one/12>` its first twelve digits, `<one/time>` its time as pseudo-versions have it. */
export const fillIds = (text: string, commits: MadeCommits): string =>
  text.replace(/<(\w+)(?:\/(\w+))?>/g, (_, name: string, part = '40') => {
    const { id, time } = get(commits, name);
    return part === 'time' ? time.toISOString().replace(/\D/g, '').slice(0, 14) : id.slice(0, Number(part));
  });

function get(commits: MadeCommits, name: string): MadeCommit {
  const commit = commits.get(name);
  if (commit === undefined) throw new Error(`there is no commit ${name}`);
  return commit;
}

/** An annotated tag of what `target` says. */
export const annotated = (target: TagTarget): TagTarget => ({ annotated: target });

const people = {
  author: 'Ann Author <ann@example.com>',
  committer: 'Con Committer <con@example.com>',
};

const firstSecond = 1_700_000_000;

/** Makes the repository in an empty or absent folder. */
export async function makeBareRepository(gitdir: string, shape: RepositoryShape): Promise<MadeCommits> {
  const { commits, branches = {}, tags = {}, otherRefs = {}, head = 'main', detachedHead } = shape;
  await initBareRepository(gitdir, head);
  const git = gitIn(gitdir);
  const dates = Object.values(commits).map(({ date }, i) => date ?? `${firstSecond + i * 60} +0000`);
  const ids = (await git.with({ input: streamOf(commits, dates) })('fast-import', '--quiet')).split('\n');
  const made: MadeCommits = new Map(
    Object.keys(commits).map((name, i) => {
      const time = new Date(Number.parseInt(dates[i] ?? '', 10) * 1000);
      return [name, { id: ids[i] ?? '', time }] as const;
    }),
  );

  const refs = new Map(Object.entries(otherRefs).map(([name, commit]) => [name, get(made, commit).id]));
  for (const [name, commit] of Object.entries(branches)) refs.set(`refs/heads/${name}`, get(made, commit).id);
  for (const [name, target] of Object.entries(tags)) {
    refs.set(`refs/tags/${name}`, await makeTarget(gitdir, name, target, made));
  }
  const updates = [...refs].map(([name, object]) => `create ${fillIds(name, made)} ${object}\n`);
  await git.with({ input: updates.join('') })('update-ref', '--stdin');
  if (detachedHead !== undefined) await git('update-ref', '--no-deref', 'HEAD', get(made, detachedHead).id);
  return made;
}

/** What every commit is made on; not a ref that stays. */
const scratch = 'refs/import/all';

function streamOf(commits: RepositoryShape['commits'], dates: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  const write = (line: string) => void parts.push(Buffer.from(`${line}\n`));
  const writeData = (data: string | Buffer) => {
    const bytes = Buffer.from(data);
    write(`data ${bytes.byteLength}`);
    parts.push(bytes, Buffer.from('\n'));
  };
  const names = Object.keys(commits);
  const marks = new Map(names.map((name, i) => [name, `:${i + 1}`]));
  for (const [i, [name, { parents, files = { CHANGES: `${name}\n` } }]] of Object.entries(commits).entries()) {
    const date = dates[i] ?? '';
    const [seconds = '', zone = ''] = date.split(' ');
    const above = names[i - 1];
    const [first, ...others] = parents ?? (above === undefined ? [] : [above]);
    if (first === undefined) write(`reset ${scratch}`);
    write(`commit ${scratch}`);
    write(`mark ${marks.get(name)}`);
    // A day before it was committed: only one of the two is the version's time.
    write(`author ${people.author} ${Number(seconds) - 86_400} ${zone}`);
    write(`committer ${people.committer} ${date}`);
    writeData(`${name}\n`);
    // A commit's first parent is the one above unless git is told; being told, it reads that one back, which is slow.
    if (first !== undefined && first !== above) write(`from ${marks.get(first)}`);
    for (const other of others) write(`merge ${marks.get(other)}`);
    for (const [path, file] of Object.entries(files)) writeFile(quote(path), file);
    write('');
    // Git prints the commit's id.
    write(`get-mark ${marks.get(name)}`);
  }
  write(`reset ${scratch}`);
  write(`from ${'0'.repeat(40)}`);
  return Buffer.concat(parts);

  function writeFile(path: string, file: FileShape): void {
    if (file === null) {
      write(`D ${path}`);
    } else if (typeof file === 'object' && 'submodule' in file) {
      write(`M 160000 ${file.submodule} ${path}`);
    } else {
      const { mode, data } = contentOf(file);
      write(`M ${mode} inline ${path}`);
      writeData(data);
    }
  }
}

function contentOf(file: Exclude<FileShape, null | { readonly submodule: string }>): {
  readonly mode: string;
  readonly data: string | Buffer;
} {
  if (typeof file === 'string' || Buffer.isBuffer(file)) return { mode: '100644', data: file };
  return 'symlink' in file ? { mode: '120000', data: file.symlink } : { mode: '100755', data: file.executable };
}

/** As git quotes paths: control characters in octal. */
const quote = (path: string): string =>
  JSON.stringify(path).replace(
    /\\u00(..)/g,
    (_, hex: string) => `\\${Number.parseInt(hex, 16).toString(8).padStart(3, '0')}`,
  );

/** The object that a tag's ref holds, as an expression of git's. */
async function makeTarget(gitdir: string, tag: string, target: TagTarget, commits: MadeCommits): Promise<string> {
  if (typeof target === 'string') return get(commits, target).id;
  if ('tree' in target) return `${get(commits, target.tree).id}^{tree}`;
  if ('blob' in target) return `${get(commits, target.blob).id}:go.mod`;
  const git = gitIn(gitdir);
  const object = await git('rev-parse', await makeTarget(gitdir, tag, target.annotated, commits));
  const type = await git('cat-file', '-t', object);
  const lines = [`object ${object}`, `type ${type}`, `tag ${tag}`, `tagger ${people.committer} ${firstSecond} +0000`];
  return git.with({ input: `${lines.join('\n')}\n\n${tag}\n` })('mktag');
}
