/** What the refs of a source repository say of a module, without a look at any commit. cmd/go/internal/modfetch (coderepo.go) */
import { isObjectId, type ObjectId } from '../git/object-id.ts';
import type { Refs } from '../git/remote.ts';
import type { ModuleLocation } from '../gomod/module-directory.ts';
import { type ModulePath, splitPathVersion } from '../gomod/module-path.ts';
import { isPseudoVersion, pseudoVersionRevision } from '../gomod/pseudo-version.ts';
import { canonicalTag } from '../gomod/query.ts';
import { isSemver, sortSemver } from '../gomod/semver.ts';
import { isVersion, type Version } from '../gomod/version.ts';
import type { ReadableRepository } from './commit-files.ts';
import { sourceTagOf } from './place-module.ts';

export interface SourceModule extends ReadableRepository {
  readonly module: ModulePath;
  readonly refs: Refs;
}

/** A tag of the module: the version that it stands for, and whether it says no more than that. */
export interface VersionTag {
  readonly tag: string;
  readonly commit: ObjectId;
  readonly version: Version;
  readonly isCanonical: boolean;
}

/** `/v2`, `.v3` or ''. */
export const pathMajorOf = (module: ModulePath): string => splitPathVersion(module)?.pathMajor ?? '';

export const locationOf = ({ module, place }: SourceModule): ModuleLocation => ({
  module,
  rootPath: place.rootPath,
  subdir: place.subdir,
});

/** What the module's tags begin with. */
export const tagPrefixOf = ({ place }: SourceModule): string => (place.subdir === '' ? '' : `${place.subdir}/`);

/** Only a root that names no major version may have versions of any, where there is no go.mod. */
export const takesIncompatible = (source: SourceModule): boolean =>
  source.place.subdir === '' && pathMajorOf(source.module) === '';

export const incompatible = '+incompatible';

/** A version is tagged without the suffix. */
export function withoutIncompatible(version: Version): Version {
  const base = version.endsWith(incompatible) ? version.slice(0, -incompatible.length) : version;
  return isVersion(base) ? base : version;
}

export function withIncompatible(version: Version): Version {
  const whole = `${withoutIncompatible(version)}${incompatible}`;
  return isVersion(whole) ? whole : version;
}

/** The branch, tag or commit that a version or any other query stands for in the repository. */
export function revisionOf(source: SourceModule, asked: string): string {
  if (!isSemver(asked)) return asked;
  if (isPseudoVersion(asked)) return pseudoVersionRevision(asked);
  return sourceTagOf(source.place, asked);
}

/** The commit that HEAD names, by its branch as a rule; undefined where there is none yet. */
export function headOf({ head, byName }: Refs): ObjectId | undefined {
  if (head === undefined || isObjectId(head)) return head;
  const branch = byName.get(head);
  return branch && (branch.peeled ?? branch.id);
}

interface Tag {
  readonly tag: string;
  readonly commit: ObjectId;
}

/** All tags of the repository and the commits that they point to, in the order of their names. */
export function allTags(refs: Refs): readonly Tag[] {
  const known = tagsOf.get(refs);
  if (known !== undefined) return known;
  const prefix = 'refs/tags/';
  const tags: Tag[] = [];
  for (const { name, id, peeled } of refs.byName.values()) {
    if (name.startsWith(prefix)) tags.push({ tag: name.slice(prefix.length), commit: peeled ?? id });
  }
  tags.sort((a, b) => (a.tag < b.tag ? -1 : 1));
  tagsOf.set(refs, tags);
  return tags;
}

/** Sorting 50,000 tags takes a quarter of a second, and each look at the refs serves many questions. */
const tagsOf = new WeakMap<Refs, readonly Tag[]>();
const versionTagsOf = new WeakMap<Refs, Map<string, readonly VersionTag[]>>();

/** The tags that stand for versions of the module, of whatever major version: by precedence, the lowest first. */
export function versionTags(source: SourceModule): readonly VersionTag[] {
  const byPrefix = versionTagsOf.get(source.refs) ?? new Map<string, readonly VersionTag[]>();
  versionTagsOf.set(source.refs, byPrefix);
  const prefix = tagPrefixOf(source);
  const known = byPrefix.get(prefix);
  if (known !== undefined) return known;
  const found: VersionTag[] = [];
  for (const { tag, commit } of allTags(source.refs)) {
    const meant = tag.startsWith(prefix) ? canonicalTag(tag.slice(prefix.length)) : undefined;
    if (meant !== undefined) found.push({ tag, commit, ...meant });
  }
  const sorted = sortSemver(found, ({ version }) => version);
  byPrefix.set(prefix, sorted);
  return sorted;
}

/** What the digits of a commit id may mean among the refs alone. */
export function tipsWithPrefix(refs: Refs, digits: string): ObjectId[] {
  const tips = new Set<ObjectId>();
  for (const { name, id, peeled } of refs.byName.values()) {
    const tip = peeled ?? id;
    if (/^refs\/(?:heads|tags)\//.test(name) && tip.startsWith(digits)) tips.add(tip);
  }
  return [...tips];
}

/** As `tipsWithPrefix`, by the ids of annotated tags themselves. */
export function annotatedWithPrefix(refs: Refs, digits: string): ObjectId[] {
  const refsOfTags = [...refs.byName.values()].filter(({ name }) => name.startsWith('refs/tags/'));
  return refsOfTags.flatMap(({ id, peeled }) => (peeled !== undefined && id.startsWith(digits) ? [peeled] : []));
}
