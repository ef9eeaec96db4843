/**
 * The files of one published version, rebuilt from its commit. What is served is checked against the record in the commit
 * before anyone gets a byte of it, and only what passed is kept: content is keyed by commit, so it can't go stale.
 */
import { createHash } from 'node:crypto';
import type { Commit } from '../git/commit.ts';
import type { ObjectId } from '../git/object-id.ts';
import type { Remote, SnapshotFile } from '../git/remote.ts';
import { type H1, hashFiles, hashGoMod } from '../gomod/h1.ts';
import type { ModulePath } from '../gomod/module-path.ts';
import { isPseudoVersion, parsePseudoVersion } from '../gomod/pseudo-version.ts';
import type { Version } from '../gomod/version.ts';
import { buildZip } from '../zip/build-zip.ts';
import { type Content, makeContent } from './content.ts';
import { HashMismatch, NotFound, SourceVersion } from './errors.ts';
import { Limiter } from './limiter.ts';
import { type Place, tagOf } from './place-module.ts';
import { SharedCache } from './shared-cache.ts';
import { parseRecord, type VersionRecord } from './version-record.ts';

/** One version of a module, and where it lies. */
export interface VersionAt {
  readonly module: ModulePath;
  readonly version: Version;
  readonly commit: ObjectId;
  readonly place: Place;
  readonly remote: Remote;
}

export type VersionFile = 'info' | 'mod' | 'zip';

/** What a cached value costs beside its bytes: key, headers, the map's own entry. */
const entryBytes = 1024;

/** Zips are built once and sent often: the level is chosen for the one who waits for the first. */
const compressionLevel = 1;

export class VersionContents {
  readonly #contents: SharedCache<Content>;
  /** A zip under way takes memory for all of its content. */
  readonly #builds = new Limiter(2);
  readonly #commits = new SharedCache<Commit>({ max: 10_000, ttlMs: 0 });

  constructor(options: { maxBytes: number }) {
    this.#contents = new SharedCache({
      maxBytes: options.maxBytes,
      bytesOf: content => content.bytes.byteLength + entryBytes,
    });
  }

  /**
   * Throws NotFound where the tag's commit is a version of another module, SourceVersion where it is none of ours,
   * HashMismatch or DamagedRecord where it is not what was published, and what Remote throws.
   */
  get(at: VersionAt, file: VersionFile, signal: AbortSignal): Promise<Content> {
    const build = { info: this.#buildInfo, mod: this.#buildMod, zip: this.#buildZip }[file];
    return this.#contents.get(contentKey(at, file), shared => build.call(this, at, shared), signal);
  }

  /** Puts the small files of a version that was published just now where its first readers find them. */
  prime(at: VersionAt, commit: Commit, goMod: Buffer): { info: Content } {
    const info = makeInfo(at, commit);
    this.#commits.set(at.commit, commit);
    this.#contents.set(contentKey(at, 'info'), info);
    // A copy: the bytes may be a slice of the whole upload, which the cache must not keep.
    this.#contents.set(contentKey(at, 'mod'), makeContent('mod', Buffer.from(goMod), timeOf(at, commit)));
    return { info };
  }

  async record(at: VersionAt, signal: AbortSignal): Promise<{ commit: Commit; record: VersionRecord }> {
    const commit = await this.#commits.get(at.commit, shared => at.remote.commit(at.commit, shared), signal);
    return { commit, record: recordOf(at, commit) };
  }

  async #buildInfo(at: VersionAt, signal: AbortSignal): Promise<Content> {
    const { commit } = await this.record(at, signal);
    return makeInfo(at, commit);
  }

  async #buildMod(at: VersionAt, signal: AbortSignal): Promise<Content> {
    const { commit, record } = await this.record(at, signal);
    const file = await at.remote.file(at.commit, inModule(at.place, 'go.mod'), signal);
    const goMod = file ?? synthesizeGoMod(at.module);
    checkHash(at, 'go.mod', record.goModHash, hashGoMod(goMod));
    return makeContent('mod', goMod, timeOf(at, commit));
  }

  #buildZip(at: VersionAt, signal: AbortSignal): Promise<Content> {
    return this.#builds.run(() => this.#buildZipNow(at, signal), signal);
  }

  async #buildZipNow(at: VersionAt, signal: AbortSignal): Promise<Content> {
    const { commit, files } = await at.remote.snapshot(at.commit, signal);
    this.#commits.set(at.commit, commit);
    const { zipHash } = recordOf(at, commit);
    const { zip, h1 } = await zipModule(at, files, signal);
    checkHash(at, 'zip', zipHash, h1);
    return makeContent('zip', zip, timeOf(at, commit));
  }
}

