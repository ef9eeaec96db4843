/** A process that asks a thread once and has nothing else to do. */
import { startOrderedThread } from '../../src/ordered-thread.ts';
import { echoThread } from './echo-thread.ts';

const thread = startOrderedThread<string, string>(echoThread.module, echoThread.role);
const alive = setInterval(() => {}, 1_000);
process.stdout.write(await thread.ask('hello', []));
clearInterval(alive);
