/**
 * The files of one version, rebuilt from its commit: of a published one as they were uploaded, checked against the record in the commit
 * before anyone gets a byte of them; of one that people pushed as the go command would make them. Only what passed is kept: content is
 * keyed by repository and commit, so it can't go stale.
 */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Commit } from '../git/commit.ts';
import type { ObjectId } from '../git/object-id.ts';
import type { CommitFiles as Files, SnapshotFile } from '../git/remote.ts';
import { giveWay, inTurns } from '../give-way.ts';
import { type H1, hashFilesInSteps, hashGoMod } from '../gomod/h1.ts';
import { goModPaths } from '../gomod/module-directory.ts';
import type { ModulePath } from '../gomod/module-path.ts';
import { isPseudoVersion, parsePseudoVersion } from '../gomod/pseudo-version.ts';
import type { Version } from '../gomod/version.ts';
import { release, retain } from '../spool/slice.ts';
import { SliceStore } from '../spool/slice-store.ts';
import { createSpool } from '../spool/spool.ts';
import { ZipBuilder } from '../zip/build-zip.ts';
import type { CommitFiles } from './commit-files.ts';
import { type Content, etagOf, makeContent } from './content.ts';
import { HashMismatch, NotFound, UnservableVersion } from './errors.ts';
import { Limiter } from './limiter.ts';
import { type Place, tagOf } from './place-module.ts';
import { SharedCache } from './shared-cache.ts';
import type { SourceModules } from './source-module.ts';
import { locationOf, revisionOf, type SourceModule } from './source-tags.ts';
import { type ModuleFile, sourceFiles } from './source-zip.ts';
import { parseRecord, type VersionRecord } from './version-record.ts';

/** One version of a module, and where it lies. */
export interface VersionAt extends SourceModule {
  readonly version: Version;
  readonly commit: ObjectId;
}

export type VersionFile = 'info' | 'mod' | 'zip';

/** What a cached value costs beside its bytes: key, headers, the map's own entry. */
const entryBytes = 1024;

/** What the commit says about where the version's files come from. */
type Origin = { readonly kind: 'published'; readonly record: VersionRecord } | { readonly kind: 'source' };

export interface VersionContentsOptions {
  /** Most bytes of all contents that are kept. */
  readonly maxBytes: number;
  /** Larger zips are kept on the disk. */
  readonly spoolAboveBytes: number;
  readonly files: CommitFiles;
  readonly sources: SourceModules;
}

export class VersionContents {
  readonly #contents: SharedCache<Content>;
  readonly #files: CommitFiles;
  readonly #sources: SourceModules;
  readonly #spoolAboveBytes: number;
  /** A zip under way takes room for all of its content, compressed, twice. */
  readonly #builds = new Limiter(2);

