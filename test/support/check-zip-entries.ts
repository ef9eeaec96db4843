import type { ModulePath } from '../../src/gomod/module-path.ts';
import type { Version } from '../../src/gomod/version.ts';
import { type NamedEntry, ZipCheck, type ZipProblem } from '../../src/gomod/zip-rules.ts';

export function checkZipEntries({
  entries,
  ...target
}: {
  readonly module: ModulePath;
  readonly version: Version;
  readonly entries: Iterable<NamedEntry>;
}): ZipProblem[] {
  const check = new ZipCheck(target);
  for (const entry of entries) check.add(entry);
  return check.problems();
}
