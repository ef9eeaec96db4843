/** Everything that the `go` command can be asked about modules, in batches: one process for many queries. */
import { isPseudoVersion } from '../../src/gomod/pseudo-version.ts';
import { isVersion } from '../../src/gomod/version.ts';
import { type DownloadedModule, downloadModules, type Go, parseJsonStream } from './go-command.ts';

export interface Origin {
  readonly VCS?: string;
  readonly URL?: string;
  readonly Subdir?: string;
  readonly Hash?: string;
  readonly Ref?: string;
}

/** What `go list -m -json` says of one query. */
export interface ListedModule {
  readonly Path: string;
  readonly Version?: string;
  readonly Time?: string;
  readonly Origin?: Origin;
  readonly Versions?: readonly string[];
  readonly Retracted?: readonly string[];
  readonly Deprecated?: string;
  readonly Update?: { readonly Version: string };
  readonly Error?: { readonly Err: string };
}

/** What go says of a query, and of the version that it resolves to. */
export interface QueryAnswer {
  readonly listed: ListedModule;
  /** Undefined where the query has no version. */
  readonly downloaded: DownloadedModule | undefined;
}

/** Asks for every query, `path@query` each; queries that are versions go first, since go remembers by which name it saw a commit first. */
export async function askQueries(go: Go, queries: readonly string[]): Promise<ReadonlyMap<string, QueryAnswer>> {
  const ordered = [...queries].sort((a, b) => Number(isExact(b)) - Number(isExact(a)));
  const listed = await listModules(go, [], ordered);
  const resolved = [...listed.values()].filter(module => module.Error === undefined).map(idOf);
  const downloads = await downloadModules(go, [...new Set(resolved)]);
  const downloaded = new Map(downloads.map(download => [idOf(download), download]));
  return new Map(
    [...listed].map(([query, module]) => [query, { listed: module, downloaded: downloaded.get(idOf(module)) }]),
  );
}

const idOf = ({ Path, Version = '' }: { Path: string; Version?: string }) => `${Path}@${Version}`;

/** What `go list -m` says of modules, `path` or `path@query` each. */
export async function listModules(
  go: Go,
  flags: readonly string[],
  modules: readonly string[],
): Promise<ReadonlyMap<string, ListedModule>> {
  const { stdout, stderr } = await go.run('list', '-m', '-e', '-json', ...flags, ...modules);
  const listed = parseJsonStream<ListedModule>(stdout);
  if (listed.length !== modules.length) throw new Error(`go told of ${listed.length} modules:\n${stderr}`);
  return new Map(listed.map((module, i) => [modules[i] ?? '', module]));
}

/** Whether `path@query` names a version, tagged and canonical. */
export function isExact(query: string): boolean {
  const version = query.slice(query.indexOf('@') + 1);
  return isVersion(version) && !isPseudoVersion(version);
}