  constructor({ maxBytes, spoolAboveBytes, files, sources }: VersionContentsOptions) {
    this.#files = files;
    this.#sources = sources;
    this.#spoolAboveBytes = spoolAboveBytes;
    this.#contents = new SharedCache({
      maxBytes,
      bytesOf: content => content.bytes.byteLength + entryBytes,
      owners: { retain: ({ bytes }) => retain(bytes), release: ({ bytes }) => release(bytes) },
    });
  }

  /**
   * The content, of which the caller becomes an owner. Throws NotFound where the tag's commit is a version of another module or holds no such module, HashMismatch or DamagedRecord where
   * it is not what was published, UnservableVersion, and what Remote throws.
   */
  get(at: VersionAt, file: VersionFile, signal: AbortSignal): Promise<Content> {
    const build = { info: this.#buildInfo, mod: this.#buildMod, zip: this.#buildZip }[file];
    return this.#contents.get(contentKey(at, file), shared => build.call(this, at, shared), signal);
  }

  /** Lets go of all contents. */
  clear(): void {
    this.#contents.clear();
  }

  /** Puts the small files of a version that was published just now where its first readers find them. */
  prime(at: VersionAt, commit: Commit, record: VersionRecord, goMod: Buffer): { info: Content } {
    const info = makeInfo(at, commit, { kind: 'published', record });
    this.#contents.set(contentKey(at, 'info'), info);
    // A copy: the bytes may be a slice of the whole upload, which the cache must not keep.
    this.#contents.set(
      contentKey(at, 'mod'),
      makeContent('mod', Buffer.from(goMod), timeOf(at, commit, { kind: 'published', record })),
    );
    return { info };
  }

  /** The record of a version that was uploaded, undefined where people pushed the tag; throws as `get`. */
  async record(at: VersionAt, signal: AbortSignal): Promise<VersionRecord | undefined> {
    const { origin } = await this.#read(at, signal);
    return origin.kind === 'published' ? origin.record : undefined;
  }

  async #buildInfo(at: VersionAt, signal: AbortSignal): Promise<Content> {
    const { commit, origin } = await this.#read(at, signal);
    if (origin.kind === 'source') await this.#sources.locate(at, at, signal);
    return makeInfo(at, commit, origin);
  }

  async #buildMod(at: VersionAt, signal: AbortSignal): Promise<Content> {
    const { commit, origin, files } = await this.#read(at, signal);
    const file =
      origin.kind === 'published'
        ? files.get(inModule(at.place, 'go.mod'))
        : (await this.#sources.locate(at, at, signal)).goMod;
    const goMod = file ?? synthesizeGoMod(at.module);
    if (origin.kind === 'published') checkHash(at, 'go.mod', origin.record.goModHash, hashGoMod(goMod));
    return makeContent('mod', goMod, timeOf(at, commit, origin));
  }

  /** Resolves when the zip is known to be right; a large one is written while others read it. */
  #buildZip(at: VersionAt, signal: AbortSignal): Promise<Content> {
    return new Promise((resolve, reject) => {
      this.#builds.run(() => this.#buildZipNow(at, resolve, signal), signal).catch(reject);
    });
  }

  async #buildZipNow(at: VersionAt, handOut: (zip: Content) => void, signal: AbortSignal): Promise<void> {
    await using store = new SliceStore(this.#spoolAboveBytes);
    const { commit, files, dataHash } = await at.remote.snapshot(at.commit, store, signal);
    const origin = originOf(at, commit);
    const modified = timeOf(at, commit, origin);
    const moduleFiles =
      origin.kind === 'published'
        ? publishedFiles(at, files)
        : sourceFiles(files, await this.#sources.locate(at, at, signal), store);
    const { zip, h1 } = await planZip(at, moduleFiles, signal);
    if (origin.kind === 'published') checkHash(at, 'zip', origin.record.zipHash, h1);
    const content = { kind: 'zip', etag: zipEtag(at, dataHash()), modified } as const;
    if (zip.byteLength <= this.#spoolAboveBytes) {
      handOut({ ...content, bytes: await zip.bytes() });
      return;
    }
    await using bytes = await createSpool();
    bytes.expect(zip.byteLength);
    bytes.retain();
    const shared: Content = { ...content, bytes };
    handOut(shared);
    try {
      // In a turn of its own: whoever gets it has put it into the cache by then.
      await setImmediate();
      await zip.writeTo(piece => bytes.append(piece));
    } catch (error) {
      bytes.fail(error);
      this.#contents.delete(contentKey(at, 'zip'), shared);
    }
  }

  /** The commit, where its files come from, and its go.mod files; one request, for .info and .mod together. */
  async #read(at: VersionAt, signal: AbortSignal): Promise<Files & { readonly origin: Origin }> {
    const { commit, files } = await this.#files.get(at, at.commit, goModPaths(locationOf(at)), signal);
    return { commit, files, origin: originOf(at, commit) };
  }
}

/** The go.mod of a module that has none, as the go command reads it (go.dev/ref/mod#non-module-compat). */
export const synthesizeGoMod = (module: ModulePath): Buffer => Buffer.from(`module ${module}\n`);

/** Where a file of the module lies in its repository's tree. */
export const inModule = (place: Place, path: string): string =>
  place.subdir === '' ? path : `${place.subdir}/${path}`;

