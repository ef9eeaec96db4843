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
  #begun: Beginning | undefined;

  /** `begin` is called until there is a push. */
  constructor(begin: () => Promise<Beginning | undefined>) {
    this.#begin = begin;
  }

  /** What the push can be made with; undefined where nothing was taken. */
  get begun(): BegunPush | undefined {
    return this.#begun?.push;
  }

  async add(objects: readonly PackedObject[]): Promise<void> {
    this.#begun ??= await this.#begin();
    if (this.#begun === undefined) return;
    const { push, known } = this.#begun;
    await push.add(objects.filter(({ id }) => !known.has(id)));
  }

  async [Symbol.asyncDispose]() {
    await this.#begun?.push[Symbol.asyncDispose]();
  }
}
