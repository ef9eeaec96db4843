/** Threads that answer in turn: nobody waits for ever, however one ends. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { after, describe, it } from 'node:test';
import { startOrderedThread } from '../src/ordered-thread.ts';
import { echoThread } from './support/echo-thread.ts';
import { outputOf } from './support/run-command.ts';

function startEcho(onEnd?: () => void): { ask(question: unknown): Promise<unknown> } {
  const { ask } = startOrderedThread<unknown, unknown>(echoThread.module, echoThread.role, onEnd);
  return { ask: question => ask(question, []) };
}

/** The niceness of each of this process's threads (proc(5)). */
function nicenessOfThreads(): Map<string, number> {
  const ids = readdirSync('/proc/self/task');
  return new Map(
    ids.map(id => {
      const [, fields = ''] = readFileSync(`/proc/self/task/${id}/stat`, 'utf8').split(/\) (?!.*\) )/);
      return [id, Number(fields.split(' ')[16])];
    }),
  );
}

describe('a thread that answers in turn', { timeout: 30_000 }, () => {
  // Such a thread does not keep the process from ending.
  const alive = setInterval(() => {}, 1_000);
  after(() => clearInterval(alive));

  it('gives each its own answer', async () => {
    const thread = startEcho();
    const questions = Array.from({ length: 100 }, (_, i) => `${i}`);
    assert.deepEqual(await Promise.all(questions.map(question => thread.ask(question))), questions);
  });

  it('takes over what is moved, and moves it back', async () => {
    const { ask } = startOrderedThread<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>(
      echoThread.module,
      echoThread.role,
    );
    const bytes = new Uint8Array([1, 2, 3]);
    const answer = ask(bytes, [bytes.buffer]);
    assert.equal(bytes.byteLength, 0);
    assert.deepEqual(await answer, new Uint8Array([1, 2, 3]));
  });

  for (const [last, reason] of [
    ['throw', /^Error: as asked$/],
    ['exit', /^Error: the thread for echoes has ended$/],
  ] as const) {
    it(`tells all who wait when it ends by ${last}, and those who come later`, async () => {
      let ends = 0;
      const thread = startEcho(() => {
        ends += 1;
      });
      assert.equal(await thread.ask('first'), 'first');
      const waiting = [thread.ask(last), thread.ask('behind')];
      await Promise.all(waiting.map(answer => assert.rejects(answer, reason)));
      assert.equal(ends, 1);
      await assert.rejects(thread.ask('later'), reason);
    });
  }

  it('does not keep the process from ending', async () => {
    const args = ['--import', './scripts/typescript.mjs', './test/support/ask-echo-thread.ts'];
    assert.equal(await outputOf(process.execPath, args, { timeoutMs: 20_000 }), 'hello');
  });

  it('lets the threads that answer requests go first', { skip: process.platform !== 'linux' }, async () => {
    const before = nicenessOfThreads();
    const thread = startEcho();
    await thread.ask('hello');
    const after = nicenessOfThreads();
    for (const [id, nice] of before) assert.equal(after.get(id) ?? nice, nice);
    const added = [...after].filter(([id]) => !before.has(id)).map(([, nice]) => nice);
    assert.ok(added.includes(constants.priority.PRIORITY_BELOW_NORMAL), `${added}`);
  });
});
