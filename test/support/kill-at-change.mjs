/**
 * Loaded into a modforge process before it starts. Ends it, as `kill -9` does, right before the change number TEST_KILL_CHANGE
 * to files whose path holds TEST_KILL_PATH. Moments that take microseconds are met as often as those that take long.
 */
import { promises } from 'node:fs';

const { TEST_KILL_PATH: path = '', TEST_KILL_CHANGE: change } = process.env;
let changesLeft = Number(change);

/** @param {string} changed */
function beforeChange(changed) {
  if (!changed.includes(path)) return;
  changesLeft--;
  if (changesLeft === 0) process.kill(process.pid, 'SIGKILL');
}

for (const name of ['mkdir', 'rename', 'unlink', 'rmdir', 'chmod']) {
  const original = promises[name];
  promises[name] = (...args) => {
    beforeChange(args.map(String).join(' '));
    return original(...args);
  };
}

const { open } = promises;
promises.open = async (file, flags) => {
  if (flags !== 'r') beforeChange(file);
  const handle = await open(file, flags);
  for (const name of ['writev', 'datasync']) {
    const original = handle[name].bind(handle);
    handle[name] = (...args) => {
      beforeChange(file);
      return original(...args);
    };
  }
  return handle;
};
