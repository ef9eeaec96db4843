/** Where a module lives on the forge: the table "how a module maps to the forge", which is decided without asking anyone. */
import { type ModulePath, splitPathVersion } from '../gomod/module-path.ts';
import type { Version } from '../gomod/version.ts';
import { fillPattern, matchPattern, type PathRule } from './path-rule.ts';
import { encodeRepositoryName, isPlainName } from './repository-name.ts';

export interface Place {
  readonly owner: string;
  readonly repo: string;
  /** The module path that maps to the repository's root: no sub-directory, no `/vN`. */
  readonly rootPath: string;
  /** Folder of the module inside the repository, `sub/dir`, or '' for the root. */
  readonly subdir: string;
  /** Whether the path is the owner's by its name alone: rows 1 and 2 of the table. */
  readonly isOwnNamespace: boolean;
}

export interface Mapping {
  readonly rules: readonly PathRule[];
  /** Host of the forge without port, with its path if it has one; undefined where it has no address. */
  readonly forgeHost: string | undefined;
}

/** The place of `module` among the repositories of `owner`. */
export function placeModule(module: ModulePath, owner: string, mapping: Mapping): Place {
  const path = withoutMajor(module);
  const elements = path.split('/');
  for (const rule of mapping.rules) {
    if (rule.owner.toLowerCase() !== owner.toLowerCase()) continue;
    const depth = rule.path.prefix.concat(rule.path.suffix ?? '').split('/').length;
    const rootPath = elements.slice(0, depth).join('/');
    const match = matchPattern(rule.path, rootPath);
    if (match === undefined) continue;
    const repo = fillPattern(rule.repo, match);
    if (isPlainName(repo)) {
      return { owner, repo, rootPath, subdir: elements.slice(depth).join('/'), isOwnNamespace: true };
    }
  }
  if (mapping.forgeHost !== undefined) {
    const ownerPath = `${mapping.forgeHost}/${owner}`;
    const depth = ownerPath.split('/').length;
    const isOwners = elements.slice(0, depth).join('/').toLowerCase() === ownerPath.toLowerCase();
    const repo = elements[depth];
    if (isOwners && repo !== undefined && isPlainName(repo)) {
      const rootPath = elements.slice(0, depth + 1).join('/');
      return { owner, repo, rootPath, subdir: elements.slice(depth + 1).join('/'), isOwnNamespace: true };
    }
  }
  return { owner, repo: encodeRepositoryName(path), rootPath: path, subdir: '', isOwnNamespace: false };
}

/** `gopkg.in/x.v3` keeps its `.v3`: it is part of the name there, not of the path. */
function withoutMajor(module: ModulePath): string {
  const split = splitPathVersion(module);
  return split?.pathMajor.startsWith('/') ? split.prefix : module;
}

/** The tag of a version of the module at `place`, in a managed repository: `[sub/dir/]v1.2.3`, the whole version. */
export const tagOf = (place: Place, version: Version): string =>
  place.subdir === '' ? version : `${place.subdir}/${version}`;

/** The tag that the go command expects of a version, in a repository that people push to: `+incompatible` is no part of it. */
export const sourceTagOf = (place: Place, version: string): string =>
  (place.subdir === '' ? version : `${place.subdir}/${version}`).replace(/\+incompatible$/, '');
