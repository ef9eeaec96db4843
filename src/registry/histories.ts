/** The histories of source repositories, kept by what their branches and tags point to, and fetched from there on only. */
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { ObjectId } from '../git/object-id.ts';
import type { Refs } from '../git/remote.ts';
import type { ReadableRepository } from './commit-files.ts';
import { CommitGraph } from './commit-graph.ts';
import { HistoryTooLong } from './errors.ts';
import { Limiter } from './limiter.ts';
import { SharedCache } from './shared-cache.ts';

/** What a commit costs in a graph: its id and those of its parents as text, and the maps' own. */
const commitBytes = 300;

/** Of one repository: Linux has 1.4 million, Kubernetes 140,000. */
const maxCommits = 400_000;

const maxBytes = (maxCommits + 1) * commitBytes;

export class Histories {
  /** A history under way takes memory for all of its commits. */
  readonly #fetches = new Limiter(2);
  readonly #graphs = new SharedCache<CommitGraph>({ maxBytes, bytesOf: graph => (graph.size + 1) * commitBytes });
  /** What tags point to that is no commit: asked for once, or each new ref would bring it again. */
  readonly #others = new LRUCache<ObjectId, true>({ max: 10_000 });
  readonly #tooLong = new LRUCache<string, true>({ max: 1_000 });
  /** The key of each repository's newest graph. */
  readonly #newest = new LRUCache<string, { readonly key: string; readonly tips: readonly ObjectId[] }>({
    max: 10_000,
  });

  /** The commits that the repository's branches and tags reach, and no others; throws as Remote.history. */
  async get(repository: ReadableRepository & { readonly refs: Refs }, signal: AbortSignal): Promise<CommitGraph> {
    const { place, remote } = repository;
    const tips = tipsOf(repository.refs);
    const name = `${place.owner}/${place.repo}`;
    const key = `${name} ${createHash('sha1').update(tips.join()).digest('hex')}`;
    if (this.#tooLong.has(key)) throw new HistoryTooLong(name, maxCommits);
    const grow = async (shared: AbortSignal): Promise<CommitGraph> => {
      const newest = this.#newest.get(name);
      const known = (newest && this.#graphs.peek(newest.key)) ?? new CommitGraph(new Map());
      const missing = tips.filter(tip => !known.has(tip) && !this.#others.has(tip));
      const commits =
        missing.length === 0
          ? []
          : await remote.history({ tips: missing, known: known.size > 0 && newest ? newest.tips : [], signal: shared });
      this.#newest.set(name, { key, tips });
      if (commits.length > maxCommits) {
        this.#tooLong.set(key, true);
        throw new HistoryTooLong(name, maxCommits);
      }
      const grown = await known.grownTo(tips, commits);
      for (const tip of missing) if (!grown.has(tip)) this.#others.set(tip, true);
      return grown;
    };
    return this.#graphs.get(key, shared => this.#fetches.run(() => grow(shared), shared), signal);
  }
}

/** What branches and tags point to, each once, in a fixed order. */
function tipsOf(refs: Refs): ObjectId[] {
  const tips = new Set<ObjectId>();
  for (const { name, id, peeled } of refs.byName.values()) {
    if (name.startsWith('refs/heads/') || name.startsWith('refs/tags/')) tips.add(peeled ?? id);
  }
  return [...tips].sort();
}
