/**
 * Which files make a module zip: the rules of golang.org/x/mod v0.42.0 zip/zip.go, named in brackets below
 * (in prose: go.dev/ref/mod#zip-files). Two limits are ours and say so.
 */
import { checkFilePath, type ModulePath } from './module-path.ts';
import type { Version } from './version.ts';

/** Bytes: of the zip, and of all its files inflated [MaxZipFile]. */
export const maxZipBytes = 500 * 1024 * 1024;
/** Bytes of go.mod [MaxGoMod]. */
export const maxGoModBytes = 16 * 1024 * 1024;
/** Bytes of LICENSE [MaxLICENSE]. */
export const maxLicenseBytes = 16 * 1024 * 1024;
/** Bytes of a name in a zip. Ours: macOS could not extract longer ones (its PATH_MAX), and they make the checks slow. */
export const maxNameBytes = 1024;
/** Files and folders of a zip. Ours: a folder costs memory here and an object in git, but not a byte in an upload. */
export const maxPaths = 500_000;

export type ZipProblemCode =
  | 'wrong-prefix'
  | 'unclean-path'
  | 'invalid-path'
  | 'long-name'
  | 'case-collision'
  | 'file-and-directory'
  | 'duplicate'
  | 'too-many-paths'
  | 'nested-go-mod'
  | 'go-mod-case'
  | 'go-mod-size'
  | 'license-size'
  | 'total-size';

/** One thing that keeps a zip from being a module's. */
export interface ZipProblem {
  readonly code: ZipProblemCode;
  /** The entry's name as the zip has it, whatever it holds; empty where the zip as a whole is meant. */
  readonly file: string;
  readonly reason: string;
}

/** An entry as a zip declares it; a name that ends with `/` is a folder's. */
export interface NamedEntry {
  readonly name: string;
  /** Inflated. */
  readonly bytes: number;
}

/** Finds every problem of a module zip that can be seen from its list of entries, which are added one by one [CheckZip]. */
export class ZipCheck {
  readonly #prefix: string;
  readonly #tree = new PathTree();
  readonly #problems: ZipProblem[] = [];
  #bytes = 0;

  constructor({ module, version }: { readonly module: ModulePath; readonly version: Version }) {
    this.#prefix = `${module}@${version}/`;
  }

