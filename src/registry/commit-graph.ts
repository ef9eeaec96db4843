import type { ObjectId } from '../git/object-id.ts';
import type { HistoryCommit } from '../git/remote.ts';
import { giveWay } from '../give-way.ts';

/** Commits and their parents: what can be reached from where. */
export class CommitGraph {
  readonly #parents: ReadonlyMap<ObjectId, readonly ObjectId[]>;

  constructor(parents: ReadonlyMap<ObjectId, readonly ObjectId[]>) {
    this.#parents = parents;
  }

  get size(): number {
    return this.#parents.size;
  }

  has(id: ObjectId): boolean {
    return this.#parents.has(id);
  }

  /** The commits whose id begins with these digits, at most two: with more than one, none is meant. */
  withPrefix(digits: string): ObjectId[] {
    const found: ObjectId[] = [];
    for (const id of this.#parents.keys()) {
      if (id.startsWith(digits)) found.push(id);
      if (found.length === 2) break;
    }
    return found;
  }

  /** The commit and all before it; empty for one that is not here. */
  ancestorsOf(id: ObjectId): Promise<ReadonlySet<ObjectId>> {
    return reachableFrom(this.#parents, [id]);
  }

  /** The graph with `commits` added, of what `tips` reach alone: what a branch has left behind goes. */
  async grownTo(tips: readonly ObjectId[], commits: readonly HistoryCommit[]): Promise<CommitGraph> {
    const all = new Map(this.#parents);
    for (const { id, parents } of commits) all.set(id, parents);
    const reachable = await reachableFrom(all, tips);
    if (reachable.size === all.size) return new CommitGraph(all);
    return new CommitGraph(new Map(Array.from(reachable, id => [id, all.get(id) ?? []])));
  }
}

async function reachableFrom(
  parents: ReadonlyMap<ObjectId, readonly ObjectId[]>,
  tips: readonly ObjectId[],
): Promise<ReadonlySet<ObjectId>> {
  const reached = new Set<ObjectId>();
  const open = [...tips];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const next = parents.get(id);
    if (next === undefined || reached.has(id)) continue;
    reached.add(id);
    await giveWay();
    open.push(...next);
  }
  return reached;
}
