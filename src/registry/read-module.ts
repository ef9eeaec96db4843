/** The questions of the GOPROXY protocol, for one caller at a time. */

import { LRUCache } from 'lru-cache';
import { isPseudoVersion } from '../gomod/pseudo-version.ts';
import { isVersion, type Version } from '../gomod/version.ts';
import { type Content, makeContent } from './content.ts';
import { NotFound } from './errors.ts';
import { latestOf, type ModuleVersions, moduleVersions } from './module-versions.ts';
import type { ModuleRequest, OpenRepository, Repositories } from './repositories.ts';
import type { VersionContents, VersionFile } from './version-content.ts';

/** What is asked of a module: its list, what @latest is, or one file of a version; `query` is a version or what stands for one. */
export type ModuleQuestion =
  | { readonly kind: 'list' }
  | { readonly kind: 'latest'; readonly file: VersionFile }
  | { readonly kind: 'version'; readonly query: string; readonly file: VersionFile };

export interface ModuleAnswer {
  readonly content: Content;
  /** Whether the content is what it is for ever, as long as the version is there. */
  readonly isFixed: boolean;
  /** Whether anyone may see it. */
  readonly isPublic: boolean;
}

interface OpenModule extends OpenRepository {
  readonly versions: ModuleVersions;
}

export class ModuleReader {
  readonly #repositories: Repositories;
  readonly #contents: VersionContents;
  /** Since when a module's list has been what it is, as far as this process has seen. */
  readonly #lists = new LRUCache<string, Content>({ max: 10_000 });

  constructor(repositories: Repositories, contents: VersionContents) {
    this.#repositories = repositories;
    this.#contents = contents;
  }

  /** Throws NotFound, CredentialsNeeded, and what the repository's remote and VersionContents.get throw. */
  async read(request: ModuleRequest, question: ModuleQuestion, signal: AbortSignal): Promise<ModuleAnswer> {
    const repository = await this.#repositories.open(request, signal);
    const versions = moduleVersions(repository.refs, repository.place, request.module);
    if (versions.size === 0) throw absent(`no version of ${request.module} is published here`, repository);
    const open = { ...repository, versions };
    switch (question.kind) {
      case 'list':
        return { content: this.#list(request, open), isFixed: false, isPublic: open.isPublic };
      case 'latest':
        return this.#file(request, open, latestOf(versions.keys()), question, signal);
      case 'version': {
        const version = isVersion(question.query) ? question.query : undefined;
        return this.#file(request, open, version, question, signal);
      }
    }
  }

  async #file(
    { module }: ModuleRequest,
    open: OpenModule,
    version: Version | undefined,
    question: Exclude<ModuleQuestion, { kind: 'list' }>,
    signal: AbortSignal,
  ): Promise<ModuleAnswer> {
    const commit = version && open.versions.get(version);
    if (version === undefined || commit === undefined) {
      const asked = question.kind === 'version' ? question.query : 'latest';
      throw absent(`${module} has no version ${asked} here`, open);
    }
    const at = { module, version, commit, place: open.place, remote: open.remote };
    const content = await this.#contents.get(at, question.file, signal);
    return { content, isFixed: question.kind === 'version', isPublic: open.isPublic };
  }

  /** Released versions and pre-releases, one a line; pseudo-versions are asked for by name only. */
  #list(request: ModuleRequest, { place, versions }: OpenModule): Content {
    const listed = [...versions.keys()].filter(version => !isPseudoVersion(version));
    const bytes = Buffer.from(listed.map(version => `${version}\n`).join(''));
    const key = `${place.owner} ${request.module}`;
    const before = this.#lists.get(key);
    const now = Math.floor(Date.now() / 1000) * 1000;
    const list = makeContent('list', bytes, new Date(Math.max(now, (before?.modified.getTime() ?? 0) + 1000)));
    if (before?.etag === list.etag) return before;
    this.#lists.set(key, list);
    return list;
  }
}

const absent = (message: string, { isPublic }: OpenRepository): NotFound =>
  new NotFound(message, { dependsOnCaller: !isPublic });
