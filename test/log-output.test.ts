import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';

const module = join(import.meta.dirname, '../src/log-output.ts');

/** A process that runs `program` with `output`, the log's, and whose standard output and input are the test's. */
function start(program: string) {
  const whole = `import { logOutput } from ${JSON.stringify(module)}; const output = logOutput(); ${program}`;
  const args = ['--import', './scripts/typescript.mjs', '--input-type=module', '--eval', whole];
  return spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'ignore'] });
}

describe('logOutput', () => {
  for (const [end, last] of [
    ['ends by itself', ''],
    ['leaves', 'process.exit(1);'],
    ['throws', "throw new Error('x');"],
  ] as const) {
    it(`has written everything when the process ${end}`, async () => {
      const child = start(`for (let i = 0; i < 5000; i++) output.write(i + '\\n'); ${last}`);
      const [printed] = await Promise.all([text(child.stdout), once(child, 'close')]);
      assert.equal(printed, Array.from({ length: 5000 }, (_, i) => `${i}\n`).join(''));
    });
  }

  it('writes while the process goes on', async () => {
    const child = start("output.write('one\\n'); process.stdin.once('data', () => process.exit());");
    const [line] = await once(child.stdout, 'data');
    assert.equal(String(line), 'one\n');
    child.stdin.end('go');
    await once(child, 'close');
  });
});
