/** The table: what is measured, against what, and how far it may be off. */
import { benchModule } from './bench-module.ts';
import { generateCorpus, incompressibleCorpus, largeCorpus, mediumCorpus } from './corpus.ts';
import { measureEmbeddedPublish } from './embedded.ts';
import { formatByteRate, formatMegabytes, formatRate, formatTime } from './format.ts';
import { measureColdDownload, measureDelay, measureWarmDownload } from './go-download.ts';
import type { Round } from './interleave.ts';
import { measureLatency } from './latency.ts';
import { lazy } from './lazy.ts';
import { measurePublish } from './publish.ts';
import { measureRebuild, measureRebuildOfDeltas } from './rebuild.ts';
import { atLeastTimes, atMostTimes, type Row, type Sample } from './row.ts';
import type { Testbed } from './testbed.ts';
import { measureWarmRead, smallFiles } from './warm-reads.ts';

/** The rows in the table's order. What two rows are read from is measured once, for the first of them that is asked for. */
export function benchRows(testbed: Testbed): Row[] {
  const { small } = testbed;
  const medium = lazy(() => benchModule('medium', mediumCorpus()));
  const largeFiles = lazy(largeCorpus);
  const large = lazy(() => benchModule('large', largeFiles()));
  const largeInDeltas = lazy(() => benchModule('large-in-deltas', largeFiles()));
  const incompressible = lazy(() => benchModule('incompressible', incompressibleCorpus()));
  const sixty = lazy(() =>
    Array.from({ length: 60 }, (_, i) =>
      benchModule(`dependency${i}`, generateCorpus({ seed: i, fileCount: 99, bytes: 1e6 })),
    ),
  );

  const publishL = lazy(() => measurePublish(testbed, large()));
  const rebuildL = lazy(() => measureRebuild(testbed, large()));
  const latency = lazy(() => measureLatency(testbed, large()));
  const warmReads = smallFiles.map(file => ({ file, measure: lazy(() => measureWarmRead(testbed, small, file)) }));

  return [
    {
      name: 'publish L',
      limit: atMostTimes(0.4),
      format: formatTime,
      measure: async () => samplesOf(await publishL(), ({ ms }) => ms),
    },
    {
      name: 'publish M',
      limit: atMostTimes(0.5),
      format: formatTime,
      measure: async () => samplesOf(await measurePublish(testbed, medium()), ({ ms }) => ms),
    },
    {
      name: 'publish L, peak memory above idle',
      limit: atMostTimes(1),
      format: formatMegabytes,
      measure: async () => (await publishL()).map(({ ours }) => ({ ours: ours.peakBytes, reference: 150e6 })),
    },
    {
      name: 'tag → zip L, cold',
      limit: atMostTimes(0.45),
      format: formatTime,
      measure: async () => samplesOf(await rebuildL(), ({ ms }) => ms),
    },
    {
      name: 'tag → zip L, cold, after `git gc --aggressive`',
      limit: atMostTimes(1.1),
      format: formatTime,
      measure: async () => samplesOf(await measureRebuildOfDeltas(testbed, largeInDeltas()), ({ ms }) => ms),
    },
    {
      name: 'tag → zip L, peak memory above idle',
      limit: atMostTimes(1),
      format: formatMegabytes,
      measure: async () => (await rebuildL()).map(({ ours }) => ({ ours: ours.peakBytes, reference: 120e6 })),
    },
    {
      name: '`go mod download` of L, cold',
      limit: atMostTimes(0.3),
      format: formatTime,
      measure: () => measureColdDownload(testbed, large()),
    },
    {
      name: 'publish S, embedded forge, durable',
      limit: atMostTimes(0.5),
      format: formatTime,
      measure: () => measureEmbeddedPublish(testbed, small),
    },
    {
      name: 'publish M, embedded forge, durable',
      limit: atMostTimes(0.5),
      format: formatTime,
      measure: () => measureEmbeddedPublish(testbed, medium()),
    },
    ...warmReads.map(
      ({ file, measure }): Row => ({
        name: `\`${file}\`, warm`,
        limit: atLeastTimes(0.45),
        format: formatRate,
        measure: async () =>
          (await measure()).map(({ ours, reference }) => ({
            ours: ours.withoutCredentials.requestsPerSecond,
            reference: reference.requestsPerSecond,
          })),
      }),
    ),
    ...warmReads.map(
      ({ file, measure }): Row => ({
        name: `\`${file}\`, warm, with credentials`,
        limit: atLeastTimes(0.8),
        format: formatRate,
        measure: async () =>
          (await measure()).map(({ ours }) => ({
            ours: ours.withCredentials.requestsPerSecond,
            reference: ours.withoutCredentials.requestsPerSecond,
          })),
      }),
    ),
    {
      name: '`.zip` of 10 MB, warm',
      limit: atLeastTimes(0.8),
      format: formatByteRate,
      measure: async () =>
        (await measureWarmRead(testbed, incompressible(), '.zip')).map(({ ours, reference }) => ({
          ours: ours.withoutCredentials.bytesPerSecond,
          reference: reference.bytesPerSecond,
        })),
    },
    {
      name: '`go mod download` of 60 modules, warm',
      limit: atMostTimes(1.15),
      format: formatTime,
      measure: () => measureWarmDownload(testbed, sixty()),
    },
    {
      name: '`go mod download` of 60 modules, cold, what 20 ms add',
      limit: atMostTimes(3),
      format: formatTime,
      measure: () => measureDelay(testbed, sixty()),
    },
    {
      name: 'p99 of `.info` while L is published',
      limit: atMostTimes(5, { floorMs: 50 }),
      format: formatTime,
      measure: async () =>
        (await latency()).map(({ idle, whilePublished }) => ({ ours: whilePublished, reference: idle })),
    },
    {
      name: 'p99 of `.info` while L is rebuilt',
      limit: atMostTimes(5, { floorMs: 50 }),
      format: formatTime,
      measure: async () => (await latency()).map(({ idle, whileRebuilt }) => ({ ours: whileRebuilt, reference: idle })),
    },
  ];
}

const samplesOf = <Ours>(rounds: readonly Round<Ours, number>[], figure: (ours: Ours) => number): Sample[] =>
  rounds.map(({ ours, reference }) => ({ ours: figure(ours), reference }));
