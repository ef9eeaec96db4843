/**
 * A client in a process of its own that asks for one address at a steady rate, whatever becomes of its requests. A latency counts
 * from the moment when its request was due, so that a server that stalls is charged for all that it kept waiting. It takes little of the processors,
 * which the server under test needs: Node's own client took half of one.
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const requestsPerSecond = 1_000;
const connections = 4;

/** Asked first, and not counted. */
const runInRequests = 500;

const { hostname, port, pathname } = new URL(process.argv[2] ?? '');
const request = `GET ${pathname} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`;

let isStopped = false;
process.once('message', () => {
  isStopped = true;
});

/** When the requests were due that wait for a connection, the oldest first. */
const waiting: number[] = [];
/** Ask, on a connection that has no request under way, for what was due then. */
const idle: ((due: number) => void)[] = [];
const latencies: number[] = [];

/** One request after the other; a reply has its length. */
function openConnection(): void {
  let asked = 0;
  let reply = '';
  const ask = (due: number) => {
    asked = due;
    socket.write(request, 'latin1');
  };
  const socket = connect({ host: hostname, port: Number(port), noDelay: true }, () => idle.push(ask));
  socket.setEncoding('latin1').on('data', (text: string) => {
    reply += text;
    const head = reply.indexOf('\r\n\r\n') + 4;
    if (head < 4) return;
    const [, length] = /^HTTP\/1\.1 200 .*\r\nContent-Length: (\d+)\r\n/s.exec(reply) ?? [];
    if (length === undefined) throw new Error(`GET ${pathname}: ${reply.slice(0, head)}`);
    if (reply.length < head + Number(length)) return;
    reply = '';
    latencies.push(performance.now() - asked);
    idle.push(ask);
    askWaiting();
  });
  // Else a request that has no answer would be waited for for ever.
  socket.on('close', () => {
    throw new Error('the server has closed a connection');
  });
}

function askWaiting(): void {
  while (waiting.length > 0 && idle.length > 0) idle.pop()?.(waiting.shift() ?? 0);
}

for (let i = 0; i < connections; i++) openConnection();
while (idle.length < connections) await sleep(1);
const start = performance.now();
let requests = 0;
for (; !isStopped; requests++) {
  const due = start + (requests * 1000) / requestsPerSecond;
  while (performance.now() < due) await sleep(1);
  waiting.push(due);
  askWaiting();
  if (requests === runInRequests) process.send?.('steady');
}
while (latencies.length < requests) await sleep(1);
process.send?.(latencies.slice(runInRequests), () => process.exit());
