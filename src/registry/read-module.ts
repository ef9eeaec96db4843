/** The questions of the GOPROXY protocol, for one caller at a time. */

import { LRUCache } from 'lru-cache';
import type { ModulePath } from '../gomod/module-path.ts';
import { isPseudoVersion } from '../gomod/pseudo-version.ts';
import { parseQuery } from '../gomod/query.ts';
import { checkModuleVersion, isVersion, type Version } from '../gomod/version.ts';
import { release } from '../spool/slice.ts';
import { type Content, makeContent } from './content.ts';
import { NotFound } from './errors.ts';
import { commitOfVersion, latestOf, moduleVersions, ownershipOf } from './module-versions.ts';
import { tagOf } from './place-module.ts';
import type { Freshness, ModuleRequest, OpenRepository, Repositories } from './repositories.ts';
import type { SourceModules, SourceRevision } from './source-module.ts';
import { revisionOf } from './source-tags.ts';
import type { VersionContents, VersionFile } from './version-content.ts';

/** What is asked of a module: its list, what @latest is, or one file of a version; `query` is a version or what stands for one. */
export type ModuleQuestion =
  | { readonly kind: 'list' }
  | { readonly kind: 'latest'; readonly file: VersionFile }
  | { readonly kind: 'version'; readonly query: string; readonly file: VersionFile };

export interface ModuleReaderOptions {
  readonly repositories: Repositories;
  readonly contents: VersionContents;
  readonly sources: SourceModules;
}

/** An owner of its content, until it is disposed of. */
export interface ModuleAnswer extends AsyncDisposable {
  readonly content: Content;
  /** Whether the content is what it is for ever, as long as the version is there. */
  readonly isFixed: boolean;
  /** Whether anyone may see it. */
  readonly isPublic: boolean;
  /** How long `read` would answer the same, as far as this process can know. */
  readonly freshness: Freshness;
}

interface OpenModule extends OpenRepository {
  readonly module: ModulePath;
}

export class ModuleReader {
  readonly #repositories: Repositories;
  readonly #contents: VersionContents;
  readonly #sources: SourceModules;
  /** Since when a module's list has been what it is, as far as this process has seen. */
  readonly #lists = new LRUCache<string, Content>({ max: 10_000 });

  constructor({ repositories, contents, sources }: ModuleReaderOptions) {
    this.#repositories = repositories;
    this.#contents = contents;
    this.#sources = sources;
  }

  /** Throws NotFound, CredentialsNeeded, and what the repository's remote and VersionContents.get throw. */
  async read(request: ModuleRequest, question: ModuleQuestion, signal: AbortSignal): Promise<ModuleAnswer> {
    const { module } = request;
    const open = { ...(await this.#repositories.open(request, signal)), module };
    const isSource = ownershipOf(open.refs, open.place) === 'source';
    const content = isSource
      ? await this.#readSource(open, question, signal)
      : await this.#readManaged(open, question, signal);
    // `v2.0.0` of a path without `/v2` is no version but stands for one, today for `v2.0.0+incompatible`.
    const isFixed =
      question.kind === 'version' &&
      isVersion(question.query) &&
      checkModuleVersion(module, question.query) === undefined;
    const { isPublic, freshness } = open;
    return { content, isFixed, isPublic, freshness, [Symbol.asyncDispose]: () => release(content.bytes) };
  }

  /** Of a repository of our own: its tags are the versions, and nothing else is looked at. */
  #readManaged(open: OpenModule, question: ModuleQuestion, signal: AbortSignal): Promise<Content> | Content {
    if (question.kind === 'version') {
      const version = question.query;
      if (!isVersion(version)) throw absent(open, `${version} is no version, and uploads are asked for by version`);
      const commit = commitOfVersion(open.refs, open.place, open.module, version);
      if (commit === undefined)
        throw absent(open, `${open.module}@${version}: invalid version: unknown revision ${version}`);
      return this.#contents.get({ ...open, version, commit }, question.file, signal);
    }
    const versions = moduleVersions(open.refs, open.place, open.module);
    const latest = latestOf(versions.keys());
    const commit = latest && versions.get(latest);
    if (latest === undefined || commit === undefined) {
      throw absent(open, `no version of ${open.module} is published here`);
    }
    if (question.kind === 'list') return this.#list(open, versions.keys());
    return this.#contents.get({ ...open, version: latest, commit }, question.file, signal);
  }

  /** Of a repository that people push to: as the go command sees it. */
  async #readSource(open: OpenModule, question: ModuleQuestion, signal: AbortSignal): Promise<Content> {
    if (question.kind === 'version') {
      const revision = await this.#resolve(open, question.query, signal);
      if (question.file !== 'info' && revision.version !== question.query) {
        throw absent(open, `${question.query} is ${revision.version}; ask for that`);
      }
      return this.#contents.get({ ...open, ...revision }, question.file, signal);
    }
    const versions = await this.#sources.versions(open, signal);
    const latest = latestOf(versions);
    // Where nothing is tagged, a folder is a module only if its go.mod says so.
    if (question.kind === 'list' && latest !== undefined) return this.#list(open, versions);
    const revision =
      latest === undefined ? await this.#sources.head(open, signal) : await this.#resolve(open, latest, signal);
    if (question.kind === 'list') return this.#list(open, []);
    return this.#contents.get({ ...open, ...revision }, question.file, signal);
  }

  async #resolve(open: OpenModule, query: string, signal: AbortSignal): Promise<SourceRevision> {
    const published = await this.#published(open, query, signal);
    return published ?? this.#sources.resolve(open, parseQuery(query), signal);
  }

  /** A version that was uploaded while the repository was ours: its tag is the whole version, which to the go command may be none. */
  async #published(open: OpenModule, query: string, signal: AbortSignal): Promise<SourceRevision | undefined> {
    if (!isVersion(query) || revisionOf(open, query) === tagOf(open.place, query)) return undefined;
    const commit = commitOfVersion(open.refs, open.place, open.module, query);
    if (commit === undefined) return undefined;
    const revision = { version: query, commit };
    const record = await this.#contents.record({ ...open, ...revision }, signal);
    return record && revision;
  }

  /** Released versions and pre-releases, one a line; pseudo-versions are asked for by name only. */
  #list({ module, place }: OpenModule, versions: Iterable<Version>): Content {
    const listed = [...versions].filter(version => !isPseudoVersion(version));
    const bytes = Buffer.from(listed.map(version => `${version}\n`).join(''));
    const key = `${place.owner} ${module}`;
    const before = this.#lists.get(key);
    const now = Math.floor(Date.now() / 1000) * 1000;
    const list = makeContent('list', bytes, new Date(Math.max(now, (before?.modified.getTime() ?? 0) + 1000)));
    if (before?.etag === list.etag) return before;
    this.#lists.set(key, list);
    return list;
  }
}

const absent = ({ isPublic }: OpenRepository, message: string): NotFound =>
  new NotFound(message, { dependsOnCaller: !isPublic });
