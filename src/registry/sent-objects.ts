import { LRUCache } from 'lru-cache';
import type { ObjectId } from '../git/object-id.ts';

/** Of all commits together. */
const maxIds = 200_000;

/** The files and trees of commits that were published through this process: whoever has one of the commits has all of them. */
export class SentObjects {
  readonly #byCommit = new LRUCache<ObjectId, ReadonlySet<ObjectId>>({
    maxSize: maxIds,
    sizeCalculation: ids => ids.size + 1,
  });

  /** None where nothing is known of the commit. */
  of(commit: ObjectId): ReadonlySet<ObjectId> {
    return this.#byCommit.get(commit) ?? new Set();
  }

  remember(commit: ObjectId, ids: ReadonlySet<ObjectId>): void {
    this.#byCommit.set(commit, ids);
  }
}