/** The go.mod of a module that has none, as the go command reads it (go.dev/ref/mod#non-module-compat). */
export const synthesizeGoMod = (module: ModulePath): Buffer => Buffer.from(`module ${module}\n`);

/** Where a file of the module lies in its repository's tree. */
export const inModule = (place: Place, path: string): string =>
  place.subdir === '' ? path : `${place.subdir}/${path}`;

const contentKey = (at: VersionAt, file: VersionFile): string => `${at.commit} ${at.module} ${at.version} ${file}`;

function recordOf(at: VersionAt, commit: Commit): VersionRecord {
  const record = parseRecord(commit);
  if (record === undefined) {
    throw new SourceVersion(
      `${at.module} ${at.version} is a tag that was pushed to ${at.place.owner}/${at.place.repo}, not an upload; ` +
        'this version of modforge serves uploads only',
    );
  }
  if (record.module !== at.module || record.version !== at.version) {
    throw new NotFound(
      `the tag of ${at.module} ${at.version} points to the commit of ${record.module} ${record.version}; ` +
        'publish again after the tag is deleted',
      { dependsOnCaller: true },
    );
  }
  return record;
}

function checkHash(at: VersionAt, file: 'go.mod' | 'zip', recorded: H1, found: H1): void {
  if (found !== recorded) {
    throw new HashMismatch({ module: at.module, version: at.version, file, recorded, found });
  }
}

/** `.info`'s Time: the committer's, but for a pseudo-version, which names its own. */
const timeOf = (at: VersionAt, commit: Commit): Date =>
  isPseudoVersion(at.version) ? parsePseudoVersion(at.version).time : new Date(commit.committer.time * 1000);

/** go.dev/ref/mod#goproxy-protocol; Origin as cmd/go's modfetch/codehost.Origin has it. */
function makeInfo(at: VersionAt, commit: Commit): Content {
  const time = timeOf(at, commit);
  const info = {
    Version: at.version,
    Time: time.toISOString().replace('.000Z', 'Z'),
    Origin: {
      VCS: 'git',
      URL: at.remote.url,
      Subdir: at.place.subdir || undefined,
      Hash: at.commit,
      Ref: isPseudoVersion(at.version) ? undefined : `refs/tags/${tagOf(at.place, at.version)}`,
    },
  };
  return makeContent('info', Buffer.from(JSON.stringify(info)), time);
}

/** The module zip of a tree's files, and its hash; entries in the tree's order. */
async function zipModule(
  at: VersionAt,
  files: AsyncIterable<SnapshotFile>,
  signal: AbortSignal,
): Promise<{ zip: Buffer; h1: H1 }> {
  const prefix = inModule(at.place, '');
  const hashes: { name: string; sha256: Buffer }[] = [];
  async function* entries() {
    for await (const file of files) {
      if (!file.path.startsWith(prefix)) continue;
      const name = `${at.module}@${at.version}/${file.path.slice(prefix.length)}`;
      hashes.push({ name, sha256: createHash('sha256').update(file.content).digest() });
      yield { name, content: file.content };
    }
  }
  const zip = await buildZip(entries(), { level: compressionLevel, signal });
  return { zip, h1: hashFiles(hashes) };
}
