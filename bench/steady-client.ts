/**
 * A client in a process of its own that asks for one address at a steady rate, whatever becomes of its requests. A latency counts
 * from the moment when its request was due, so that a server that stalls is charged for all that it kept waiting.
 */
import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const requestsPerSecond = 1_000;
const connections = 4;

/** Asked first, and not counted. */
const runInRequests = 500;

const url = process.argv[2] ?? '';
const agent = new Agent({ keepAlive: true, maxSockets: connections });
let isStopped = false;
process.once('message', () => {
  isStopped = true;
});

/** When the reply had come whole. */
const ask = (): Promise<number> =>
  new Promise((resolve, reject) => {
    get(url, { agent }, response => {
      if (response.statusCode !== 200) reject(new Error(`GET ${url}: ${response.statusCode}`));
      response.once('end', () => resolve(performance.now())).resume();
    }).once('error', reject);
  });

const latencies: Promise<number>[] = [];
const start = performance.now();
for (let i = 0; !isStopped; i++) {
  const due = start + (i * 1000) / requestsPerSecond;
  while (performance.now() < due) await sleep(1);
  const latency = ask().then(end => end - due);
  if (i === runInRequests) process.send?.('steady');
  if (i >= runInRequests) latencies.push(latency);
}
process.send?.(await Promise.all(latencies));
agent.destroy();
process.disconnect();
