/**
 * A made-up module goes the way of an upload once, and comes back as a zip, all in memory. A platform that hashes or inflates wrongly is found out.
 * And whoever publishes or reads first finds the threads running and the code compiled, which takes longer than what is done with a
 * thousand files.
 */
import { TreeBuilder } from '../git/build-tree.ts';
import { encodeCommit } from '../git/commit.ts';
import type { DeflatedBlob } from '../git/deflated-blob.ts';
import { emptyTree } from '../git/object-id.ts';
import { encodePackIndex, findInPackIndex, PackEntries, writePack } from '../git/pack.ts';
import { packObject } from '../git/packed-object.ts';
import { readPackOnThread } from '../git/read-pack-on-thread.ts';
import { filesOf } from '../git/walk-pack.ts';
import { parseModulePath } from '../gomod/module-path.ts';
import { parseVersion } from '../gomod/version.ts';
import { SliceStore } from '../spool/slice-store.ts';
import { type FileToZip, writeZip } from '../zip/write-zip.ts';
import { HashAhead } from './hash-ahead.ts';
import { minBytesForThreads } from './hash-upload.ts';
import { openUpload } from './read-upload.ts';
import { planZip } from './version-content.ts';
import { publisher } from './version-record.ts';

const module = parseModulePath('example.com/self-test');
const version = parseVersion('v1.0.0');

const fileCount = 400;
const lineCount = 250;

const maxBytes = 2 ** 24;

export interface SelfTestOptions {
  /** At most; on a slow machine once may have to do. */
  readonly times: number;
  /** None is begun later, but for the first. */
  readonly maxMs: number;
}

/** Throws where what comes back is not what was put in. */
export async function selfTest({ times, maxMs }: SelfTestOptions, signal: AbortSignal): Promise<void> {
  const until = performance.now() + maxMs;
  const uploaded = Buffer.concat(await writeZip(makeFiles(), { signal }).toArray());
  if (uploaded.byteLength < minBytesForThreads) throw new Error('the self-test is too small for threads');
  for (let i = 0; i === 0 || (i < times && performance.now() < until); i++) await test(uploaded, signal);
}

async function test(uploaded: Buffer, signal: AbortSignal): Promise<void> {
  const builder = new TreeBuilder();
  const ahead = new HashAhead(uploaded.byteLength, signal);
  ahead.take(uploaded);
  await using opened = await openUpload({ body: uploaded, ahead, expected: undefined }, signal);
  const upload = await opened.read({ onFile: ({ path, id }) => builder.add({ path, mode: '100644', id }) });
  const trees = [...builder.trees()];
  const person = publisher('', undefined, 0);
  const tree = trees.at(-1)?.id ?? emptyTree;
  const content = { tree, parents: [], author: person, committer: person, message: '' };
  const commit = packObject('commit', encodeCommit(content));

  await using blobs = new SliceStore(maxBytes);
  const entries = new PackEntries();
  const source = writePack([...upload.blobs, ...trees, commit], entries);
  const { pack, checksum } = await readPackOnThread(source, { maxBytes, blobs, signal });
  const index = encodePackIndex(entries.all, Buffer.from(checksum, 'hex'));
  if (findInPackIndex(index, commit.id) === undefined) throw new Error('the index of a pack lacks an object');
  const files = filesOf(pack, { id: commit.id, ...content }, signal);
  const { zip, h1 } = await planZip({ module, version }, moduleFiles(files), signal);
  if (h1 !== upload.zipHash) throw new Error(`a module that was put in as ${upload.zipHash} came back as ${h1}`);
  // Throws where they are not as many as it says.
  await zip.bytes();
}

/** Some of each kind that goes a way of its own, so that each thread gets one: what is looked into, what is large, what is there twice. */
async function* makeFiles(): AsyncGenerator<FileToZip, void> {
  const file = (path: string, text: string): FileToZip => ({
    name: `${module}@${version}/${path}`,
    content: Buffer.from(text),
  });
  yield file('go.mod', `module ${module}\n`);
  for (let i = 0; i < fileCount; i++) {
    const folder = `${i % 10}/folder${i % 30}`;
    yield file(`${folder}/file${i}.go`, makeText(i, lineCount));
    if (i % 80 > 0) continue;
    yield file(`${folder}/again${i}.go`, makeText(0, lineCount));
    yield file(`${folder}/long${i}.go`, makeText(i, 20 * lineCount));
    yield file(`${folder}/large${i}.go`, makeText(i, 60 * lineCount));
    yield file(`${folder}/${i}/.gitattributes`, `*.txt text\n`);
  }
}

/** As regular and as irregular as source is. */
const makeText = (file: number, lines: number): string =>
  Array.from({ length: lines }, (_, line) => `\tvalue${(file * 7919 + line * 104_729) % 65_521} := ${line}\n`).join('');

async function* moduleFiles(
  files: ReturnType<typeof filesOf>,
): AsyncGenerator<{ path: string; content: DeflatedBlob }[], void> {
  for await (const batch of files) yield batch.map(({ path, blob }) => ({ path, content: blob }));
}
