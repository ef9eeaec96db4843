/** A clone-to-be of the test's own, from which the real `git` pushes with one or other form of credentials. */
import { type Git, gitIn } from '../plain-git.ts';
import type { CommandResult } from '../run-command.ts';
import { makeTemporaryFolder } from '../temporary-folder.ts';

export interface WorkingCopy extends AsyncDisposable {
  readonly git: Git;
  /** Makes a commit, of one more file, and gives its id. */
  commit(file?: string): Promise<string>;
  /** Runs `git` with an Authorization header, or none; throws unless it succeeds. */
  as(authorization: string | undefined, ...args: string[]): Promise<string>;
  tryAs(authorization: string | undefined, ...args: string[]): Promise<CommandResult>;
}

export const basic = (password: string, user = 'x'): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

/** An empty repository on branch `main`. */
export async function makeWorkingCopy(): Promise<WorkingCopy> {
  const folder = await makeTemporaryFolder();
  const git = gitIn(folder.path, { env: { GIT_TERMINAL_PROMPT: '0' } });
  await git('init', '--quiet', '--initial-branch=main', '.');
  let commits = 0;
  const withHeader = (authorization: string | undefined, args: readonly string[]) =>
    authorization === undefined ? [...args] : ['-c', `http.extraHeader=Authorization: ${authorization}`, ...args];
  return {
    git,
    async commit(file = 'README.md') {
      commits += 1;
      const blob = await git.with({ input: `${commits}\n` })('hash-object', '-w', '--stdin');
      await git('update-index', '--add', '--cacheinfo', `100644,${blob},${file}`);
      await git('commit', '--quiet', '--message', `commit ${commits}`);
      return git('rev-parse', 'HEAD');
    },
    as: (authorization, ...args) => git(...withHeader(authorization, args)),
    tryAs: (authorization, ...args) => git.run(...withHeader(authorization, args)),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}
