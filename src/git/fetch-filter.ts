/** What a fetch leaves out, by the filters of git-rev-list(1), and which of them a server takes. */
import { LRUCache } from 'lru-cache';

/** `tree:N` leaves out what lies N levels or more below the commit, the root tree at 0; `combine` what either leaves out. */
export type Filter = 'tree:0' | 'blob:none' | `combine:tree:${number}+blob:limit=64k`;

/** The server knows no filters, or not this one. */
export class FilterRefused extends Error {
  override readonly name = 'FilterRefused';
}

/**
 * Filters that a server has refused; for all its repositories, and for an hour, after which it may have learned them.
 * GitHub takes no `combine`, others no filter at all (git-config(1), `uploadpackfilter` and `uploadpack.allowFilter`).
 */
export type RefusedFilters = LRUCache<Filter, true>;

export const createRefusedFilters = (): RefusedFilters => new LRUCache({ max: 16, ttl: 3_600_000 });

/** For a commit without its files, the best first. */
export const commitFilters: readonly Filter[] = ['tree:0', 'blob:none'];

/** For a commit, the trees that lead to `paths` and, where that brings few others, the files there; the best first. */
export function fileFilters(paths: readonly string[]): readonly Filter[] {
  const depth = Math.max(0, ...paths.map(path => path.split('/').length));
  if (depth === 0) return commitFilters;
  return depth > 2 ? ['blob:none'] : [`combine:tree:${depth + 1}+blob:limit=64k`, 'blob:none'];
}
