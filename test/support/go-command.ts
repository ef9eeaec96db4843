/** The real `go` command as a user with an empty machine has it: no modules cached, no settings but what the test gives. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type CommandResult, outputOf, runCommand } from './run-command.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';

export interface GoOptions {
  /** GOPROXY: addresses separated by commas. */
  readonly proxy: string;
  /** Variables beside those that every run has, or in their place. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Go extends AsyncDisposable {
  /** Where the commands run; empty at first. */
  readonly directory: string;
  /** HOME, where `.netrc` is looked for. */
  readonly home: string;
  /** Where `go install` puts programs. */
  readonly bin: string;
  run(...args: string[]): Promise<CommandResult>;
  /** What the command prints to standard output; throws unless it succeeds. */
  output(...args: string[]): Promise<string>;
  /** What the command prints to standard error; throws unless it fails. */
  failure(...args: string[]): Promise<string>;
  /** Writes files below `directory`, by path. */
  write(files: Readonly<Record<string, string>>): Promise<void>;
}

/** What `go mod download -json` says of a module. */
export interface DownloadedModule {
  readonly Path: string;
  readonly Version: string;
  readonly Sum?: string;
  readonly GoModSum?: string;
  readonly Zip?: string;
  readonly Error?: string;
}

/** Compiled packages: keyed by content, so they are shared, or each test would compile the standard library. */
let buildCache: Promise<string> | undefined;

/** Makes a `go` with folders of its own, which go when it is disposed of. */
export async function createGo({ proxy, env = {} }: GoOptions): Promise<Go> {
  buildCache ??= outputOf('go', ['env', 'GOCACHE']);
  const cache = (await buildCache).trim();
  const folder = await makeTemporaryFolder();
  const directory = join(folder.path, 'work');
  const home = join(folder.path, 'home');
  const bin = join(folder.path, 'bin');
  await mkdir(directory);
  // Go's telemetry would go on in the background, and write to HOME when it is gone.
  const telemetry = join(home, '.config/go/telemetry');
  await mkdir(telemetry, { recursive: true });
  await writeFile(join(telemetry, 'mode'), 'off');
  const options = {
    cwd: directory,
    env: {
      PATH: process.env.PATH,
      HOME: home,
      GOPATH: join(folder.path, 'gopath'),
      GOMODCACHE: join(folder.path, 'modules'),
      GOBIN: bin,
      GOCACHE: cache,
      GOPROXY: proxy,
      // The module cache is made writable, or it could not be removed.
      GOFLAGS: '-mod=mod -modcacherw',
      GONOSUMDB: '*',
      GOTOOLCHAIN: 'local',
      GOENV: 'off',
      GOWORK: 'off',
      ...env,
    },
  };
  const run = (...args: string[]) => runCommand('go', args, options);
  return {
    directory,
    home,
    bin,
    run,
    output: (...args) => outputOf('go', args, options),
    async failure(...args) {
      const { stdout, stderr, exitCode } = await run(...args);
      if (exitCode === 0) throw new Error(`go ${args.join(' ')} was to fail but succeeded:\n${stdout}${stderr}`);
      return stderr;
    },
    async write(files) {
      for (const [path, content] of Object.entries(files)) {
        await mkdir(dirname(join(directory, path)), { recursive: true });
        await writeFile(join(directory, path), content);
      }
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** Downloads modules, `path@version` each, and what go says of each one, also where it fails. */
export async function downloadModules(go: Go, modules: readonly string[]): Promise<DownloadedModule[]> {
  const { stdout, stderr } = await go.run('mod', 'download', '-json', ...modules);
  const downloaded = parseJsonStream<DownloadedModule>(stdout);
  if (downloaded.length !== modules.length) throw new Error(`go told of ${downloaded.length} modules:\n${stderr}`);
  return downloaded;
}

/** Go prints objects one after another, each ending with a brace alone on its line. */
export const parseJsonStream = <T>(text: string): T[] =>
  text
    .split(/(?<=^\}\n)/m)
    .filter(part => part.trim() !== '')
    .map(part => JSON.parse(part) as T);
