import { ObjectMissing } from '../../git/errors.ts';
import type { ObjectId } from '../../git/object-id.ts';
import type { HistoryCommit, HistoryRange } from '../../git/remote.ts';
import { giveWay } from '../../give-way.ts';

interface Visit {
  readonly commit: HistoryCommit;
  isKnown: boolean;
}

/**
 * What Remote.history gives. `read` gives undefined for what is no commit, and throws ObjectMissing.
 *
 * As in git, commits are visited by their time, the newest first, and of the known ones only those that are as new as the oldest of the others: where
 * a commit is older than one before it, that one may be taken for unknown.
 */
export async function walkHistory(
  { tips, known, signal }: HistoryRange,
  read: (id: ObjectId) => Promise<HistoryCommit | undefined>,
): Promise<HistoryCommit[]> {
  const visits = new Map<ObjectId, Visit>();
  /** By time, the newest last. */
  const waiting: Visit[] = [];
  let oldestNew = Number.POSITIVE_INFINITY;

  const visit = async (id: ObjectId, isKnown: boolean): Promise<void> => {
    let there = visits.get(id);
    if (there !== undefined && (there.isKnown || !isKnown)) return;
    if (there === undefined) {
      await giveWay();
      signal.throwIfAborted();
      const commit = isKnown ? await unlessMissing(read(id)) : await read(id);
      if (commit === undefined) return;
      there = { commit, isKnown };
      visits.set(id, there);
    }
    // What was new and turns out to be known is visited again, for its ancestors.
    there.isKnown = isKnown;
    if (!isKnown) oldestNew = Math.min(oldestNew, there.commit.time);
    insert(waiting, there);
  };

  for (const id of known) await visit(id, true);
  for (const id of tips) await visit(id, false);
  for (let next = waiting.pop(); next !== undefined && next.commit.time >= oldestNew; next = waiting.pop()) {
    for (const parent of next.commit.parents) await visit(parent, next.isKnown);
  }
  return Array.from(visits.values()).flatMap(({ commit, isKnown }) => (isKnown ? [] : [commit]));
}

function insert(waiting: Visit[], visit: Visit): void {
  let low = 0;
  let high = waiting.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const isOlder = (waiting[middle]?.commit.time ?? 0) <= visit.commit.time;
    if (isOlder) low = middle + 1;
    else high = middle;
  }
  waiting.splice(low, 0, visit);
}

/** What is known may be gone from the repository, and what came before it. */
async function unlessMissing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (!(error instanceof ObjectMissing)) throw error;
    return undefined;
  }
}
