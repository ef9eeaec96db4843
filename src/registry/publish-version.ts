/** Publishing: parse → check → place → one push. The tag is the lock: of all who publish a version, one push of it wins. */
import type { Caller } from '../forge/credentials.ts';
import { TreeBuilder } from '../git/build-tree.ts';
import { type Commit, encodeCommit } from '../git/commit.ts';
import { PushRefused, RefMoved, RepositoryNotFound } from '../git/errors.ts';
import { emptyTree, type ObjectId } from '../git/object-id.ts';
import { type PackedObject, packObject } from '../git/packed-object.ts';
import { isRefName, type RefName, tagRef } from '../git/ref-name.ts';
import type { Refs, RefUpdate, Remote } from '../git/remote.ts';
import { giveWay } from '../give-way.ts';
import type { H1 } from '../gomod/h1.ts';
import type { ModulePath } from '../gomod/module-path.ts';
import { isPseudoVersion } from '../gomod/pseudo-version.ts';
import { majorOf } from '../gomod/semver.ts';
import { compareVersions, type Version } from '../gomod/version.ts';
import { assertNever } from './assert-never.ts';
import type { Content } from './content.ts';
import { mainRef } from './default-branch.ts';
import { deletedRef, readDeleted, type Stores } from './deleted-version.ts';
import { type Beginning, EarlyPush } from './early-push.ts';
import { InvalidUpload, NotAllowed, PublishConflict } from './errors.ts';
import { makeMarker, markerRef, readMarker } from './marker.ts';
import { moduleVersions, ownershipOf } from './module-versions.ts';
import { type Place, sourceTagOf, tagOf } from './place-module.ts';
import { openUpload, type Upload, type UploadTarget, type UploadToOpen } from './read-upload.ts';
import type { Repositories } from './repositories.ts';
import type { SentObjects } from './sent-objects.ts';
import { inModule } from './version-content.ts';
import { formatRecord, parseRecord, publisher } from './version-record.ts';

export interface PublishRequest extends UploadToOpen {
  readonly owner: string;
  readonly caller: Caller;
}

export interface Published {
  readonly module: ModulePath;
  readonly version: Version;
  readonly zipHash: H1;
  readonly info: Content;
  readonly warnings: readonly string[];
  readonly place: Place;
}

export interface PublishOptions extends Stores {
  readonly sent: SentObjects;
  /** What may be published where a version was deleted: anything, or the same content again. */
  readonly republish: 'any' | 'same';
}

/** Older refs are read again before anything is decided by them. */
const maxRefsAgeMs = 1_000;

/** How often refs are read again after somebody else was faster; the second time only the tag itself can be lost. */
const attempts = 4;

/**
 * Throws InvalidUpload, PublishConflict, NotAllowed, CredentialsNeeded, NotFound for an owner that is not served, and what
 * the forge and the remote throw.
 */
