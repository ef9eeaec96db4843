import { constants, setPriority } from 'node:os';

/**
 * Lets the threads that answer requests go before the one that calls this. Only Linux counts priorities by thread: elsewhere it would be
 * the process's.
 */
export function lowerPriority(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Where a sandbox forbids it, all go at the same pace.
  }
}
