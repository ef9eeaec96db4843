/**
 * Request targets, parsed once and from the raw text: module paths and versions are escaped twice, by Go (`!a` for `A`) and by
 * percent-encoding, and a `%2F` is not a `/`.
 */
import { InvalidModulePath, InvalidVersion } from '../gomod/errors.ts';
import { unescapePath, unescapeVersion } from '../gomod/escape.ts';
import { type ModulePath, parseModulePath } from '../gomod/module-path.ts';
import { parseVersion } from '../gomod/version.ts';
import type { ModuleQuestion } from '../registry/read-module.ts';
import type { UploadTarget } from '../registry/read-upload.ts';
import { BadRequest, NoSuchRoute, TargetTooLong } from './errors.ts';

/** Longer than any path that `go` can handle: its cache holds paths in a file system. */
const maxTargetBytes = 4096;

/** A target below `/api/packages/{owner}/go/`. */
export interface ProxyTarget {
  readonly owner: string;
  /** The decoded elements behind `go/`. */
  readonly rest: readonly string[];
}

/** A target in origin form: proxies may send the absolute one (RFC 9112, section 3.2.2). */
export const originForm = (target: string): string =>
  target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/?#]*(\/?)/i, '/').replace(/^(?!\/)/, '/');

/** The decoded elements of a target's path; throws BadRequest or TargetTooLong. */
function decodeElements(target: string): string[] {
  if (target.length > maxTargetBytes) throw new TargetTooLong(`the path is longer than ${maxTargetBytes} bytes`);
  const path = target.replace(/[?#].*$/s, '');
  try {
    return path.slice(1).split('/').map(decodeURIComponent);
  } catch (error) {
    throw new BadRequest('the path has a percent-encoding that is not UTF-8', { cause: error });
  }
}

/** Parses `/api/packages/{owner}/go/…`; throws NoSuchRoute, BadRequest or TargetTooLong. */
export function parseProxyTarget(target: string): ProxyTarget {
  const [, , owner = '', go, ...rest] = decodeElements(target);
  if (owner === '' || go !== 'go' || rest.length === 0)
    throw new NoSuchRoute('nothing here; a GOPROXY is /api/packages/{owner}/go');
  return { owner, rest };
}

/** A target `/api/v1/packages/{owner}/go/{name}/{version}`, decoded. */
export interface PackageTarget {
  readonly owner: string;
  readonly name: string;
  readonly version: string;
}

/** Parses `/api/v1/packages/{owner}/go/{name}/{version}`; throws NoSuchRoute, BadRequest or TargetTooLong. */
export function parsePackageTarget(target: string): PackageTarget {
  const [, , , owner = '', go, name = '', version = '', ...more] = decodeElements(target);
  if (go !== 'go' || version === '' || more.length > 0) {
    throw new NoSuchRoute(
      'nothing here; a version is /api/v1/packages/{owner}/go/{name}/{version}, with each / in the name as %2F',
    );
  }
  return { owner, name, version };
}

/** The module and version that a package's name and version are; throws BadRequest where they are none. */
export function parsePackage({ owner, name, version }: PackageTarget): UploadTarget & { readonly owner: string } {
  const module = orBadRequest(() => parseModulePath(name));
  return { owner, module, version: orBadRequest(() => parseVersion(version)) };
}

export interface ModuleTarget {
  readonly module: ModulePath;
  readonly question: ModuleQuestion;
}

/**
 * Parses `{module}/@v/list`, `{module}/@v/{version}.{info|mod|zip}` and `{module}/@latest` (go.dev/ref/mod#goproxy-protocol).
 * Throws NoSuchRoute for what is no form of the protocol, BadRequest where the path can't be a module's, or the file a version's.
 */
export function parseModuleTarget(rest: readonly string[]): ModuleTarget {
  const at = rest.findLastIndex(element => element === '@v' || element === '@latest');
  if (at < 1 || rest[0] === 'sumdb') throw noSuchFile();
  const [verb, file = '', ...more] = rest.slice(at);
  if (more.length > 0 || (verb === '@latest') !== (rest.length === at + 1)) throw noSuchFile();
  const module = orBadRequest(() => unescapePath(joinElements(rest.slice(0, at))));
  if (verb === '@latest') return { module, question: { kind: 'latest', file: 'info' } };
  if (file === 'list') return { module, question: { kind: 'list' } };
  const match = /^(.+)\.(info|mod|zip)$/s.exec(file);
  if (!match) throw noSuchFile();
  const kind = match[2] === 'info' ? 'info' : match[2] === 'mod' ? 'mod' : 'zip';
  const escaped = match[1] ?? '';
  if (escaped === 'latest') return { module, question: { kind: 'latest', file: kind } };
  // A branch name may hold a slash, which Go's escape of versions does not know.
  const query = orBadRequest(() => escaped.split('/').map(unescapeVersion).join('/'));
  return { module, question: { kind: 'version', query, file: kind } };
}

const noSuchFile = () =>
  new NoSuchRoute('no such file; ask for {module}/@v/list, @v/{version}.info, .mod or .zip, or @latest');

/** The module and version whose zip can be PUT at a target, undefined where none can; throws BadRequest for a version that is none. */
export function uploadTarget({ module, question }: ModuleTarget): UploadTarget | undefined {
  if (question.kind !== 'version' || question.file !== 'zip') return undefined;
  return { module, version: orBadRequest(() => parseVersion(question.query)) };
}

function joinElements(elements: readonly string[]): string {
  if (elements.some(element => element.includes('/')))
    throw new BadRequest('a / in a module path is not written as %2F here');
  return elements.join('/');
}

/** What gomod refuses is a bad request here. */
function orBadRequest<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof InvalidModulePath || error instanceof InvalidVersion)) throw error;
    throw new BadRequest(error.message, { cause: error });
  }
}
