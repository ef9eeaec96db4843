/**
 * `modforge pack`: the module zip that `go` itself would make of a directory. Which files go in is decided as in
 * golang.org/x/mod v0.42.0 zip.CreateFromDir; beyond that, what no registry would take is refused before anything is written.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { lstat, readdir, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { InvalidGoMod, InvalidModulePath, InvalidVersion } from '../gomod/errors.ts';
import { type GoMod, parseGoMod } from '../gomod/go-mod.ts';
import { type H1, hashFiles } from '../gomod/h1.ts';
import { type ModulePath, parseModulePath, splitPathVersion } from '../gomod/module-path.ts';
import { checkModuleVersion, parseVersion, type Version } from '../gomod/version.ts';
import { checkModuleFiles, type FileRemark, isVendored, type ModuleFile } from '../gomod/zip-rules.ts';
import { writeZip } from '../zip/write-zip.ts';

export interface PackOptions {
  readonly directory: string;
  readonly version: string;
  /** Needed only where there is no go.mod to say it. */
  readonly module?: string | undefined;
  /** A file, or a stream that is not ended; by default `{name}-{version}.zip` in `cwd`. */
  readonly out?: string | Writable | undefined;
  /** What relative paths are relative to; the process's own by default. */
  readonly cwd?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface PackedModule {
  readonly module: ModulePath;
  readonly version: Version;
  readonly h1: H1;
  /** Inside the module, in the zip's order. */
  readonly files: readonly string[];
  /** What `go` leaves out; a folder stands for all in it. */
  readonly omitted: readonly FileRemark[];
  /** The zip, absolute; undefined where it went to a stream. */
  readonly file: string | undefined;
}

/** The directory, or where its zip should go, won't do. `problems` are all there are, a sentence each. */
export class PackRefused extends Error {
  override readonly name = 'PackRefused';
  readonly problems: readonly string[];

  constructor(directory: string, problems: readonly string[]) {
    super(`cannot pack ${directory}: ${problems.join('\n')}`);
    this.problems = problems;
  }
}

/**
 * Writes a directory's module zip. A file appears whole or not at all, in place of an older one of that name.
 * Throws PackRefused with everything that is wrong, and what the file system throws.
 */
export async function packModule(options: PackOptions): Promise<PackedModule> {
  const { cwd = process.cwd(), out, signal } = options;
  const root = await realpath(resolve(cwd, options.directory));
  const { module, version, files, omitted } = await readModule(root, options);
  const hashes: { name: string; sha256: Buffer }[] = [];
  async function* contents() {
    for (const { path, source, bytes } of files) {
      const content = await readFile(source, { signal });
      if (content.length !== bytes) throw new PackRefused(root, [`${path} changed while it was being read`]);
      const name = `${module}@${version}/${path}`;
      hashes.push({ name, sha256: createHash('sha256').update(content).digest() });
      yield { name, content };
    }
  }
  const zip = () => writeZip(contents(), { signal });
  let file: string | undefined;
  if (typeof out === 'object') {
    await pipeline(zip(), out, { end: false });
  } else {
    file = resolve(cwd, out ?? defaultName(module, version));
    await checkOutput(file, root);
    const unfinished = `${file}.${randomUUID()}.tmp`;
    try {
      await pipeline(zip(), createWriteStream(unfinished, { flags: 'wx' }));
      await rename(unfinished, file);
    } finally {
      await rm(unfinished, { force: true });
    }
  }
  return { module, version, h1: hashFiles(hashes), files: files.map(({ path }) => path), omitted, file };
}

const defaultName = (module: ModulePath, version: Version): string =>
  `${basename(splitPathVersion(module)?.prefix ?? module)}-${version}.zip`;

/** A zip inside the module would be part of its next version. */
async function checkOutput(file: string, root: string): Promise<void> {
  const folder = await realpath(dirname(file));
  const inside = relative(root, folder);
  if (inside === '' || !(isAbsolute(inside) || inside === '..' || inside.startsWith(`..${sep}`))) {
    const elsewhere = join(dirname(root), basename(file));
    throw new PackRefused(root, [
      `the zip would lie inside the module, and be in its next version: say where else, as "--out ${elsewhere}"`,
    ]);
  }
  const present = await stat(file).catch(() => undefined);
  if (present && !present.isFile()) throw new PackRefused(root, [`${file} is there already, and is not a file`]);
}

interface FoundFile extends ModuleFile {
  /** Its real path, in bytes: not every name is text. */
  readonly source: Buffer;
}

interface ReadModule {
  readonly module: ModulePath;
  readonly version: Version;
  readonly files: readonly FoundFile[];
  readonly omitted: readonly FileRemark[];
}

async function readModule(root: string, options: PackOptions): Promise<ReadModule> {
  const problems: string[] = [];
  const goMod = await readGoMod(root, problems);
  const module = readModulePath(goMod, options.module, problems);
  const version = attempt(() => parseVersion(options.version), problems);
  const mismatch = module && version && checkModuleVersion(module, version);
  if (mismatch) problems.push(`${module} can't have version ${version}: it ${mismatch}`);
  if (goMod && version?.endsWith('+incompatible'))
    problems.push(`a module with a go.mod has no +incompatible versions`);

  const goVersion = goMod?.go;
  const omitted: FileRemark[] = [];
  const found: FoundFile[] = [];
  for await (const item of walk(Buffer.from(root), '', goVersion)) {
    if ('reason' in item) omitted.push(item);
    else found.push(item);
  }
  const checked = checkModuleFiles(found, { goVersion });
  problems.push(...checked.invalid.map(describe));
  if (problems.length > 0 || !module || !version) throw new PackRefused(root, problems);
  return { module, version, files: checked.valid, omitted: [...omitted, ...checked.omitted] };
}

