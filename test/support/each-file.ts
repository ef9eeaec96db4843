import type { Snapshot, SnapshotFile } from '../../src/git/remote.ts';

/** The files of a snapshot, one by one. */
export async function* eachFile({ files }: Pick<Snapshot, 'files'>): AsyncGenerator<SnapshotFile, void> {
  for await (const batch of files) yield* batch;
}
