import type { ObjectId } from '../git/object-id.ts';
import type { PackedObject } from '../git/packed-object.ts';
import type { BegunPush } from '../git/remote.ts';

/** A push that was begun, and what it need not hold. */
export interface Beginning {
  readonly push: BegunPush;
  readonly known: ReadonlySet<ObjectId>;
}

/** The objects of an upload on their way into the repository while the upload is read, where it takes them so early. Disposing takes them back, unless they were pushed. */
export class EarlyPush implements AsyncDisposable {
  readonly #begin: () => Promise<Beginning | undefined>;
  #beginning: Promise<Beginning | undefined> | undefined;

  /** `begin` is called when there is something to take. */
  constructor(begin: () => Promise<Beginning | undefined>) {
    this.#begin = begin;
  }

  async add(objects: readonly PackedObject[]): Promise<void> {
    this.#beginning ??= this.#begin();
    const begun = await this.#beginning;
    await begun?.push.add(objects.filter(({ id }) => !begun.known.has(id)));
  }

  /** What the push is to be made with; undefined where nothing was taken. */
  async begun(): Promise<BegunPush | undefined> {
    return (await this.#beginning)?.push;
  }

  async [Symbol.asyncDispose]() {
    await (await this.begun())?.[Symbol.asyncDispose]();
  }
}
