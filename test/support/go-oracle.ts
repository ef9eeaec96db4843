/** Go's own module library (golang.org/x/mod) as a reference: a small Go program that answers questions in batches. */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { hasGo } from './has-go.ts';

const run = promisify(execFile);

export type OracleAnswer = { ok: unknown; error?: undefined } | { ok?: undefined; error: string };

/** Why a comparison with Go can't run here, for node:test's `skip`; false where it can. In CI Go is required. */
export const skipWithoutGo: string | false = hasGo || process.env.CI ? false : 'go is not installed';

let binary: Promise<string> | undefined;

async function build(): Promise<string> {
  const output = join(await mkdtemp(join(tmpdir(), 'modforge-oracle-')), 'oracle');
  await run('go', ['build', '-o', output, '.'], { cwd: join(import.meta.dirname, 'oracle') });
  return output;
}

/** Asks the oracle's function `fn` once for each list of arguments; the answers come in the same order. */
export async function askGo(fn: string, calls: readonly (readonly unknown[])[]): Promise<OracleAnswer[]> {
  binary ??= build();
  const child = spawn(await binary, { stdio: ['pipe', 'pipe', 'inherit'] });
  for (const args of calls) child.stdin.write(`${JSON.stringify({ fn, args })}\n`);
  child.stdin.end();
  const answers: OracleAnswer[] = [];
  for await (const line of createInterface({ input: child.stdout })) answers.push(JSON.parse(line) as OracleAnswer);
  if (answers.length !== calls.length) {
    throw new Error(`the oracle answered ${answers.length} of ${calls.length} calls of ${fn}`);
  }
  return answers;
}
