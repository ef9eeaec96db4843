/**
 * Modules in repositories that people push to, resolved as the go command itself does in direct mode: which tags are versions, what a
 * branch or commit is called, which go.mod counts. cmd/go/internal/modfetch (coderepo.go), go.dev/ref/mod#vcs-version
 */
import { CorruptObject } from '../git/errors.ts';
import type { ObjectId } from '../git/object-id.ts';
import type { CommitFiles as Files } from '../git/remote.ts';
import {
  checkPseudoVersion,
  type PseudoVersionCheck,
  type PseudoVersionCommit,
} from '../gomod/check-pseudo-version.ts';
import { InvalidVersion, NoModule } from '../gomod/errors.ts';
import { findModuleDirectory, goModPaths, type ModuleDirectory } from '../gomod/module-directory.ts';
import { isPseudoVersion, makePseudoVersion, pseudoVersionRevision, shortRevision } from '../gomod/pseudo-version.ts';
import { highestMatching, isCommitPrefix, type Query } from '../gomod/query.ts';
import { isRetracted } from '../gomod/retractions.ts';
import { compareSemver, majorOf } from '../gomod/semver.ts';
import { checkPathMajor, isVersion, pathMajorPrefix, type Version } from '../gomod/version.ts';
import type { CommitFiles } from './commit-files.ts';
import { readDependencyGoMod } from './dependency-go-mod.ts';
import { NotFound, UnservableVersion } from './errors.ts';
import type { Histories } from './histories.ts';
import { Limiter } from './limiter.ts';
import { latestOf, pointedAt } from './module-versions.ts';
import {
  allTags,
  annotatedWithPrefix,
  headOf,
  incompatible,
  locationOf,
  pathMajorOf,
  revisionOf,
  type SourceModule,
  tagPrefixOf,
  takesIncompatible,
  tipsWithPrefix,
  type VersionTag,
  versionTags,
  withIncompatible,
  withoutIncompatible,
} from './source-tags.ts';

/** A version, made up for its commit where no tag fits. */
export interface SourceRevision {
  readonly version: Version;
  readonly commit: ObjectId;
}

/** Where a version's files lie in the tree of its commit. */
export interface LocatedModule extends ModuleDirectory {
  readonly commit: Files['commit'];
}

/** What is asked about a commit: `asked` is the query, '' for the default branch, and `tag` the tag that led here, if one did. */
interface Asked {
  readonly source: SourceModule;
  readonly commit: ObjectId;
  readonly asked: string;
  readonly tag?: string;
  readonly signal: AbortSignal;
}

export class SourceModules {
  readonly #files: CommitFiles;
  readonly #histories: Histories;
  readonly #lookUps = new Limiter(8);

  constructor(files: CommitFiles, histories: Histories) {
    this.#files = files;
    this.#histories = histories;
  }

