import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');

/** Collects this process' garbage, which V8's threads would else do while something is measured, on the same processors. */
export const collectGarbage: () => void = runInNewContext('gc');