/** The same commit may lie in several repositories, and be another module's version in each. */
const contentKey = ({ place, commit, module, version }: VersionAt, file: VersionFile): string =>
  [place.owner, place.repo, place.subdir, commit, module, version, file].join('\n');

function originOf(at: VersionAt, commit: Commit): Origin {
  const record = parseRecord(commit);
  if (record === undefined) return { kind: 'source' };
  if (record.module !== at.module || record.version !== at.version) {
    throw new NotFound(
      `the tag of ${at.module} ${at.version} points to the commit of ${record.module} ${record.version}; ` +
        'publish again after the tag is deleted',
      { dependsOnCaller: true },
    );
  }
  return { kind: 'published', record };
}

function checkHash(at: VersionAt, file: 'go.mod' | 'zip', recorded: H1, found: H1): void {
  if (found !== recorded) {
    throw new HashMismatch({ module: at.module, version: at.version, file, recorded, found });
  }
}

/** `.info`'s Time: the committer's, but for an uploaded pseudo-version, which names its own. Throws UnservableVersion for no year of RFC 3339. */
function timeOf({ version }: VersionAt, { committer }: Commit, { kind }: Origin): Date {
  if (kind === 'published' && isPseudoVersion(version)) return parsePseudoVersion(version).time;
  if (committer.time > lastSecond) throw new UnservableVersion('its commit is of a year after 9999');
  return new Date(committer.time * 1000);
}

const lastSecond = Date.UTC(9999, 11, 31, 23, 59, 59) / 1000;

/** go.dev/ref/mod#goproxy-protocol; Origin as cmd/go's modfetch/codehost.Origin has it. */
function makeInfo(at: VersionAt, commit: Commit, origin: Origin): Content {
  const time = timeOf(at, commit, origin);
  const tag = origin.kind === 'published' ? tagOf(at.place, at.version) : revisionOf(at, at.version);
  const info = {
    Version: at.version,
    Time: time.toISOString().replace('.000Z', 'Z'),
    Origin: {
      VCS: 'git',
      URL: at.remote.url,
      Subdir: at.place.subdir || undefined,
      Hash: at.commit,
      Ref: isPseudoVersion(at.version) ? undefined : `refs/tags/${tag}`,
    },
  };
  return makeContent('info', Buffer.from(JSON.stringify(info)), time);
}

/** The files of a published version: all that lies in its folder, as it is. */
async function* publishedFiles(
  { place }: VersionAt,
  files: AsyncIterable<readonly SnapshotFile[]>,
): AsyncGenerator<ModuleFile[], void> {
  const prefix = inModule(place, '');
  for await (const batch of files) {
    const own = batch.filter(({ path }) => path.startsWith(prefix));
    yield own.map(({ path, blob }) => ({ path: path.slice(prefix.length), content: blob }));
  }
}

/** The module zip to be, entries in the order of the files, and its hash. */
export async function planZip(
  { module, version }: Pick<VersionAt, 'module' | 'version'>,
  files: AsyncIterable<readonly ModuleFile[]>,
  signal: AbortSignal,
): Promise<{ zip: ZipBuilder; h1: H1 }> {
  const zip = new ZipBuilder();
  const hashes: { name: string; sha256: Buffer }[] = [];
  for await (const batch of files) {
    await giveWay();
    signal.throwIfAborted();
    for (const { path, content } of batch) {
      const name = `${module}@${version}/${path}`;
      hashes.push({ name, sha256: content.sha256 });
      zip.add({ name, content });
    }
  }
  return { zip, h1: await inTurns(hashFilesInSteps(hashes)) };
}

/** To be changed with how zips are laid out, with what is compressed here, and with the rules by which the files of source versions are made. */
const zipLayout = 1;

/** What compresses here; it may do so in another way on another processor. */
const compressor = `${process.versions.zlib} ${process.arch}`;

/** The zip's validator, before its bytes are made: they are arithmetic on the commit's files, as these are compressed, and on what is named here. */
const zipEtag = ({ module, version, commit }: VersionAt, dataHash: string): string =>
  etagOf(createHash('sha256').update([zipLayout, compressor, module, version, commit, dataHash].join('\n')));
