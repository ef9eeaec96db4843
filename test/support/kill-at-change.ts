/**
 * Loaded into a modforge process before it starts. Ends it, as `kill -9` does, right before the change number TEST_KILL_CHANGE
 * to files whose path holds TEST_KILL_PATH. Moments that take microseconds are met as often as those that take long.
 */
import { promises } from 'node:fs';

const { TEST_KILL_PATH: path = '', TEST_KILL_CHANGE: change } = process.env;
let changesLeft = Number(change);

function beforeChange(changed: string): void {
  if (!changed.includes(path)) return;
  changesLeft--;
  if (changesLeft === 0) process.kill(process.pid, 'SIGKILL');
}

for (const name of ['mkdir', 'rename', 'unlink', 'rmdir', 'chmod'] as const) {
  const original: (...args: never[]) => Promise<unknown> = promises[name];
  Reflect.set(promises, name, (...args: never[]) => {
    beforeChange(args.map(String).join(' '));
    return original(...args);
  });
}

const { open } = promises;
Reflect.set(promises, 'open', async (file: string, flags: string) => {
  if (flags !== 'r') beforeChange(file);
  const handle = await open(file, flags);
  for (const name of ['writev', 'datasync'] as const) {
    const original: (...args: never[]) => Promise<unknown> = handle[name].bind(handle);
    Reflect.set(handle, name, (...args: never[]) => {
      beforeChange(file);
      return original(...args);
    });
  }
  return handle;
});
