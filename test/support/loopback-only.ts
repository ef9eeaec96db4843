/** Loaded before every test: whatever a test's own process connects to must be on this machine, or a real forge that the environment names. */
import { isIPv4, Socket } from 'node:net';

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));

const { TEST_GITEA_URL, TEST_GITHUB_TOKEN } = process.env;
const realForges = new Set([
  ...(TEST_GITEA_URL ? [new URL(TEST_GITEA_URL).hostname] : []),
  ...(TEST_GITHUB_TOKEN ? ['github.com', 'api.github.com'] : []),
]);

/** The host among the arguments of Socket.connect: options, (port, host), a path, or Node's own [options, callback]. */
function hostOf(args: readonly unknown[]): string {
  const first = Array.isArray(args[0]) ? args[0][0] : args[0];
  if (typeof first === 'object' && first !== null) {
    return 'host' in first && typeof first.host === 'string' ? first.host : 'localhost';
  }
  return typeof first === 'number' && typeof args[1] === 'string' ? args[1] : 'localhost';
}

const connect: (...args: never[]) => Socket = Socket.prototype.connect;

Socket.prototype.connect = function (this: Socket, ...args: never[]): Socket {
  const host = hostOf(args);
  if (!isLoopback(host) && !realForges.has(host))
    throw new Error(`a test may talk to this machine only, not to ${host}`);
  return connect.apply(this, args);
};
