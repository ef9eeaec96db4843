import { setImmediate } from 'node:timers/promises';

/** Milliseconds that a loop may keep the event loop to itself. */
const turnMs = 0.5;

let turnStart = 0;

/** To be awaited in a long loop: lets others run, every half millisecond. */
export function giveWay(): Promise<void> | undefined {
  return performance.now() - turnStart < turnMs ? undefined : takeTurn();
}

/** What `steps` return, each taken in a turn that has room for it. */
export async function inTurns<T>(steps: Generator<void, T, void>): Promise<T> {
  for (;;) {
    await giveWay();
    const step = steps.next();
    if (step.done) return step.value;
  }
}

async function takeTurn(): Promise<void> {
  await setImmediate();
  turnStart = performance.now();
}
