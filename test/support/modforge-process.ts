/** modforge as a process of its own, as people run it, from `dist`: for what only several processes, or the end of one, can show. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { builtProgram } from './built-program.ts';
import { publisher } from './test-app.ts';

/** When a process ends itself. */
export interface KillPoint {
  /** Which changes count: those to files whose path holds this. */
  readonly path: string;
  /** The process ends right before this one of them; the first is 1. */
  readonly change: number;
}

export interface ModforgeProcess extends AsyncDisposable {
  /** `/api/packages/{owner}/go` of the owner acme. */
  readonly proxyUrl: string;
  /** Ends the process at once, as a crash would, and resolves when it is gone. */
  kill(): Promise<void>;
}

/** Starts modforge on the disk forge in `data`; resolves when it listens. */
export async function startModforgeProcess(data: string, killPoint?: KillPoint): Promise<ModforgeProcess> {
  const imports = killPoint ? ['--import', './test/support/kill-at-change.mjs'] : [];
  const child = spawn(process.execPath, [...imports, await builtProgram()], {
    cwd: join(import.meta.dirname, '../..'),
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH,
      PORT: '0',
      MODFORGE_DATA: data,
      MODFORGE_OWNERS: 'acme',
      MODFORGE_USERS: `${publisher.name}:${publisher.password}`,
      ...(killPoint && { TEST_KILL_PATH: killPoint.path, TEST_KILL_CHANGE: String(killPoint.change) }),
    },
  });
  const ended = once(child, 'close');
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  let errors = '';
  child.stderr.on('data', (text: Buffer) => {
    errors += text;
  });
  const url = await new Promise<string>((resolve, reject) => {
    ended.then(() => reject(new Error(`modforge did not start:\n${errors}`)), reject);
    createInterface({ input: child.stdout }).on('line', line => {
      const logged: { msg?: string; url?: string } = JSON.parse(line);
      if (logged.msg === 'modforge listens') resolve(logged.url ?? '');
    });
  });
  return { proxyUrl: `${url}/api/packages/acme/go`, kill, [Symbol.asyncDispose]: kill };
}
