import pino, { type DestinationStream } from 'pino';

/** A line waits so long for others at most. */
const maxDelayMs = 100;

/** As many characters are written at once. */
const maxWaiting = 16 * 1024;

/**
 * Standard output, for the log: lines are written several at a time, as a call to the system for each would be a good part of what a
 * reply from memory costs. At the end of the process none is left, unless it is killed.
 */
export function logOutput(): DestinationStream {
  const output = pino.destination({ sync: true });
  let waiting = '';
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    clearTimeout(timer);
    if (waiting !== '') output.write(waiting);
    waiting = '';
  };
  process.once('exit', flush);
  return {
    write(line) {
      if (waiting === '') timer = setTimeout(flush, maxDelayMs);
      waiting += line;
      if (waiting.length > maxWaiting) flush();
    },
  };
}
