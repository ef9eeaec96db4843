import { execFileSync } from 'node:child_process';

/** What git prints, byte for byte; throws unless it succeeds. For what is no text, which `plain-git.ts` is for. */
export function gitBytes(directory: string, args: readonly string[], input: string | Uint8Array = ''): Buffer {
  const env = { PATH: process.env.PATH, HOME: '/nonexistent', LC_ALL: 'C', GIT_CONFIG_NOSYSTEM: '1' };
  return execFileSync('git', args, { cwd: directory, env, input, maxBuffer: 256 * 2 ** 20, stdio: 'pipe' });
}