/** The go.mod at the root, undefined if there is none. */
async function readGoMod(root: string, problems: string[]): Promise<GoMod | undefined> {
  const path = join(root, 'go.mod');
  const present = await lstat(path).catch(() => undefined);
  if (!present || present.isDirectory()) return undefined;
  if (!present.isFile()) {
    problems.push('go.mod is not a regular file, and would be left out');
    return undefined;
  }
  const content = await readFile(path);
  return attempt(() => parseGoMod(content, { mode: 'lax' }), problems);
}

function readModulePath(
  goMod: GoMod | undefined,
  given: string | undefined,
  problems: string[],
): ModulePath | undefined {
  const declared = goMod?.module?.path;
  const text = declared ?? given;
  if (goMod && declared === undefined) problems.push('go.mod has no module line');
  if (declared !== undefined && given !== undefined && declared !== given) {
    problems.push(`go.mod says module ${declared}, not ${given}`);
  }
  if (text === undefined) {
    if (problems.length === 0) problems.push('there is no go.mod; make one with "go mod init", or say --module PATH');
    return undefined;
  }
  return attempt(() => parseModulePath(text), problems);
}

function attempt<T>(parse: () => T, problems: string[]): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof InvalidGoMod || error instanceof InvalidModulePath || error instanceof InvalidVersion))
      throw error;
    problems.push(...error.message.split('\n'));
    return undefined;
  }
}

/** The files of a folder and those below, in the order of their names' bytes; what is left out at first sight with the reason [listFilesInDir]. */
async function* walk(
  folder: Buffer,
  prefix: string,
  goVersion: string | undefined,
): AsyncGenerator<FoundFile | FileRemark, void> {
  const names = await readdir(folder, { encoding: 'buffer' });
  for (const name of names.sort(Buffer.compare)) {
    const source = Buffer.concat([folder, Buffer.from(sep), name]);
    const path = prefix + name.toString();
    const status = await lstat(source);
    // Of a vendored folder all is vendored, so there is no need to look into it.
    if (isVendored(path, goVersion)) yield { path, reason: 'in a vendor directory' };
    else if (status.isDirectory()) {
      const reason = await leftOut(source, name.toString());
      if (reason === undefined) yield* walk(source, `${path}/`, goVersion);
      else yield { path, reason };
    } else if (status.isFile()) yield { path, bytes: status.size, mode: status.mode, source };
    else yield { path, reason: 'not a regular file' };
  }
}

/** Why `go` does not look into a folder; undefined if it does. */
async function leftOut(folder: Buffer, name: string): Promise<string | undefined> {
  if (['.bzr', '.git', '.hg', '.svn'].includes(name)) return 'a version control system keeps it';
  const goMod = await lstat(Buffer.concat([folder, Buffer.from(`${sep}go.mod`)])).catch(() => undefined);
  return goMod && !goMod.isDirectory() ? 'another module' : undefined;
}

const usage = `usage: modforge pack DIR --version v1.2.3 [--out FILE] [--module PATH]

Makes the module zip of DIR that a registry takes; FILE "-" is standard output.
PATH is needed only where DIR has no go.mod.
`;

export interface PackStreams {
  readonly stdout: Writable;
  readonly stderr: Writable;
  cwd(): string;
}

/**
 * The command line of `modforge pack`: prints module@version, the zip's `h1:` and its file to standard output, what was left
 * out to standard error. The exit status: 0, 1 with every problem on standard error, 2 for a command line that is wrong.
 */
export async function runPack(args: string[], streams: PackStreams): Promise<number> {
  const { stdout, stderr } = streams;
  const options = readArguments(args);
  if (typeof options === 'string') {
    (options === '' ? stdout : stderr).write(`${options}${usage}`);
    return options === '' ? 0 : 2;
  }
  const toStdout = options.out === '-';
  try {
    const packed = await packModule({ ...options, out: toStdout ? stdout : options.out, cwd: streams.cwd() });
    for (const remark of packed.omitted) stderr.write(`left out ${describe(remark)}\n`);
    const lines = [`${packed.module}@${packed.version}`, packed.h1, ...(packed.file ? [packed.file] : [])];
    (toStdout ? stderr : stdout).write(`${lines.join('\n')}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof PackRefused) && !(error instanceof Error && 'code' in error)) throw error;
    const problems = error instanceof PackRefused ? error.problems : [error.message];
    stderr.write(`cannot pack ${options.directory}:\n${problems.map(problem => `  ${problem}\n`).join('')}`);
    return 1;
  }
}

/** The options, or what is wrong with them; an empty text asks for help. */
function readArguments(args: string[]): { directory: string; version: string; module?: string; out?: string } | string {
  const text = { type: 'string' } as const;
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { version: text, module: text, out: text, help: { type: 'boolean', short: 'h' } },
    });
    const { version, help, ...others } = values;
    const [directory, ...more] = positionals;
    if (help) return '';
    if (directory === undefined || more.length > 0) return 'modforge pack needs one directory\n\n';
    if (version === undefined) return 'modforge pack needs --version\n\n';
    return { directory, version, ...others };
  } catch (error) {
    if (!(error instanceof TypeError && 'code' in error)) throw error;
    return `${error.message}\n\n`;
  }
}

/** For people's eyes; a name may hold anything, so that control characters are shown, not sent. */
function describe({ path, reason }: FileRemark): string {
  const shown = /\p{Cc}/u.test(path) ? JSON.stringify(path) : path;
  return shown === '' ? reason : `${shown}: ${reason}`;
}
