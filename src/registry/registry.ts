/** The job: publish a version, delete one, answer what `go` asks. The way through the house begins here for whoever calls, http or a test. */
import { setImmediate } from 'node:timers/promises';
import type { Caller } from '../forge/credentials.ts';
import type { Version } from '../gomod/version.ts';
import { CommitFiles } from './commit-files.ts';
import { moveDefaultBranch } from './default-branch.ts';
import { deleteVersion, type Stores } from './deleted-version.ts';
import { Histories } from './histories.ts';
import type { Place } from './place-module.ts';
import { checkBeforeUpload, type Published, type PublishRequest, publishVersion } from './publish-version.ts';
import { type ModuleAnswer, type ModuleQuestion, ModuleReader } from './read-module.ts';
import type { UploadTarget } from './read-upload.ts';
import { Releases } from './releases.ts';
import { type ModuleRequest, Repositories, type RepositoriesOptions } from './repositories.ts';
import { SentObjects } from './sent-objects.ts';
import { SourceModules } from './source-module.ts';
import { VersionContents } from './version-content.ts';

export interface RegistryOptions extends RepositoriesOptions {
  /** What may be published where a version was deleted: anything, or the same content again. */
  readonly republish: 'any' | 'same';
  /** Size of the content cache, in bytes. */
  readonly cacheBytes: number;
  /** Larger zips are kept on the disk. */
  readonly spoolAboveBytes: number;
  readonly log: { warn(facts: object, message: string): void };
}

export class Registry implements AsyncDisposable {
  readonly #repositories: Repositories;
  readonly #contents: VersionContents;
  readonly #releases: Releases;
  readonly #reader: ModuleReader;
  readonly #options: RegistryOptions;
  readonly #sent = new SentObjects();
  readonly #background = new Set<Promise<void>>();

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#repositories = new Repositories(options);
    const files = new CommitFiles();
    const sources = new SourceModules(files, new Histories());
    const { cacheBytes, spoolAboveBytes } = options;
    this.#contents = new VersionContents({ maxBytes: cacheBytes, spoolAboveBytes, files, sources });
    this.#releases = new Releases(options);
    this.#reader = new ModuleReader({ repositories: this.#repositories, contents: this.#contents, sources });
  }

  /** Throws ForgeUnavailable where the forge does not answer. */
  checkReady(signal: AbortSignal): Promise<void> {
    return this.#options.forge.checkReady(signal);
  }

  /**
   * Whether anyone may read of this owner. Throws what `read` throws by owner and caller alone, and looks at credentials first:
   * wrong ones are refused wherever they are shown.
   */
  async checkReader(owner: string, caller: Caller, signal: AbortSignal): Promise<{ readonly isPublic: boolean }> {
    return await this.#repositories.checkReader(owner, caller, signal);
  }

  /** Throws what ModuleReader.read throws. */
  read(request: ModuleRequest, question: ModuleQuestion, signal: AbortSignal): Promise<ModuleAnswer> {
    return this.#reader.read(request, question, signal);
  }

  /** Whether `read` would give this answer again, without asking the forge. */
  isFresh(answer: ModuleAnswer): boolean {
    return this.#repositories.isFresh(answer.freshness);
  }

  /** What can be refused before an upload's body is read; throws as `publish`. */
  checkBeforeUpload(
    owner: string,
    caller: Caller,
    target: UploadTarget | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    return checkBeforeUpload({ owner, caller, target }, this.#repositories, signal);
  }

  /** Publishes a module zip; the version is there for everyone when this resolves. Throws as publishVersion. */
  async publish(request: PublishRequest, signal: AbortSignal): Promise<Published> {
    const { republish } = this.#options;
    const published = await publishVersion(request, { ...this.#stores(), sent: this.#sent, republish }, signal);
    this.#moveDefaultBranch(published.place, request.caller);
    return published;
  }

  /** Deletes a version's tag. Throws as deleteVersion. */
  async delete(request: ModuleRequest, version: Version, signal: AbortSignal): Promise<void> {
    this.#moveDefaultBranch(await deleteVersion(request, version, this.#stores(), signal), request.caller);
  }

  /** Resolves when nothing is done in the background any more. */
  async settled(): Promise<void> {
    while (this.#background.size > 0) await Promise.all(this.#background);
    await this.#releases.settled();
  }

  /** Waits for what is done in the background, and lets go of what is on the disk. */
  async [Symbol.asyncDispose]() {
    await this.settled();
    this.#contents.clear();
  }

  #stores(): Stores {
    return { repositories: this.#repositories, contents: this.#contents, releases: this.#releases };
  }

  #moveDefaultBranch(place: Place, caller: Caller): void {
    // Whoever waits for an answer gets it first.
    const move = setImmediate()
      .then(() => moveDefaultBranch(place, caller, this.#repositories, AbortSignal.timeout(60_000)))
      .catch((error: unknown) => {
        this.#options.log.warn({ err: error, repository: `${place.owner}/${place.repo}` }, 'main was not moved');
      })
      .finally(() => this.#background.delete(move));
    this.#background.add(move);
  }
}
