/** Releases of published versions: decoration for people who look at the forge. No version depends on one. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Caller } from '../forge/credentials.ts';
import type { Forge, Release } from '../forge/forge.ts';
import type { ObjectId } from '../git/object-id.ts';
import { tagRef } from '../git/ref-name.ts';
import type { H1 } from '../gomod/h1.ts';
import type { ModulePath } from '../gomod/module-path.ts';
import { isPseudoVersion } from '../gomod/pseudo-version.ts';
import { prereleaseOf } from '../gomod/semver.ts';
import type { Version } from '../gomod/version.ts';
import { deletedRef } from './deleted-version.ts';
import { type Place, tagOf } from './place-module.ts';

export interface VersionToRelease {
  readonly module: ModulePath;
  readonly version: Version;
  readonly commit: ObjectId;
  readonly place: Place;
  readonly zipHash: H1;
  readonly goModHash: H1;
  /** The record of an earlier deletion of this version, as the publisher saw it. */
  readonly deleted: ObjectId | undefined;
}

export interface ReleasesOptions {
  readonly forge: Forge;
  readonly log: { warn(facts: object, message: string): void };
}

/** A publisher waits so long for the release; then it is made in the background. */
const patienceMs = 5_000;

/** A forge that can't make a release for so long is given up. */
const persistenceMs = 120_000;

interface Attempt {
  readonly controller: AbortController;
  /** Why there is no release, undefined where there is one. Never rejects. */
  readonly outcome: Promise<string | undefined>;
}

export class Releases {
  readonly #options: ReleasesOptions;
  /** What is being made, by repository and tag. */
  readonly #attempts = new Map<string, Attempt>();
  readonly #checks = new Set<Promise<void>>();

  constructor(options: ReleasesOptions) {
    this.#options = options;
  }

  /** Makes the release, or begins to; resolves to a warning where it is not there yet, or will not be. */
  async make(version: VersionToRelease, caller: Caller): Promise<string | undefined> {
    const key = keyOf(version.place, tagOf(version.place, version.version));
    const { outcome } = this.#attempts.get(key) ?? this.#begin(key, version, caller);
    const patience = new AbortController();
    const later = sleep(patienceMs, 'the release is not there yet; it is being made in the background', {
      signal: patience.signal,
    }).catch(() => undefined);
    return await Promise.race([outcome, later]).finally(() => patience.abort());
  }

  /** Deletes the release of a tag; one that is being made is given up first. Throws what Forge.deleteRelease throws. */
  async delete(place: Place, tag: string, caller: Caller, signal: AbortSignal): Promise<void> {
    const attempt = this.#attempts.get(keyOf(place, tag));
    attempt?.controller.abort(new Error('the version is being deleted'));
    await attempt?.outcome;
    await this.#options.forge.deleteRelease(place, tag, caller, signal);
  }

  /** Resolves when no release is being made any more. */
  async settled(): Promise<void> {
    await Promise.all(Array.from(this.#attempts.values(), attempt => attempt.outcome));
    await Promise.all(this.#checks);
  }

  #begin(key: string, version: VersionToRelease, caller: Caller): Attempt {
    const controller = new AbortController();
    const signal = AbortSignal.any([controller.signal, AbortSignal.timeout(persistenceMs)]);
    const { forge, log } = this.#options;
    const outcome = forge
      .createRelease(version.place, describeRelease(version), caller, signal)
      .then(() => {
        if (forge.releaseRevivesTag) this.#undoRevival(version, caller);
        return undefined;
      })
      .catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        log.warn({ err: error, module: version.module, version: version.version }, 'the release was not made');
        return `the version is published, but the forge has no release for it: ${reason}`;
      })
      .finally(() => this.#attempts.delete(key));
    const attempt = { controller, outcome };
    this.#attempts.set(key, attempt);
    return attempt;
  }

  /** Another instance may have deleted the version while its release was being made, which brought the tag back. Off the publisher's path. */
  #undoRevival({ place, version, commit, deleted }: VersionToRelease, caller: Caller): void {
    const { forge, log } = this.#options;
    const tag = tagOf(place, version);
    const signal = AbortSignal.timeout(persistenceMs);
    const undo = async () => {
      const remote = forge.remote(place, caller);
      const { byName } = await remote.refs({ prefixes: [tagRef(tag), deletedRef(tag)], signal });
      if (byName.get(deletedRef(tag))?.id === deleted || byName.get(tagRef(tag))?.id !== commit) return;
      await forge.deleteRelease(place, tag, caller, signal);
      await remote.push({ objects: [], updates: [{ name: tagRef(tag), from: commit, to: undefined }], signal });
    };
    const check = undo()
      .catch((error: unknown) =>
        log.warn({ err: error, tag }, 'could not see whether the release brought a deleted tag back'),
      )
      .finally(() => this.#checks.delete(check));
    this.#checks.add(check);
  }
}

const keyOf = (place: Place, tag: string): string => `${place.owner}/${place.repo} ${tag}`;

/** What the forge's pages say of a version. */
function describeRelease({ module, version, commit, place, zipHash, goModHash }: VersionToRelease): Release {
  return {
    tag: tagOf(place, version),
    commit,
    title: version,
    text: `\`\`\`\ngo get ${module}@${version}\n\`\`\`\n\nModule zip: \`${zipHash}\`  \ngo.mod: \`${goModHash}\`\n`,
    isPrerelease: isPseudoVersion(version) || prereleaseOf(version) !== '',
  };
}
