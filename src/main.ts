/** The process: configuration, listen, signals. */
import { existsSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import pino, { type Logger } from 'pino';
import { type App, startApp } from './app.ts';
import { type Config, parseConfig, readEnv } from './config.ts';
import { logOutput } from './log-output.ts';
import { selfTest } from './registry/self-test.ts';

/** The folder of the sample module, in a checkout. */
const sample = 'examples/hello';

/** The first self-test takes a second where nothing else is to be done. */
const selfTestMs = 60_000;

/** Serves until SIGINT or SIGTERM. `command` is how this command line was started, for texts to paste. Throws InvalidConfig. */
export async function serve({
  configFile,
  command,
}: {
  configFile: string | undefined;
  command: string;
}): Promise<void> {
  setFlagsFromString(`--heap-growing-percent=${heapGrowingPercent}`);
  const config = parseConfig(readEnv(process.env, configFile));
  const log = pino({ level: config.logLevel }, logOutput());
  const app = await startApp({ config, log });
  const stopping = new AbortController();
  const stop = (reason: NodeJS.Signals | 'self-test') => {
    stopping.abort();
    process.off('SIGINT', stop).off('SIGTERM', stop);
    log.info({ reason }, 'stopping after the requests under way');
    app[Symbol.asyncDispose]().then(
      () => log.info('stopped'),
      error => {
        log.error({ err: error }, 'did not stop cleanly');
        process.exitCode = 1;
      },
    );
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  const selfTestTime = AbortSignal.timeout(selfTestMs);
  testAndWarmUp(AbortSignal.any([selfTestTime, stopping.signal]), log).catch((error: unknown) => {
    if (stopping.signal.aborted) return;
    if (selfTestTime.aborted) {
      log.warn({ err: error }, `the self-tests took longer than ${selfTestMs} ms`);
      return;
    }
    log.fatal({ err: error }, 'the self-test failed: this machine does not give back what was put in');
    process.exitCode = 1;
    if (process.listenerCount('SIGTERM', stop) > 0) stop('self-test');
  });
  log.info({ url: app.url, owners: config.owners, forge: config.forge.kind }, 'modforge listens');
  process.stderr.write(`${welcome(app, config, command)}\n`);
}

/** What does not pass once is told at once. Each further time lets V8 optimize more of what most of a publish and a read is done with, on each thread. */
async function testAndWarmUp(signal: AbortSignal, log: Logger): Promise<void> {
  const start = performance.now();
  optimizeAfter(optimizeSoonBytes);
  try {
    await selfTest(selfTests, signal);
  } finally {
    optimizeAfter(optimizeLateBytes);
  }
  log.info({ ms: Math.round(performance.now() - start) }, 'passed the self-test');
}

/** They take three seconds. With four, V8 was still optimizing during the first uploads, for 5 ms of each. */
const selfTests = { times: 24, maxMs: 5_000 };

/**
 * By how much V8 lets the heap of a thread grow, in percent, before it marks all of it again. By itself it allows a process that is mostly idle a few
 * megabytes, and counts buffers outside of the heap too: each upload of some megabytes would set it off, which takes as long as half of the upload.
 */
const heapGrowingPercent = 300;

/** A quarter of what is usual, and sixteen times as much. */
const optimizeSoonBytes = 2 ** 14;
const optimizeLateBytes = 2 ** 20;

/**
 * How many bytes of its code a function runs before V8 thinks of optimizing it. What else runs for a second now and then, as a large version of a
 * module makes it, is not optimized while it does: that takes longer than it saves, and memory too. Later ones than Node 20's V8 wait by
 * themselves.
 */
function optimizeAfter(bytes: number): void {
  if (process.versions.v8.startsWith('11.')) setFlagsFromString(`--interrupt-budget=${bytes}`);
}

/** What to paste next, for whoever has just started it. */
function welcome(app: App, config: Config, command: string): string {
  const base = `${config.publicUrl ?? reachable(app.url)}/api/packages/${config.owners[0]}/go`;
  const user = app.madeUser ? `${app.madeUser.name}:${app.madeUser.password}` : 'USER:PASSWORD';
  const directory = existsSync(sample) ? sample : 'DIR';
  const module = existsSync(sample) ? 'example.com/hello' : 'MODULE';
  const who = { all: 'anyone', public: 'anyone, of what is public', none: 'nobody' }[config.anonymousRead];
  return [
    '',
    `modforge listens on ${app.url}.`,
    ...(app.madeUser ? [`It made a user for this run: ${user} (set MODFORGE_USERS for users that stay).`] : []),
    ...(needsTls(config)
      ? [
          'Private reading needs credentials, and go sends them over HTTPS only: set MODFORGE_TLS_CERT, or put TLS in front.',
        ]
      : []),
    ...(config.isAnonymousReadDefault ? [`Without credentials may read: ${who} (MODFORGE_ANONYMOUS_READ).`] : []),
    '',
    'Pack a module, publish it, install it:',
    '',
    `  ${command} pack ${directory} --version v1.0.0 --out module.zip`,
    `  curl -u ${user} -T module.zip ${base}/upload`,
    `  GOPROXY="${base},$(go env GOPROXY)" GONOSUMDB=${module} go install ${module}@v1.0.0`,
    '',
  ].join('\n');
}

/** An address that listens to all is no address to go to. */
const reachable = (url: string): string => url.replace(/\/\/(?:0\.0\.0\.0|\[::\])(?=:)/, '//localhost');

const needsTls = ({ anonymousRead, tls, publicUrl }: Config): boolean =>
  anonymousRead !== 'all' && !tls && !publicUrl?.startsWith('https:');
