/** A bare repository on disk, as the doubles look at it: through the real `git`. */
import { mkdir } from 'node:fs/promises';
import { gitIn } from '../plain-git.ts';

export interface BareRef {
  readonly id: string;
  readonly type: string;
  /** The object behind an annotated tag. */
  readonly peeled: string | undefined;
}

export interface BareRepository {
  readonly gitdir: string;
  /** By full name, in git's order. */
  refs(): Promise<ReadonlyMap<string, BareRef>>;
  /** The full name of the branch that HEAD names, there or not. */
  head(): Promise<string>;
  setHead(branch: string): Promise<void>;
  /** The id of the commit that a name, an abbreviation or an id stands for; undefined where there is none. */
  findCommit(name: string): Promise<string | undefined>;
  /** Makes a lightweight tag; false where there is one already. */
  createTag(tag: string, commit: string): Promise<boolean>;
  deleteTag(tag: string): Promise<void>;
  /** Names of the files under a folder of the commit's tree. */
  filesUnder(folder: string, commit: string): Promise<string[]>;
}

/** Makes it on disk; `defaultBranch` is what HEAD names until something is pushed. */
export async function initBareRepository(gitdir: string, defaultBranch: string): Promise<void> {
  await mkdir(gitdir, { recursive: true });
  await gitIn(gitdir)('init', '--quiet', '--bare', '--template=', `--initial-branch=${defaultBranch}`, '.');
}

export function openBareRepository(gitdir: string): BareRepository {
  const git = gitIn(gitdir);
  return {
    gitdir,
    async refs() {
      const format = '%(refname) %(objectname) %(objecttype) %(*objectname)';
      const lines = (await git('for-each-ref', `--format=${format}`)).split('\n').filter(line => line !== '');
      return new Map(
        lines.map(line => {
          const [name = '', id = '', type = '', peeled = ''] = line.split(' ');
          return [name, { id, type, peeled: peeled || undefined }] as const;
        }),
      );
    },
    head: () => git('symbolic-ref', 'HEAD'),
    async setHead(branch) {
      await git('symbolic-ref', 'HEAD', `refs/heads/${branch}`);
    },
    async findCommit(name) {
      const { stdout, exitCode } = await git.run(
        'rev-parse',
        '--verify',
        '--quiet',
        '--end-of-options',
        `${name}^{commit}`,
      );
      return exitCode === 0 ? stdout.trim() : undefined;
    },
    async createTag(tag, commit) {
      const { exitCode } = await git.run('update-ref', `refs/tags/${tag}`, commit, '0'.repeat(40));
      return exitCode === 0;
    },
    async deleteTag(tag) {
      await git('update-ref', '-d', `refs/tags/${tag}`);
    },
    async filesUnder(folder, commit) {
      const names = await git('ls-tree', '-r', '--name-only', commit, '--', `${folder}/`);
      return names === '' ? [] : names.split('\n');
    },
  };
}
