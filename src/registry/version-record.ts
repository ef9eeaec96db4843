/** What the commit of a published version says about it: its trailers are the only record there is. */

import type { Commit, Person } from '../git/commit.ts';
import { type H1, isH1 } from '../gomod/h1.ts';
import { DamagedRecord } from './errors.ts';

export interface VersionRecord {
  readonly module: string;
  readonly version: string;
  /** Of the module zip as it is served. */
  readonly zipHash: H1;
  /** Of go.mod, or of the line that stands for a missing one. */
  readonly goModHash: H1;
}

/** The commit message of a published version. */
export function formatRecord(record: VersionRecord): string {
  return [
    `${record.module} ${record.version}`,
    '',
    `Module: ${record.module}`,
    `Version: ${record.version}`,
    `Zip-Hash: ${record.zipHash}`,
    `Go-Mod-Hash: ${record.goModHash}`,
    '',
  ].join('\n');
}

/**
 * The record in a commit's message: the trailers of its last paragraph, each exactly once. Undefined where there are no hashes,
 * so that the commit is one that people made; throws DamagedRecord where there are some but not all, or malformed.
 */
export function parseRecord(commit: Commit): VersionRecord | undefined {
  const paragraph =
    commit.message
      .trimEnd()
      .split(/\n[ \t]*\n/)
      .at(-1) ?? '';
  const trailer = (key: string) =>
    paragraph
      .split('\n')
      .filter(line => line.startsWith(`${key}: `))
      .map(line => line.slice(key.length + 2));
  const [modules, versions, zipHashes, goModHashes] = [
    trailer('Module'),
    trailer('Version'),
    trailer('Zip-Hash'),
    trailer('Go-Mod-Hash'),
  ];
  if (zipHashes.length === 0 && goModHashes.length === 0) return undefined;
  const [module, version, zipHash, goModHash] = [modules[0], versions[0], zipHashes[0], goModHashes[0]];
  const once = [modules, versions, zipHashes, goModHashes].every(found => found.length === 1);
  if (!once || module === undefined || version === undefined || !isH1(zipHash ?? '') || !isH1(goModHash ?? '')) {
    throw new DamagedRecord(commit.id);
  }
  return { module, version, zipHash: zipHash as H1, goModHash: goModHash as H1 };
}

/** Author and committer of a version, from the forge's login of who published; git's fsck refuses `<`, `>` and an empty name. */
export function publisher(login: string, forgeHost: string | undefined, time: number): Person {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed
  const name = login.replace(/[\x00-\x1f\x7f<>]/g, '').trim() || 'unknown';
  const host = forgeHost?.split('/')[0] ?? 'localhost';
  return { name, email: `${name}@users.noreply.${host}`, time };
}
