/**
 * Which folder of a commit is the module, for repositories that people push to. The rules and the sentences are those of
 * cmd/go/internal/modfetch (codeRepo.findDir). go.dev/ref/mod#vcs-dir
 */
import { NoModule } from './errors.ts';
import { findModulePath } from './go-mod.ts';
import { quoteGo } from './go-mod-syntax.ts';
import { type ModulePath, splitPathVersion } from './module-path.ts';
import { majorOf } from './semver.ts';
import type { Version } from './version.ts';

/** Where a module is looked for. */
export interface ModuleLocation {
  readonly module: ModulePath;
  /** the module path of the repository's root, which may be the module's own, with its major version */
  readonly rootPath: string;
  /** the module's folder without its `/vN`; empty for the root */
  readonly subdir: string;
}

/** The go.mod files that say where the module is; none needs to be there. */
export function goModPaths(location: ModuleLocation): string[] {
  const major = majorDirectory(location);
  return [goModIn(location.subdir), ...(major === undefined ? [] : [goModIn(major)])];
}

/** A module that ends in /v2 may also be in `v2/`, unless the repository is there for this major version alone. */
function majorDirectory({ module, rootPath, subdir }: ModuleLocation): string | undefined {
  const pathMajor = pathMajorOf(module);
  return pathMajor.startsWith('/') && rootPath !== module ? join(subdir, pathMajor.slice(1)) : undefined;
}

/** The folder, and the content of its go.mod; a module from before there were go.mod files has none. */
export interface ModuleDirectory {
  readonly directory: string;
  readonly goMod: Buffer | undefined;
}

/**
 * Finds the module by those of its goModPaths that the commit has. A go.mod needs to fit the major version alone, not the whole path:
 * a fork may go on under the name of what it replaces. `revision` is what the go command calls the commit: the version's tag, or the
 * revision in a pseudo-version. Throws NoModule.
 */
export function findModuleDirectory(
  wanted: ModuleLocation & { readonly revision: string; readonly version: Version },
  files: ReadonlyMap<string, Buffer>,
): ModuleDirectory {
  const { module, rootPath, subdir, revision, version } = wanted;
  const pathMajor = pathMajorOf(module);
  const prefix = rootPath === module ? module : module.slice(0, module.length - pathMajor.length);
  const majorFile = `...${pathMajor}/go.mod`;
  const noModule = (reason: string) => new NoModule(module, revision, reason);

  const plain = readGoMod(subdir, files);
  const plainFits = fitsMajor(plain.path, pathMajor);
  const major = majorDirectory(wanted);
  if (major !== undefined) {
    const own = readGoMod(major, files);
    const ownFits = fitsMajor(own.path, pathMajor);
    if (plainFits && ownFits) {
      throw noModule(`${prefix}/${plain.file} and ${majorFile} both have ...${pathMajor} module paths`);
    }
    if (ownFits) return { directory: major, goMod: own.goMod };
    if (own.goMod) throw noModule(`${rootPath}/${own.file} ${misfit(own.path, pathMajor, version)}`);
  }

  const canLackGoMod = subdir === '' && !pathMajor.startsWith('/');
  if (plainFits || (canLackGoMod && !plain.goMod)) return { directory: subdir, goMod: plain.goMod };
  if (plain.goMod) {
    const also = major === undefined ? '' : ` (and ${majorFile} does not exist)`;
    throw noModule(`${plain.file} ${misfit(plain.path, pathMajor, version)}${also}`);
  }
  throw noModule(`missing ${prefix}/go.mod${major === undefined ? '' : ` and ${majorFile}`}`);
}

/** A go.mod, if it is there, and the module path that it names. */
function readGoMod(directory: string, files: ReadonlyMap<string, Buffer>) {
  const file = goModIn(directory);
  const goMod = files.get(file);
  return { file, goMod, path: goMod && findModulePath(goMod) };
}

/** Whether a go.mod's module path goes with the major version of the path that is asked for. */
function fitsMajor(path: string | undefined, pathMajor: string): boolean {
  if (path === undefined) return false;
  // A fork without a major version for any module of gopkg.in: an old fault of go that go.mod files rely on (golang.org/issue/34254).
  if (pathMajor === '' && path.startsWith('gopkg.in/')) return true;
  const found = splitPathVersion(path)?.pathMajor;
  return found !== undefined && found.slice(1) === pathMajor.slice(1);
}

/** What is wrong with a module path that does not fit. */
function misfit(path: string | undefined, pathMajor: string, version: Version): string {
  if (path === undefined) return 'is missing module path';
  if (pathMajor !== '') return `has non-...${pathMajor} module path ${quoteGo(path)}`;
  if (splitPathVersion(path) === undefined) return `has malformed module path ${quoteGo(path)}`;
  return `has post-${majorOf(version)} module path ${quoteGo(path)}`;
}

const pathMajorOf = (module: ModulePath): string => splitPathVersion(module)?.pathMajor ?? '';

const join = (directory: string, name: string): string => (directory === '' ? name : `${directory}/${name}`);

const goModIn = (directory: string): string => join(directory, 'go.mod');
