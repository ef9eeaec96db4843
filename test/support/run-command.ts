/** Runs another program to its end: what it printed, and how it ended. */
import { execFile } from 'node:child_process';

export interface CommandOptions {
  readonly cwd?: string;
  /** The whole environment of the program. */
  readonly env?: NodeJS.ProcessEnv;
  /** For standard input; empty unless given. */
  readonly input?: string | Buffer;
  /** Killed after this time, in milliseconds; two minutes unless given. */
  readonly timeoutMs?: number;
}

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** Runs `command`; throws where it can't be started or is killed, by the timeout too. */
export function runCommand(
  command: string,
  args: readonly string[],
  { cwd, env, input = '', timeoutMs = 120_000 }: CommandOptions = {},
): Promise<CommandResult> {
  const options = { cwd, env, timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 64 * 2 ** 20 } as const;
  return new Promise((resolve, reject) => {
    const child = execFile(command, args, options, (error, stdout, stderr) => {
      const exitCode = error ? error.code : 0;
      if (typeof exitCode === 'number') resolve({ stdout, stderr, exitCode });
      else reject(new Error(`${command} ${args.join(' ')} did not end by itself: ${stderr}`, { cause: error }));
    });
    // A program may end without having read what it was given.
    child.stdin?.on('error', () => {}).end(input);
  });
}

/** What `command` prints to standard output; throws with all that it said unless it succeeds. */
export async function outputOf(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { stdout, stderr, exitCode } = await runCommand(command, args, options);
  if (exitCode === 0) return stdout;
  throw new Error(`${command} ${args.join(' ')} ended with ${exitCode}:\n${stdout}${stderr}`);
}