  add({ name, bytes }: NamedEntry): void {
    const fault = nameFault(name, this.#prefix, this.#tree);
    if (fault) this.#problems.push({ ...fault, file: name });
    if (fault || name.endsWith('/')) return;
    this.#bytes += bytes;
    const sizeFault = fileSizeFault(name.slice(this.#prefix.length), bytes);
    if (sizeFault) this.#problems.push({ ...sizeFault, file: name });
  }

  /** At most one an entry, in their order, and what is wrong with all together. */
  problems(): ZipProblem[] {
    const problems = [...this.#problems];
    if (this.#bytes > maxZipBytes) problems.push({ ...totalSizeFault, file: '' });
    if (this.#tree.isFull) problems.push({ ...tooManyPathsFault, file: '' });
    return problems;
  }
}

type Fault = Omit<ZipProblem, 'file'>;

const totalSizeFault: Fault = { code: 'total-size', reason: `all files together are more than ${maxZipBytes} bytes` };

const tooManyPathsFault: Fault = { code: 'too-many-paths', reason: `it has more than ${maxPaths} files and folders` };

function nameFault(name: string, prefix: string, tree: PathTree): Fault | undefined {
  if (!name.startsWith(prefix)) return { code: 'wrong-prefix', reason: `does not begin with ${prefix}` };
  if (name.length > maxNameBytes / maxBytesPerUnit && Buffer.byteLength(name) > maxNameBytes) {
    return { code: 'long-name', reason: `the name is longer than ${maxNameBytes} bytes` };
  }
  const isDirectory = name.endsWith('/');
  const path = name.slice(prefix.length, isDirectory ? -1 : undefined);
  if (name === prefix) return undefined;
  const invalid = checkFilePath(path);
  // No unclean path is a file's, so whether it is clean need only be asked of those that are refused.
  if (invalid !== undefined) return isClean(path) ? { code: 'invalid-path', reason: invalid } : uncleanFault;
  const collision = tree.add(path, isDirectory);
  if (collision || isDirectory) return collision;
  // Folders alone may be called so: a go.mod elsewhere would make a module of its own, which belongs into its own zip.
  if (!goModPath.test(path)) return undefined;
  if (path.includes('/')) return { code: 'nested-go-mod', reason: 'only the root of a module has a go.mod' };
  return path === 'go.mod' ? undefined : goModCaseFault;
}

/** Of UTF-8, for a UTF-16 unit: most names are too short to need counting. */
const maxBytesPerUnit = 3;

const uncleanFault: Fault = { code: 'unclean-path', reason: 'the path has an empty, "." or ".." element' };

const goModCaseFault: Fault = { code: 'go-mod-case', reason: 'go.mod must have its name in lower case' };

function fileSizeFault(path: string, bytes: number): Fault | undefined {
  if (path === 'go.mod' && bytes > maxGoModBytes) {
    return { code: 'go-mod-size', reason: `go.mod is larger than ${maxGoModBytes} bytes` };
  }
  if (path === 'LICENSE' && bytes > maxLicenseBytes) {
    return { code: 'license-size', reason: `LICENSE is larger than ${maxLicenseBytes} bytes` };
  }
  return undefined;
}

/** A file that might go into a module zip. */
export interface ModuleFile {
  /** From the module's root, with slashes. */
  readonly path: string;
  readonly bytes: number;
  /** As lstat(2) or a git tree has it: only a regular file, 0o100000, goes into a zip. */
  readonly mode: number;
}

export interface FileRemark {
  /** Empty where all files together are meant. */
  readonly path: string;
  readonly reason: string;
}

export interface CheckedFiles<F extends ModuleFile> {
  /** What the module zip holds, in the order given. */
  readonly valid: F[];
  /** What `go` leaves out of a module silently. */
  readonly omitted: FileRemark[];
  /** What no module can have: with any of these there is no zip. */
  readonly invalid: FileRemark[];
}

/**
 * Sorts a module's files as `go` does before it makes a zip of them; each path is in one of the lists [CheckFiles].
 * `goVersion` is that of the root's go.mod, if it has one: what counts as vendored depends on it.
 */
export function checkModuleFiles<F extends ModuleFile>(
  files: Iterable<F>,
  { goVersion }: { goVersion: string | undefined },
): CheckedFiles<F> {
  const all = [...files];
  const context = { goVersion, nested: nestedModules(all), tree: new PathTree() };
  const checked: CheckedFiles<F> = { valid: [], omitted: [], invalid: [] };
  let total = 0;
  for (const file of all) {
    const verdict = judgeFile(file, context);
    if (verdict) {
      checked[verdict.list].push({ path: file.path, reason: verdict.reason });
      continue;
    }
    total += file.bytes;
    const sizeFault = fileSizeFault(file.path, file.bytes);
    if (sizeFault) checked.invalid.push({ path: file.path, reason: sizeFault.reason });
    else checked.valid.push(file);
  }
  if (total > maxZipBytes) checked.invalid.push({ path: '', reason: totalSizeFault.reason });
  if (context.tree.isFull) checked.invalid.push({ path: '', reason: tooManyPathsFault.reason });
  return checked;
}

interface Verdict {
  readonly list: 'omitted' | 'invalid';
  readonly reason: string;
}

/** Why a file is not in the zip, its size aside; undefined if it is. The order of the questions is Go's [checkFiles]. */
function judgeFile(
  { path, mode }: ModuleFile,
  { goVersion, nested, tree }: { goVersion: string | undefined; nested: ReadonlySet<string>; tree: PathTree },
): Verdict | undefined {
  const invalid = (reason: string): Verdict => ({ list: 'invalid', reason });
  const omitted = (reason: string): Verdict => ({ list: 'omitted', reason });
  if (!isClean(path)) return invalid(uncleanFault.reason);
  if (path.startsWith('/')) return invalid('the path is not relative');
  if (isVendored(path, goVersion)) return omitted('in a vendor directory');
  if (isInside(nested, path)) return omitted('in another module');
  if (path === '.hg_archival.txt') return omitted('written by "hg archive"');
  const problem = checkFilePath(path);
  if (problem !== undefined) return invalid(problem);
  if (goModPath.test(path) && !path.includes('/') && path !== 'go.mod') return invalid(goModCaseFault.reason);
  const collision = tree.add(path, typeOf(mode) === directoryType);
  if (collision) return invalid(collision.reason);
  if (typeOf(mode) === symlinkType) return omitted('a symbolic link');
  return typeOf(mode) === regularType ? undefined : omitted('not a regular file');
}

/** The file type in a mode; git's trees use the same numbers. inode(7) */
const typeOf = (mode: number): number => mode & 0o170000;
const regularType = 0o100000;
const directoryType = 0o040000;
const symlinkType = 0o120000;

/** The folders, `sub/`, whose go.mod, in whatever case, makes them modules of their own [checkFiles]. */
function nestedModules(files: readonly ModuleFile[]): Set<string> {
  const goMods = files.filter(({ path, mode }) => goModPath.test(path) && typeOf(mode) === regularType);
  const folders = new Set(goMods.map(({ path }) => path.slice(0, path.lastIndexOf('/') + 1)));
  folders.delete('');
  return folders;
}

function isInside(folders: ReadonlySet<string>, path: string): boolean {
  if (folders.size === 0) return false;
  for (let end = path.lastIndexOf('/'); end >= 0; end = path.lastIndexOf('/', end - 1)) {
    if (folders.has(path.slice(0, end + 1))) return true;
    if (end === 0) break;
  }
  return false;
}

/**
 * Whether a file or folder is in a vendored package, and so left out [isVendoredPackage]. What lies in `vendor/` itself is
 * not, but its modules.txt is since Go 1.24. In a `vendor` further down, Go took that for vendored too until 1.24
 * (golang.org/issue/37397); modules of older Go versions keep their hashes by it.
 */
export function isVendored(path: string, goVersion: string | undefined): boolean {
  const isNew = isAtLeastGo124(goVersion);
  if (isNew && path === 'vendor/modules.txt') return true;
  if (path.startsWith('vendor/')) return path.includes('/', 'vendor/'.length);
  const nested = path.indexOf('/vendor/');
  if (nested < 0) return false;
  return !isNew || path.includes('/', nested + '/vendor/'.length);
}

/** Compares the language version, so that 1.24rc1 counts as 1.24; what is no Go version is old. go/version.Lang, Compare */
function isAtLeastGo124(goVersion = ''): boolean {
  const number = '(?:0|[1-9][0-9]*)';
  const form = new RegExp(`^(${number})(?:\\.(${number})(?:\\.${number}|[a-z]+${number}?)?)?(?:-.*)?$`, 's');
  const [, major, minor = '0'] = form.exec(goVersion) ?? [];
  return Number(major) > 1 || (major === '1' && Number(minor) >= 24);
}

/** The path of a go.mod in whatever folder and case. */
const goModPath = /(?:^|\/)go\.mod$/i;

/** Whether Go's path.Clean leaves a path as it is: no empty element, no ".", and ".." only in front of a relative path. */
function isClean(path: string): boolean {
  if (path === '.' || path === '/') return true;
  const isRooted = path.startsWith('/');
  let canClimb = !isRooted;
  return path.split('/').every((element, i) => {
    if (element === '..') return canClimb;
    if (isRooted && i === 0) return true;
    canClimb = false;
    return element !== '' && element !== '.';
  });
}

interface KnownPath {
  /** As it was first seen. */
  readonly path: string;
  readonly isDirectory: boolean;
  /** What is wrong with the folders above it. */
  readonly above: Fault | undefined;
}

/**
 * The files seen so far and their folders, by name without case: no two may be one on a file system that folds case, and
 * none both file and folder. The first to come keeps its name [collisionChecker].
 */
class PathTree {
  readonly #known = new Map<string, KnownPath>();

  /** Then nothing more is looked at: the answer is no already. */
  get isFull(): boolean {
    return this.#known.size > maxPaths;
  }

  add(path: string, isDirectory: boolean): Fault | undefined {
    if (this.isFull) return undefined;
    const key = foldCase(path);
    const known = this.#nearest(key);
    // Folding makes one UTF-16 unit of one, so that what is known is as long as its part of the path.
    const from = known?.path.length ?? 0;
    const fault = known && (conflict(known, path.slice(0, from), isDirectory || from < path.length) ?? known.above);
    for (let end = path.length; end > from; end = path.lastIndexOf('/', end - 1)) {
      const entry = { path: path.slice(0, end), isDirectory: isDirectory || end < path.length, above: fault };
      this.#known.set(key.slice(0, end), entry);
    }
    return fault;
  }

  /** The path itself, or the innermost of its folders that was seen. */
  #nearest(key: string): KnownPath | undefined {
    for (let end = key.length; end > 0; end = key.lastIndexOf('/', end - 1)) {
      const known = this.#known.get(key.slice(0, end));
      if (known) return known;
    }
    return undefined;
  }
}

function conflict(known: KnownPath, path: string, isDirectory: boolean): Fault | undefined {
  if (known.path !== path) {
    const reason = `${JSON.stringify(path)} and ${JSON.stringify(known.path)} differ in case alone`;
    return { code: 'case-collision', reason };
  }
  if (known.isDirectory !== isDirectory) {
    return { code: 'file-and-directory', reason: `${JSON.stringify(path)} is both a file and a directory` };
  }
  return isDirectory ? undefined : { code: 'duplicate', reason: 'there is more than one file of that name' };
}

/**
 * A form that two names share exactly if Go takes them for equal without case (strings.EqualFold): Unicode's simple case
 * folding, by the character, whatever the language. Upper case first, since several letters can share one: ſ, s and S.
 */
export function foldCase(text: string): string {
  if (!beyondAscii.test(text)) return text.toLowerCase();
  return Array.from(text, char => oneToOne(oneToOne(char, 'toUpperCase'), 'toLowerCase')).join('');
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
const beyondAscii = /[^\x00-\x7f]/;

/** Case mapping where it makes one character of one, but for the dotless ı, which folds to nothing else. */
function oneToOne(char: string, mapping: 'toUpperCase' | 'toLowerCase'): string {
  const mapped = char[mapping]();
  return char !== '\u0131' && mapped.length === char.length ? mapped : char;
}
