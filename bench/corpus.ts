/** The files that are published, the same ones in every run: made from a seed, and of real modules. A module's go.mod is one file more. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { readZip } from '../src/zip/read-zip.ts';
import { contentOfEntry } from '../test/support/content-of-entry.ts';
import { never } from '../test/support/never.ts';
import { goSource } from './go-source.ts';
import { createRandom } from './random.ts';

export interface CorpusFile {
  /** Inside the module. */
  readonly path: string;
  readonly content: Buffer;
  /** As a zip holds it, so that the zip of each further version is made at once. */
  readonly deflated: Buffer;
  readonly crc32: number;
}

export const seed = 1;

const fixtures = join(import.meta.dirname, '../test/fixtures');

/** S: 31 files, 0.2 MB. Two real modules in a folder each, and one generated file, as large modules often have one. */
export async function smallCorpus(): Promise<CorpusFile[]> {
  const real = [
    ...(await readFixture('masterminds-goutils-v1.1.1.zip', 'goutils')),
    ...(await readFixture('pkg-errors-v0.9.1.zip', 'errors')),
  ];
  const generated = goSource(createRandom(seed), 'small', 78_000);
  return [...real, corpusFile('generated.go', generated)];
}

/** M: 1,000 files, 10 MB. */
export const mediumCorpus = (): CorpusFile[] => generateCorpus({ seed, fileCount: 999, bytes: 10e6 });

/** L: 10,000 files, 110 MB. */
export const largeCorpus = (): CorpusFile[] => generateCorpus({ seed, fileCount: 9_999, bytes: 110e6 });

/** Files of 10 MB that no compressor makes smaller, so that their zip has 10 MB too. */
export function incompressibleCorpus(): CorpusFile[] {
  const random = createRandom(seed);
  return Array.from({ length: 10 }, (_, i) => corpusFile(`data/${i}.bin`, noise(random, 1e6)));
}

export interface CorpusSize {
  readonly seed: number;
  readonly fileCount: number;
  /** Of all files, not compressed. */
  readonly bytes: number;
}

/** Go source in nested folders, one file in fifty of it data that does not compress. */
export function generateCorpus({ seed, fileCount, bytes }: CorpusSize): CorpusFile[] {
  const random = createRandom(seed);
  const folders = makeFolders(random, Math.ceil(fileCount / 12));
  const weights = Array.from({ length: fileCount }, () => logNormal(random));
  const scale = bytes / weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight, i) => {
    const folder = folders[i % folders.length] ?? '';
    const size = Math.ceil(weight * scale);
    return i % 50 === 0
      ? corpusFile(`${folder}/image${i}.png`, noise(random, size))
      : corpusFile(`${folder}/file${i}.go`, goSource(random, folder.split('/').at(-1) ?? '', size));
  });
}

/** How large source files are: half of them below a third of the mean, and a few a hundred times as large as most. */
function logNormal(random: () => number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Math.exp(1.3 * normal);
}

const folderNames = ['api', 'cmd', 'codec', 'errors', 'internal', 'pkg', 'proto', 'server', 'store', 'util'];

/** Each lies in one of those before it, four deep at most, or at the top. */
function makeFolders(random: () => number, count: number): string[] {
  const folders: string[] = [];
  for (let i = 0; i < count; i++) {
    const parent = folders[Math.floor(random() * i * 1.2)];
    const name = `${folderNames[i % folderNames.length]}${i}`;
    folders.push(parent === undefined || parent.split('/').length > 3 ? name : `${parent}/${name}`);
  }
  return folders;
}

function noise(random: () => number, bytes: number): Buffer {
  const numbers = Uint32Array.from({ length: Math.ceil(bytes / 4) }, () => random() * 2 ** 32);
  return Buffer.from(numbers.buffer, 0, bytes);
}

const corpusFile = (path: string, content: Buffer): CorpusFile => ({
  path,
  content,
  deflated: deflateRawSync(content),
  crc32: crc32(content),
});

async function readFixture(zip: string, folder: string): Promise<CorpusFile[]> {
  const entries = await readZip(await readFile(join(fixtures, zip)), never);
  return await Promise.all(
    entries.map(async entry => {
      const path = entry.name.replace(/^.*?@[^/]+/, folder);
      return corpusFile(path, await contentOfEntry(entry));
    }),
  );
}
