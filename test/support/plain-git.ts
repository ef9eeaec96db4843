/** The `git` command as on a machine where nobody has set it up. */
import { type CommandResult, outputOf, runCommand } from './run-command.ts';

const person = { GIT_AUTHOR_NAME: 'Eve', GIT_AUTHOR_EMAIL: 'eve@example.com' };

const freshEnv = {
  PATH: process.env.PATH,
  HOME: '/nonexistent',
  LC_ALL: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  ...person,
  GIT_COMMITTER_NAME: person.GIT_AUTHOR_NAME,
  GIT_COMMITTER_EMAIL: person.GIT_AUTHOR_EMAIL,
};

export interface Git {
  /** What git prints, without the last line feed; throws unless it succeeds. */
  (...args: string[]): Promise<string>;
  run(...args: string[]): Promise<CommandResult>;
  /** The same with more in its environment, or with something to read. */
  with(options: GitOptions): Git;
}

export interface GitOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** For standard input. */
  readonly input?: string | Buffer;
}

/** Git in a folder: a bare repository or a work tree. */
export function gitIn(directory: string, { env = {}, input }: GitOptions = {}): Git {
  const options = { cwd: directory, env: { ...freshEnv, ...env }, ...(input !== undefined && { input }) };
  const git = async (...args: string[]) => (await outputOf('git', args, options)).replace(/\n$/, '');
  return Object.assign(git, {
    run: (...args: string[]) => runCommand('git', args, options),
    with: (more: GitOptions) => gitIn(directory, more),
  });
}

/** Everything that `git fsck --strict` has against a bare repository; '' for a sound one. */
export async function fsck(directory: string): Promise<string> {
  const { stdout, stderr, exitCode } = await gitIn(directory).run('fsck', '--strict', '--no-dangling', '--no-progress');
  // An empty repository is sound, whatever git has to remark on it.
  return exitCode === 0 ? '' : `${directory}:\n${stdout}${stderr}`;
}
