/** A server as a process of its own: started, waited for until it answers, and stopped. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ServerOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Where what it prints goes. */
  readonly logFile: string;
  /** Answers once it serves. */
  readonly url: string;
}

export interface ServerProcess extends AsyncDisposable {
  readonly pid: number;
}

const startMs = 15_000;

/** Disposing lets it end what is under way. */
export async function startServer({ command, args, env = {}, logFile, url }: ServerOptions): Promise<ServerProcess> {
  // A file, as in production: whoever read a pipe would compete for the processor.
  const log = await open(logFile, 'a');
  const child = spawn(command, args, { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', log.fd, log.fd] });
  const ended = once(child, 'exit');
  ended.catch(() => {});
  await log.close();
  const deadline = performance.now() + startMs;
  while (!(await answers(url))) {
    if (child.pid === undefined || child.exitCode !== null || performance.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`${command} did not start:\n${await readFile(logFile, 'utf8')}`);
    }
    await sleep(20);
  }
  return {
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

const answers = (url: string): Promise<boolean> =>
  fetch(url).then(
    response => response.body?.cancel().then(() => true) ?? true,
    () => false,
  );

/** A port of this machine that nobody listens on. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address.port;
}
