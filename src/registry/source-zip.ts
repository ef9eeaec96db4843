/** The files of a source version's zip, as the go command makes it from `git archive`. cmd/go/internal/modfetch, golang.org/x/mod/zip */
import { type Attributes, readAttributes } from '../git/attributes.ts';
import { type DeflatedBlob, deflateBlob, inflateBlob } from '../git/deflated-blob.ts';
import type { SnapshotFile } from '../git/remote.ts';
import { UnknownEncoding } from '../git/working-tree-encoding.ts';
import { toWorktreeContent } from '../git/worktree-content.ts';
import { giveWay } from '../give-way.ts';
import { quoteGo } from '../gomod/go-mod-syntax.ts';
import type { ModuleDirectory } from '../gomod/module-directory.ts';
import { checkModuleFiles, maxZipBytes } from '../gomod/zip-rules.ts';
import type { SliceStore } from '../spool/slice-store.ts';
import { readDependencyGoMod } from './dependency-go-mod.ts';
import { UnservableVersion } from './errors.ts';

/** A file of a module. */
export interface ModuleFile {
  /** From the module's root. */
  readonly path: string;
  readonly content: DeflatedBlob;
}

/**
 * The files in the order of the tree. Throws UnservableVersion where no zip can be made of them: a name that no module may have, files
 * that are too large, an encoding that is not known.
 */
export async function* sourceFiles(
  snapshot: AsyncIterable<readonly SnapshotFile[]>,
  { directory, goMod }: ModuleDirectory,
  store: SliceStore,
): AsyncGenerator<[ModuleFile], void> {
  const prefix = directory === '' ? '' : `${directory}/`;
  const own: SnapshotFile[] = [];
  const attributesFiles: SnapshotFile[] = [];
  let license: SnapshotFile | undefined;
  for await (const batch of snapshot) {
    for (const file of batch) {
      if (file.mode === '160000') continue;
      if (file.path.startsWith(prefix)) own.push(file);
      if (file.path.split('/').at(-1) === '.gitattributes') attributesFiles.push(file);
      if (file.path === 'LICENSE') license = file;
    }
  }
  const attributes = await attributesOf(attributesFiles);
  const inModule = own.map(file => ({
    path: file.path.slice(prefix.length),
    bytes: file.blob.size,
    mode: Number.parseInt(file.mode, 8),
    content: () => convert(file, attributes, store),
  }));
  // Where the folder has none, the root's is taken: past the archive, hence as it lies in the repository and always as a plain file.
  if (license !== undefined && !inModule.some(({ path }) => path === 'LICENSE')) {
    const { blob } = license;
    inModule.push({ path: 'LICENSE', bytes: blob.size, mode: 0o100644, content: async () => blob });
  }
  const { valid, invalid } = checkModuleFiles(inModule, { goVersion: readDependencyGoMod(goMod)?.go });
  const [problem] = invalid;
  if (problem !== undefined) throw new UnservableVersion(`${quoteGo(problem.path)}: ${problem.reason}`);

  let bytes = 0;
  for (const { path, content } of valid) {
    await giveWay();
    const file = { path, content: await content() };
    bytes += file.content.size;
    if (bytes > maxZipBytes) throw new UnservableVersion(`the files are larger than ${maxZipBytes} bytes`);
    yield [file];
  }
}

/** Bytes of all rules together: each may be tried for each file. People write some hundred. */
const maxAttributesBytes = 128 * 1024;

async function attributesOf(files: readonly SnapshotFile[]): Promise<Attributes> {
  const bytes = files.reduce((sum, { blob }) => sum + blob.size, 0);
  if (bytes > maxAttributesBytes) {
    throw new UnservableVersion(`its .gitattributes have ${bytes} bytes, and ${maxAttributesBytes} is the most`);
  }
  return readAttributes(
    await Promise.all(files.map(async ({ path, blob }) => ({ path, content: await inflateBlob(blob) }))),
  );
}

/** The very blob where nothing changes, else one in the store. */
async function convert(
  { path, id, mode, blob }: SnapshotFile,
  attributes: Attributes,
  store: SliceStore,
): Promise<DeflatedBlob> {
  if (mode === '120000') return blob;
  try {
    const conversion = attributes.of(path);
    if (conversion === undefined) return blob;
    const content = await inflateBlob(blob);
    const converted = toWorktreeContent({ id, content }, conversion);
    return converted === content ? blob : await deflateBlob(converted, data => store.keep(data));
  } catch (error) {
    if (!(error instanceof UnknownEncoding)) throw error;
    throw new UnservableVersion(`${quoteGo(path)}: ${error.message}`, { cause: error });
  }
}
