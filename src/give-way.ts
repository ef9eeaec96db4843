import { setImmediate } from 'node:timers/promises';

/** Milliseconds that a loop may keep the event loop to itself. */
const turnMs = 1;

let turnStart = 0;

/** To be awaited in a long loop: lets others run, every few milliseconds. */
export function giveWay(): Promise<void> | undefined {
  return performance.now() - turnStart < turnMs ? undefined : takeTurn();
}

async function takeTurn(): Promise<void> {
  await setImmediate();
  turnStart = performance.now();
}