export async function publishVersion(
  { owner, caller, ...received }: PublishRequest,
  { repositories, contents, releases, sent, republish }: PublishOptions,
  signal: AbortSignal,
): Promise<Published> {
  repositories.servedOwner(owner);
  const login = await repositories.login(caller, signal);
  await using opened = await openUpload(received, signal);
  const { module, version } = opened.target;
  const place = repositories.place(owner, module);
  const tag = tagRefOf(place, version);
  const remote = repositories.forge.remote(place, caller);
  // While files are hashed.
  const asked = performance.now();
  let asking = askForRefs();
  await using early = new EarlyPush(beginPush);
  const builder = new TreeBuilder();
  const upload = await opened.read({
    onFile: ({ path, id }) => builder.add({ path: inModule(place, path), mode: '100644', id }),
    onBlobs: blobs => early.add(blobs),
  });
  if (performance.now() - asked > maxRefsAgeMs) asking = askForRefs();
  checkSizes(upload, repositories.forge.maxFileBytes);
  const tree = await makeTrees(builder);
  const contained = [...upload.blobs, ...tree.trees.values()];

  for (let attempt = 1; ; attempt++) {
    const refs = await refsToWrite(await asking);
    await checkMayPublish(refs);
    const parent = parentOf(refs, place, upload);
    const now = Math.floor(Date.now() / 1000);
    const person = publisher(login.name, repositories.forge.host, now);
    const message = formatRecord(upload);
    const content = { tree: tree.id, parents: parent ? [parent] : [], author: person, committer: person, message };
    const packed = packObject('commit', encodeCommit(content));
    // What is of the parent is there already. Where it is not, against all rules, the push is refused, and then all is sent.
    const known = parent && attempt === 1 ? sent.of(parent) : new Set();
    try {
      const isFirst = ownershipOf(refs, place) === 'empty';
      const first = isFirst ? firstUpdates(place, packed.id) : { updates: [], objects: [] };
      const begun = attempt === 1 ? await early.begun() : undefined;
      await (begun ?? remote).push({
        objects: [...contained.filter(({ id }) => !known.has(id)), packed, ...first.objects],
        updates: [...first.updates, { name: tag, from: undefined, to: packed.id }],
        signal,
      });
    } catch (error) {
      repositories.forget(place);
      const wasPart = error instanceof PushRefused && known.size > 0;
      if (!(error instanceof RefMoved || wasPart) || attempt === attempts) throw error;
      asking = askForRefs();
      continue;
    }
    repositories.forget(place);
    sent.remember(packed.id, new Set(contained.map(({ id }) => id)));
    const commit: Commit = { id: packed.id, ...content };
    const { info } = contents.prime(
      { module, version, commit: packed.id, place, remote, refs },
      commit,
      upload,
      upload.goMod,
    );
    const deleted = refs.byName.get(deletedRef(tagOf(place, version)))?.id;
    const warning = await releases.make({ ...upload, commit: packed.id, place, deleted }, caller);
    const warnings = warning === undefined ? upload.warnings : [...upload.warnings, warning];
    return { module, version, zipHash: upload.zipHash, info, warnings, place };
  }

  /** Of a version that will most likely be taken. All else is left to the push, and to tell what is in the way too. */
  async function beginPush(): Promise<Beginning | undefined> {
    if (remote.beginPush === undefined) return undefined;
    const refs = await asking.catch(() => undefined);
    const isExpected = refs && ownershipOf(refs, place) === 'managed' && !refs.byName.has(tag);
    if (!isExpected) return undefined;
    const parent = parentOf(refs, place, opened.target);
    const push = await remote.beginPush(signal).catch(() => undefined);
    return push && { push, known: parent ? sent.of(parent) : new Set() };
  }

  /**
   * The refs as they are now. A repository that is not there is made, and one without refs is set up again: whoever made it may
   * have been killed before its settings were right.
   */
  async function refsToWrite(found: Refs | undefined): Promise<Refs> {
    if (found !== undefined && ownershipOf(found, place) !== 'empty') return found;
    const { isNew, runsActions } = await repositories.forge.createRepository(place, caller, signal);
    if (runsActions) refuseWorkflows(upload);
    if (isNew) return { byName: new Map(), head: undefined };
    return found ?? (await repositories.freshRefs(place, caller, signal));
  }

  /** Whoever's upload is refused before need not know how it ends. */
  function askForRefs(): Promise<Refs | undefined> {
    const refs = refsIfThere();
    refs.catch(() => {});
    return refs;
  }

  async function refsIfThere(): Promise<Refs | undefined> {
    try {
      return await repositories.freshRefs(place, caller, signal);
    } catch (error) {
      if (error instanceof RepositoryNotFound) return undefined;
      throw error;
    }
  }

  async function checkMayPublish(refs: Refs): Promise<void> {
    const existing = refs.byName.get(tag);
    const deleted = refs.byName.get(deletedRef(tagOf(place, version)));
    if (existing !== undefined) throw await existsAlready(existing.peeled ?? existing.id, deleted?.id);
    await checkMayWrite(refs, place, version, remote, signal);
    const twin = repositories.forge.foldsTagCase ? caseTwin(refs, tag) : undefined;
    if (twin !== undefined) {
      throw new PublishConflict(`${twin} exists, and the forge takes it and ${tagOf(place, version)} for one tag`);
    }
    const neighbour = neighbourInTheWay(refs, tag);
    if (neighbour !== undefined) {
      const reason = `git can't hold the tags ${tag} and ${neighbour} at once; choose another version`;
      throw new InvalidUpload(`cannot publish ${module} ${version}`, [{ code: 'tag', file: '', reason }]);
    }
    if (deleted !== undefined && republish === 'same') {
      const zipHash = readDeleted(await remote.commit(deleted.id, signal));
      if (zipHash !== upload.zipHash) {
        throw new PublishConflict(
          `${module} ${version} was deleted and may only be published as it was: ${zipHash}, not ${upload.zipHash}; use a new version`,
        );
      }
    }
  }

  async function existsAlready(commit: ObjectId, deleted: ObjectId | undefined): Promise<Error> {
    const known = await remote.commit(commit, signal);
    const record = parseRecord(known);
    if (record === undefined) {
      return new PublishConflict(
        `${module} ${version} exists already, as a tag that was pushed to ${place.owner}/${place.repo}`,
      );
    }
    // An upload that comes again, after one that was cut off perhaps, mends a release that is missing.
    if (record.zipHash === upload.zipHash) await releases.make({ ...upload, commit, place, deleted }, caller);
    return new PublishConflict(
      record.zipHash === upload.zipHash
        ? `${module} ${version} is published already, with the same content: ${record.zipHash}`
        : `${module} ${version} is published already, with other content: ${record.zipHash}, not ${upload.zipHash}; use a new version`,
    );
  }
}