  /**
   * The versions that tags name, lowest first, `+incompatible` ones at the end: these only where neither the newest compatible version
   * nor the newest of their own major version has a go.mod (golang.org/issue/34189). Throws as the remote.
   */
  async versions(source: SourceModule, signal: AbortSignal): Promise<Version[]> {
    if (source.module.startsWith('gopkg.in/') && source.module.endsWith('-unstable')) return [];
    const pathMajor = pathMajorOf(source.module);
    const mayBeIncompatible = takesIncompatible(source);
    const versions: Version[] = [];
    const byMajor = new Map<string, Version[]>();
    for (const { version, isCanonical } of versionTags(source)) {
      if (!isCanonical) continue;
      const major = majorOf(version);
      if (checkPathMajor(version, pathMajor) === undefined) versions.push(version);
      else if (mayBeIncompatible) {
        const ofMajor = byMajor.get(major) ?? [];
        ofMajor.push(version);
        byMajor.set(major, ofMajor);
      }
    }
    const newest = versions.at(-1);
    if (byMajor.size === 0 || (newest !== undefined && (await this.#hasGoMod(source, newest, signal)))) return versions;
    const withoutGoMod = Array.from(byMajor.values(), async ofMajor => {
      const newest = ofMajor.at(-1);
      const isListed = newest !== undefined && !(await this.#hasGoMod(source, newest, signal));
      return isListed ? ofMajor.map(withIncompatible) : [];
    });
    return [...versions, ...(await Promise.all(withoutGoMod)).flat()];
  }

  /** What the default branch is called as a version. Throws NotFound where there is no module in it, and as the remote. */
  async head(source: SourceModule, signal: AbortSignal): Promise<SourceRevision> {
    const commit = headOf(source.refs);
    if (commit === undefined) throw notFound(source, 'latest', 'no commits');
    return this.#convert({ source, commit, asked: '', signal });
  }

  /** The version that a query means. Throws NotFound, with the go command's own reason, and as the remote. */
  async resolve(source: SourceModule, query: Query, signal: AbortSignal): Promise<SourceRevision> {
    if (query.kind === 'prefix') {
      const version = highestMatching(await this.versions(source, signal), query.prefix);
      if (version !== undefined) return this.resolve(source, { kind: 'version', version }, signal);
    }
    const asked = query.kind === 'version' ? query.version : query.kind === 'prefix' ? query.prefix : query.revision;
    return this.#convert({ source, asked, signal, ...(await this.#find(source, asked, signal)) });
  }

  /**
   * The folder and go.mod of a version at its commit. Throws NotFound where the commit holds no such module or the version does not fit
   * it, and as the remote.
   */
  async locate(source: SourceModule, revision: SourceRevision, signal: AbortSignal): Promise<LocatedModule> {
    const { commit, version } = revision;
    const checked = await this.#checkCanonical({ source, commit, asked: version, signal }, version);
    if (checked !== version) throw notFound(source, version, `resolves to version ${checked}`);
    return this.#findDirectory(source, revision, signal);
  }

  /** The commit that a version, tag, branch or id names. */
  async #find(
    source: SourceModule,
    asked: string,
    signal: AbortSignal,
  ): Promise<{ readonly commit: ObjectId; readonly tag?: string }> {
    const { refs } = source;
    const revision = revisionOf(source, asked);
    const tagged = pointedAt(refs, `refs/tags/${revision}`);
    if (tagged !== undefined) return { commit: tagged, tag: revision };
    const branch = pointedAt(refs, `refs/heads/${revision}`) ?? (revision === 'HEAD' ? headOf(refs) : undefined);
    if (branch !== undefined) return { commit: branch };
    const unknown = () => notFound(source, asked, `unknown revision ${revision}`);
    if (!isCommitPrefix(revision)) throw unknown();
    const [tip, ...others] = tipsWithPrefix(refs, revision);
    if (others.length > 0) throw notFound(source, asked, `ambiguous revision ${revision}`);
    if (tip !== undefined) return { commit: tip };
    // Only what branches and tags reach: the forge would hand out any commit by its id, those of forks too.
    const reachable = (await this.#histories.get(source, signal)).withPrefix(revision);
    const [commit, ...more] = [...reachable, ...annotatedWithPrefix(refs, revision)];
    if (commit === undefined || more.length > 0) throw unknown();
    return { commit };
  }

  /** What a commit is called: what was asked for where that is a version, else the best tag on the commit, else a pseudo-version. */
  async #convert(at: Asked): Promise<SourceRevision> {
    const { source, commit, asked, signal } = at;
    const check = async (version: Version) => ({ version: await this.#checkCanonical(at, version), commit });
    if (isVersion(asked) && isPseudoVersion(asked)) {
      const checked = await check(asked);
      await this.#checkPseudoVersion(at, asked);
      return checked;
    }
    const tags = versionTags(source);
    const named = tags.find(({ tag }) => tag === at.tag);
    if (named?.isCanonical) {
      const checked = await check(named.version).catch(unlessNotFound);
      if (checked !== undefined) return checked;
    }
    const onCommit = tags.filter(tag => tag.commit === commit);
    const same = onCommit.filter(({ version }) => compareSemver(version, asked) === 0);
    const exact = same.find(tag => tag.isCanonical);
    if (exact !== undefined) return check(exact.version);

    const retracted = await this.#retracted(source, signal);
    const isAllowed = async ({ version }: VersionTag) =>
      !retracted(version) && (fitsMajor(source, version) || (await this.#canBeIncompatible(at, version)));
    for (const tag of onCommit.filter(tag => tag.isCanonical).reverse()) {
      if (await isAllowed(tag)) return check(tag.version);
    }
    const base = same[0]?.version ?? (await this.#recentVersion(at, tags, isAllowed));
    const { committer } = await this.#commit(source, commit, signal);
    return check(pseudoVersionOf(at, base, timeOf(committer)));
  }

  /** The version as it stands in full, `+incompatible` included. Throws NotFound where the commit holds no module that could have it. */
  async #checkCanonical(at: Asked, canonical: Version): Promise<Version> {
    const { source, asked, signal } = at;
    await this.#findDirectory(source, { commit: at.commit, version: canonical }, signal);
    const wanted = isVersion(asked) ? asked : undefined;
    const version = wanted !== undefined && canonical === withoutIncompatible(wanted) ? wanted : canonical;
    const base = withoutIncompatible(version);
    const isOfOtherMajor = !fitsMajor(source, base);
    const mayBeIncompatible = isOfOtherMajor && (await this.#canBeIncompatible(at, base));
    const resolved = mayBeIncompatible ? withIncompatible(base) : version;
    if (wanted !== undefined && withoutIncompatible(wanted) !== base) {
      throw notFound(source, wanted, `resolves to version ${resolved} (${withoutIncompatible(wanted)} is not a tag)`);
    }
    if (mayBeIncompatible) return resolved;
    const major = majorOf(version);
    if (isOfOtherMajor && pathMajorOf(source.module) !== '') {
      throw notFound(source, version, 'module path includes a major version suffix, so major version must match');
    }
    if (isOfOtherMajor) {
      const path = JSON.stringify(`${source.module}/${major}`);
      throw notFound(
        source,
        version,
        `module contains a go.mod file, so module path must match major version (${path})`,
      );
    }
    if (version !== base) {
      throw notFound(source, version, `+incompatible suffix not allowed: major version ${major} is compatible`);
    }
    return version;
  }

  /** A root without go.mod may have tags of any major version, unless a `vN/go.mod` says that they are another module's. */
  async #canBeIncompatible({ source, commit, asked, signal }: Asked, version: Version): Promise<boolean> {
    if (!takesIncompatible(source)) return false;
    // Whoever names the suffix gets it: go commands before 1.18 did not look into the folder (golang.org/issue/51324).
    const paths = asked.endsWith(incompatible) ? ['go.mod'] : ['go.mod', `${majorOf(version)}/go.mod`];
    for (const path of paths) {
      const { files } = await this.#files.get(source, commit, [path], signal);
      if (files.size > 0) return false;
    }
    return true;
  }

  /** Throws NotFound unless the pseudo-version says what is true of its commit, and its base is a tag in the commit's history. */
  async #checkPseudoVersion({ source, commit, signal }: Asked, version: Version): Promise<void> {
    const fail = (reason: string) => notFound(source, version, reason, { what: 'pseudo-version' });
    const { committer } = await this.#commit(source, commit, signal);
    const prefix = tagPrefixOf(source);
    const tags = allTags(source.refs);
    const { module, place } = source;
    const check = checkIfWellFormed(version, {
      id: commit,
      time: timeOf(committer),
      tags: tags.filter(tag => tag.commit === commit).map(({ tag }) => tag),
      subdir: place.subdir,
      pathMajor: pathMajorOf(module),
    });
    if (check.kind === 'match') return;
    if (check.kind === 'mismatch') throw fail(check.reason);
    const { base } = check;
    const bases = tags.filter(
      ({ tag }) => tag.startsWith(`${prefix}${base}`) && compareSemver(tag.slice(prefix.length), base) === 0,
    );
    const last = bases.at(-1);
    if (last === undefined) throw fail(`preceding tag (${base}) not found`);
    const ancestors = await (await this.#histories.get(source, signal)).ancestorsOf(commit);
    if (!bases.some(tag => ancestors.has(tag.commit))) {
      throw fail(`revision ${pseudoVersionRevision(version)} is not a descendent of preceding tag (${last.tag})`);
    }
  }

  /** The highest version that is allowed and whose tag lies in the commit's history. */
  async #recentVersion(
    { source, commit, signal }: Asked,
    tags: readonly VersionTag[],
    isAllowed: (tag: VersionTag) => Promise<boolean>,
  ): Promise<Version | undefined> {
    const possible = tags.filter(({ version }) => fitsMajor(source, version) || takesIncompatible(source));
    if (possible.length === 0) return undefined;
    const ancestors = await (await this.#histories.get(source, signal)).ancestorsOf(commit);
    for (const tag of possible.reverse()) {
      if (ancestors.has(tag.commit) && (await isAllowed(tag))) return tag.version;
    }
    return undefined;
  }

  /** Which versions the newest go.mod retracts; none where it can't be read. */
  async #retracted(source: SourceModule, signal: AbortSignal): Promise<(version: Version) => boolean> {
    const nothing = () => false;
    const versions = await this.versions(source, signal);
    const version = latestOf(versions.filter(version => !version.endsWith(incompatible)));
    const commit = version && commitOf(source, version);
    if (version === undefined || commit === undefined) return nothing;
    const located = await this.#findDirectory(source, { version, commit }, signal).catch(unlessUnreadable);
    const goMod = readDependencyGoMod(located?.goMod);
    return goMod === undefined ? nothing : version => isRetracted(goMod, version);
  }

  /** Whether the repository's root has a go.mod in the version. */
  async #hasGoMod(source: SourceModule, version: Version, signal: AbortSignal): Promise<boolean> {
    const commit = commitOf(source, version);
    if (commit === undefined) return false;
    // A tag for each major version would be a request each, all at once.
    const read = () => this.#files.get(source, commit, ['go.mod'], signal);
    return (await this.#lookUps.run(read, signal)).files.size > 0;
  }

  async #commit(source: SourceModule, commit: ObjectId, signal: AbortSignal): Promise<Files['commit']> {
    return (await this.#files.get(source, commit, goModPaths(locationOf(source)), signal)).commit;
  }

  async #findDirectory(
    source: SourceModule,
    { commit, version }: SourceRevision,
    signal: AbortSignal,
  ): Promise<LocatedModule> {
    const location = locationOf(source);
    const read = await this.#files.get(source, commit, goModPaths(location), signal);
    const revision = revisionOf(source, version);
    try {
      return { ...findModuleDirectory({ ...location, revision, version }, read.files), commit: read.commit };
    } catch (error) {
      if (!(error instanceof NoModule)) throw error;
      throw notFound(source, version, error.message, { cause: error });
    }
  }
}

/** Of a commit, for pseudo-versions and `.info` alike. */
const timeOf = ({ time }: { readonly time: number }): Date => new Date(time * 1000);

const fitsMajor = ({ module }: SourceModule, version: Version): boolean =>
  checkPathMajor(version, pathMajorOf(module)) === undefined;

/** The commit of a version that a tag names. */
const commitOf = (source: SourceModule, version: Version): ObjectId | undefined =>
  pointedAt(source.refs, `refs/tags/${revisionOf(source, version)}`);

function notFound(
  { module }: SourceModule,
  asked: string,
  reason: string,
  { what = 'version', cause }: { what?: 'version' | 'pseudo-version'; cause?: unknown } = {},
): NotFound {
  return new NotFound(`${module}@${asked}: invalid ${what}: ${reason}`, { dependsOnCaller: true, cause });
}

/** Throws NotFound for a commit whose date no version can tell. */
function pseudoVersionOf({ source, commit, asked }: Asked, base: Version | undefined, time: Date): Version {
  const major = pathMajorPrefix(pathMajorOf(source.module));
  try {
    return makePseudoVersion({ major, base, time, revision: shortRevision(commit) });
  } catch (error) {
    if (!(error instanceof InvalidVersion)) throw error;
    throw notFound(source, asked, error.reason, { cause: error });
  }
}

/** As `checkPseudoVersion`; a time that no calendar has, and a base that no version can follow, are a mismatch as well. */
function checkIfWellFormed(version: Version, commit: PseudoVersionCommit): PseudoVersionCheck {
  try {
    return checkPseudoVersion(version, commit);
  } catch (error) {
    if (!(error instanceof InvalidVersion)) throw error;
    return { kind: 'mismatch', reason: error.reason };
  }
}

function unlessNotFound(error: unknown): undefined {
  if (!(error instanceof NotFound)) throw error;
}

/** Undefined for a commit that nobody can read; an outage stays one. */
function unlessUnreadable(error: unknown): undefined {
  const isOfCommit = error instanceof UnservableVersion || error instanceof CorruptObject;
  if (!isOfCommit) unlessNotFound(error);
}
