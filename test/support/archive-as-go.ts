/** `git archive` as the go command runs it in direct mode: cmd/go/internal/modfetch/codehost/git.go, ReadZip and ensureGitAttributes. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fromBufferPromise } from 'yauzl';
import type { ObjectId } from '../../src/git/object-id.ts';
import type { PackedObject } from '../../src/git/packed-object.ts';
import { gitBytes } from './git-bytes.ts';
import { packOf } from './pack-of.ts';

const archive = ['-c', 'core.autocrlf=input', '-c', 'core.eol=lf', 'archive', '--format=zip', '--prefix=prefix/'];

/** Makes a bare repository of these objects in an empty folder. */
export async function makeGoRepository(gitdir: string, objects: Iterable<PackedObject>): Promise<void> {
  gitBytes(gitdir, ['init', '--bare', '.']);
  await mkdir(join(gitdir, 'info'), { recursive: true });
  await writeFile(join(gitdir, 'info/attributes'), '\n* -export-subst -export-ignore\n');
  const unique = new Map(Array.from(objects, object => [object.id, object]));
  gitBytes(gitdir, ['index-pack', '--stdin'], await packOf([...unique.values()]));
}

/** The files of a commit's archive, or of one directory's, by path; throws where git fails. */
export async function archiveAsGo(gitdir: string, commit: ObjectId, ...subdir: string[]): Promise<Map<string, Buffer>> {
  const archived = gitBytes(gitdir, [...archive, '--end-of-options', commit, ...subdir]);
  // Names as they are: decoded, `\` would become `/`.
  const zip = await fromBufferPromise(archived, { lazyEntries: true, decodeStrings: false });
  const files = new Map<string, Buffer>();
  for await (const entry of zip.eachEntry()) {
    const name = entry.fileNameRaw.toString().slice('prefix/'.length);
    if (!/(^|\/)$/.test(name)) files.set(name, await buffer(await zip.openReadStreamPromise(entry)));
  }
  return files;
}
