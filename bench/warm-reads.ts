/** How much of the same a running modforge answers, from its cache. */
import { ada } from '../test/support/doubles/hosted-app.ts';
import type { BenchModule } from './bench-module.ts';
import { interleave, type Round } from './interleave.ts';
import { startNginx } from './nginx.ts';
import { publishedVersion, type Testbed } from './testbed.ts';
import { loadWithWrk, type Throughput } from './wrk.ts';

export type SmallFile = '.info' | '.mod' | 'list' | '@latest';

export const smallFiles: readonly SmallFile[] = ['.info', '.mod', 'list', '@latest'];

const pathOf = ({ path }: BenchModule, file: SmallFile | '.zip'): string => {
  const base = `/api/packages/acme/go/${path}`;
  if (file === '@latest') return `${base}/@latest`;
  return file === 'list' ? `${base}/@v/list` : `${base}/@v/${publishedVersion}${file}`;
};

export interface WarmRead {
  readonly withoutCredentials: Throughput;
  readonly withCredentials: Throughput;
}

/** Against nginx with the same file. */
export async function measureWarmRead(
  testbed: Testbed,
  module: BenchModule,
  file: SmallFile | '.zip',
): Promise<Round<WarmRead, Throughput>[]> {
  await testbed.publishOnce([module]);
  await using modforge = await testbed.startModforge();
  const path = pathOf(module, file);
  await using nginx = await startNginx({ paths: [path], modforge, folder: await testbed.newFolder() });
  const withoutCredentials = () => loadWithWrk(`${modforge.url}${path}`);
  // Not measured: the compiler has to see what is called often.
  await withoutCredentials();
  return await interleave({
    ours: async () => ({
      withoutCredentials: await withoutCredentials(),
      withCredentials: await loadWithWrk(`${modforge.url}${path}`, [`Authorization: ${ada.basic}`]),
    }),
    reference: () => loadWithWrk(`${nginx.url}${path}`),
  });
}
