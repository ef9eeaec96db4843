/**
 * Module paths and versions as they stand in URLs and file names that ignore case: `!a` for `A`.
 * go.dev/ref/mod#goproxy-protocol, golang.org/x/mod/module: EscapePath and its sisters
 */
import { InvalidModulePath, InvalidVersion } from './errors.ts';
import { checkFilePath, type ModulePath, parseModulePath } from './module-path.ts';

export function escapePath(path: ModulePath): string {
  return escapeCase(path);
}

/** Throws InvalidModulePath, also where the escapes are right and the path they stand for is none. */
export function unescapePath(text: string): ModulePath {
  const path = unescapeCase(text);
  if (path === undefined) throw new InvalidModulePath(text, BAD_ESCAPE);
  return parseModulePath(path);
}

/** Escapes a version or a query like a branch's name; throws InvalidVersion for what has no escaped form. */
export function escapeVersion(version: string): string {
  const problem = /[!\P{ASCII}]/u.test(version) ? 'disallowed version string' : versionTextProblem(version);
  if (problem !== undefined) throw new InvalidVersion(version, problem);
  return escapeCase(version);
}

/** Throws InvalidVersion. The result need not be a semantic version: it may be a query, as `master` or `v1.2`. */
export function unescapeVersion(text: string): string {
  const version = unescapeCase(text);
  if (version === undefined) throw new InvalidVersion(text, BAD_ESCAPE);
  const problem = versionTextProblem(version);
  if (problem !== undefined) throw new InvalidVersion(version, problem);
  return version;
}

const BAD_ESCAPE = 'not escaped: only ASCII, without capitals, and "!" before a lower-case letter only';

/** A version must be able to name a file: one element of a file path. */
function versionTextProblem(version: string): string | undefined {
  return version.includes('/') ? 'invalid char "/"' : checkFilePath(version);
}

function escapeCase(text: string): string {
  return text.replace(/[A-Z]/g, letter => `!${letter.toLowerCase()}`);
}

function unescapeCase(text: string): string | undefined {
  if (/[A-Z\P{ASCII}]|!(?![a-z])/u.test(text)) return undefined;
  return text.replace(/!(.)/g, (_, letter: string) => letter.toUpperCase());
}