/** The root's id, and every tree once. */
async function makeTrees(builder: TreeBuilder): Promise<{ id: ObjectId; trees: ReadonlyMap<ObjectId, PackedObject> }> {
  const trees = new Map<ObjectId, PackedObject>();
  let root = emptyTree;
  for (const tree of builder.trees()) {
    await giveWay();
    trees.set(tree.id, tree);
    root = tree.id;
  }
  return { id: root, trees };
}

/**
 * Refuses what the owner of the request may not be asked to upload: the owner is not served, the credentials are wrong, or the
 * repository of `target` is not modforge's to write to. For use before the body is read; throws as `publishVersion`.
 */
export async function checkBeforeUpload(
  { owner, caller, target }: { owner: string; caller: Caller; target: UploadTarget | undefined },
  repositories: Repositories,
  signal: AbortSignal,
): Promise<void> {
  repositories.servedOwner(owner);
  await repositories.login(caller, signal);
  if (target === undefined) return;
  const place = repositories.place(owner, target.module);
  tagRefOf(place, target.version);
  const refs = await repositories.refs(place, caller, signal);
  if (refs === undefined) return;
  await checkMayWrite(refs, place, target.version, repositories.forge.remote(place, caller), signal);
}

/** Whether modforge may write to a repository, by its marker: it is empty, or carries the marker of this very path. */
async function checkMayWrite(
  refs: Refs,
  place: Place,
  version: Version,
  remote: Remote,
  signal: AbortSignal,
): Promise<void> {
  const repository = `${place.owner}/${place.repo}`;
  const ownership = ownershipOf(refs, place);
  switch (ownership) {
    case 'empty':
    case 'managed':
      return;
    case 'source': {
      const tag = sourceTagOf(place, version);
      if (refs.byName.has(tagRef(tag))) {
        throw new PublishConflict(`${tag} exists already, as a tag that was pushed to ${repository}`);
      }
      const advice = isPseudoVersion(version) ? 'push the commit' : `push the tag ${tag}`;
      throw new NotAllowed(`people push to ${repository}, modforge does not: ${advice} to it and it is served`);
    }
    case 'managed for another path': {
      const marker = refs.byName.get(markerRef);
      const path = marker && readMarker(await remote.commit(marker.id, signal));
      throw new PublishConflict(
        `the repository ${repository} belongs to the module ${path ?? 'that its marker names'}`,
      );
    }
    default:
      assertNever(ownership);
  }
}

