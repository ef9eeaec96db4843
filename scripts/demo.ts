/** The whole circle with the sample module: start, pack, publish, install, run. Every step is shown as it is done. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { startApp } from '../src/app.ts';
import { runPack } from '../src/cli/pack.ts';
import { parseConfig } from '../src/config.ts';

const module = 'example.com/hello';
const version = 'v1.0.0';

const say = (text: string) => process.stdout.write(`${text}\n`);
const step = (title: string) => say(`\n== ${title}`);

/** Runs a command with its output shown; resolves to its exit code, undefined where there is no such command. */
async function run(command: string, args: string[], env: Record<string, string> = {}): Promise<number | undefined> {
  const shown = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  say(`$ ${[...shown, command, ...args].join(' ')}`);
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'inherit', 'inherit'] });
  try {
    const [code] = await once(child, 'close');
    return typeof code === 'number' ? code : 1;
  } catch {
    return undefined;
  }
}

async function show(url: string): Promise<void> {
  say(`$ curl ${url}`);
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  const isText = /text|json/.test(response.headers.get('content-type') ?? '');
  const bytes = Buffer.from(await response.arrayBuffer());
  say(isText ? bytes.toString().trimEnd() : `${bytes.byteLength} bytes of ${response.headers.get('content-type')}`);
}

async function demo(folder: string): Promise<void> {
  step('Start modforge, its forge in memory');
  const config = parseConfig({ PORT: '0', MODFORGE_FORGE: 'memory' });
  await using app = await startApp({ config, log: pino({ level: 'warn' }) });
  const proxy = `${app.url}/api/packages/demo/go`;
  const { name = '', password = '' } = app.madeUser ?? {};
  say(`It listens on ${app.url} and made the user ${name} with a password for this run.`);

  step('Pack the sample module');
  const zip = join(folder, 'hello.zip');
  say(`$ modforge pack examples/hello --version ${version} --out ${zip}`);
  if ((await runPack(['examples/hello', '--version', version, '--out', zip], process)) !== 0)
    throw new Error('pack failed');

  step('Publish it');
  say(`$ curl -u ${name}:… -T ${zip} ${proxy}/upload`);
  const headers = { Authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}` };
  const response = await fetch(`${proxy}/upload`, { method: 'PUT', body: await readFile(zip), headers });
  say(`${response.status} ${response.statusText}\n${(await response.text()).trimEnd()}`);
  if (response.status !== 201) throw new Error('publishing failed');

  step('What a GOPROXY client sees');
  await show(`${proxy}/${module}/@v/list`);
  await show(`${proxy}/${module}/@v/${version}.info`);
  await show(`${proxy}/${module}/@v/${version}.mod`);
  await show(`${proxy}/${module}/@v/${version}.zip`);

  step('Install it with go');
  const env = {
    GOPROXY: proxy,
    GONOSUMDB: module,
    GOFLAGS: '-modcacherw',
    GOTOOLCHAIN: 'local',
    GOMODCACHE: join(folder, 'cache'),
    GOBIN: join(folder, 'bin'),
  };
  const code = await run('go', ['install', `${module}@${version}`], env);
  if (code === undefined) {
    say('There is no go command on this machine: what it would ask for and get stands above.');
    return;
  }
  if (code !== 0) throw new Error('go install failed');

  step('Run what go built');
  if ((await run(join(folder, 'bin', 'hello'), [])) !== 0) throw new Error('the program failed');
}

const folder = await mkdtemp(join(tmpdir(), 'modforge-demo-'));
try {
  await demo(folder);
} finally {
  await rm(folder, { recursive: true, force: true });
}
