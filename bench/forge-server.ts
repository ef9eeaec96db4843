/** The forge as a process of its own: a double of Gitea over the real `git http-backend`. It delays its requests and notes how long each took. */
import diagnostics from 'node:diagnostics_channel';
import type { IncomingMessage, Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { startHostedDouble } from '../test/support/doubles/hosted-app.ts';
import type { ForgeOrder, ForgeRequest, ForgeStarted } from './forge-process.ts';

const double = await startHostedDouble('gitea');
const startedAt = new WeakMap<IncomingMessage, number>();
let requests: ForgeRequest[] = [];
let delayMs = 0;

/** What Node publishes of an HTTP server (nodejs.org/api/diagnostics_channel.html#http). */
interface Exchange {
  readonly request: IncomingMessage;
  readonly server: Server;
}

const exchangeOf = (message: unknown): Exchange => message as Exchange;

/** As long as forges and the proxies before them keep a connection; Node's own 5 s would end them between two rounds. */
const keepAliveMs = 75_000;

// This comes before the double sees the request, so it is the next one that a fault can meet.
diagnostics.subscribe('http.server.request.start', message => {
  const { request, server } = exchangeOf(message);
  server.keepAliveTimeout = keepAliveMs;
  startedAt.set(request, performance.now());
  if (delayMs > 0) double.addFault({ number: 1, when: 'before', mishap: () => sleep(delayMs) });
});

diagnostics.subscribe('http.server.response.finish', message => {
  const { request } = exchangeOf(message);
  const { method = '', url = '' } = request;
  requests.push({ method, url, startMs: startedAt.get(request) ?? 0, endMs: performance.now() });
});

process.on('message', (order: ForgeOrder) => {
  delayMs = order.delayMs;
  process.send?.(requests);
  requests = [];
});

process.on('disconnect', async () => {
  await double[Symbol.asyncDispose]();
});

const started: ForgeStarted = { url: double.url, directory: double.directory };
process.send?.(started);