/** Where the forge would run them, at the tag's push already. */
function refuseWorkflows({ module, version, files }: Upload): void {
  const problems = files
    .filter(({ path }) => /^\.(github|gitea|forgejo)\/workflows\//.test(path))
    .map(({ path }) => ({ code: 'workflow', file: path, reason: 'Actions cannot be switched off, so it would run' }));
  if (problems.length > 0) throw new InvalidUpload(`cannot publish ${module} ${version}`, problems);
}

function checkSizes({ module, version, files, blobs }: Upload, maxFileBytes: number | undefined): void {
  if (maxFileBytes === undefined) return;
  const tooLarge = new Set(blobs.filter(blob => blob.size > maxFileBytes).map(blob => blob.id));
  const problems = files
    .filter(file => tooLarge.has(file.id))
    .map(({ path }) => ({ code: 'size', file: path, reason: `the forge takes files of up to ${maxFileBytes} bytes` }));
  if (problems.length > 0) throw new InvalidUpload(`cannot publish ${module} ${version}`, problems);
}

/** A ref and its lock are files: 255 bytes for a name, less `.lock`. */
const maxRefPartBytes = 250;

/** The version's tag as a ref; a legal version or folder can still be a name that git refuses. */
function tagRefOf(place: Place, version: Version): RefName {
  const tag = tagOf(place, version);
  const isTooLong = tag.split('/').some(part => Buffer.byteLength(part) > maxRefPartBytes);
  if (!isTooLong && isRefName(`refs/tags/${tag}`)) return tagRef(tag);
  const reason = `git accepts no tag with the name ${tag.slice(0, 300)}; choose another version or path`;
  throw new InvalidUpload(`cannot publish ${version}`, [{ code: 'tag', file: '', reason }]);
}

/** Branch and marker of a repository's first version. The tag comes after them, so that a crash between leaves no version. */
function firstUpdates(place: Place, commit: ObjectId): { updates: RefUpdate[]; objects: PackedObject[] } {
  const marker = makeMarker(place.rootPath);
  return {
    objects: [packObject('tree', new Uint8Array(0)), marker],
    updates: [
      { name: markerRef, from: undefined, to: marker.id },
      { name: mainRef, from: undefined, to: commit },
    ],
  };
}

/** The highest lower version of the same path and major, so that the forge's pages can compare; pseudo-versions take no part. */
function parentOf(refs: Refs, place: Place, { module, version }: UploadTarget): ObjectId | undefined {
  if (isPseudoVersion(version)) return undefined;
  let parent: ObjectId | undefined;
  for (const [other, commit] of moduleVersions(refs, place, module)) {
    if (isPseudoVersion(other) || majorOf(other) !== majorOf(version)) continue;
    if (compareVersions(other, version) < 0) parent = commit;
  }
  return parent;
}

/** A tag that differs from this one in case alone, without `refs/tags/`. */
function caseTwin(refs: Refs, tag: RefName): string | undefined {
  const folded = tag.toLowerCase();
  return [...refs.byName.keys()]
    .find(name => name !== tag && name.toLowerCase() === folded)
    ?.slice('refs/tags/'.length);
}

/** A tag that is a folder of this one, or in this one as a folder. */
function neighbourInTheWay(refs: Refs, tag: RefName): RefName | undefined {
  return [...refs.byName.keys()].find(name => name.startsWith(`${tag}/`) || tag.startsWith(`${name}/`));
}
