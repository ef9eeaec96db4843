/** `git archive` as the go command runs it in direct mode: cmd/go/internal/modfetch/codehost/git.go, ReadZip and ensureGitAttributes. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ObjectId } from '../../src/git/object-id.ts';
import { writePack } from '../../src/git/pack.ts';
import type { PackedObject } from '../../src/git/packed-object.ts';
import { inflateEntry, readZip } from '../../src/zip/read-zip.ts';
import { gitBytes } from './git-bytes.ts';

const archive = ['-c', 'core.autocrlf=input', '-c', 'core.eol=lf', 'archive', '--format=zip', '--prefix=prefix/'];

/** Makes a bare repository of these objects in an empty folder. */
export async function makeGoRepository(gitdir: string, objects: Iterable<PackedObject>): Promise<void> {
  gitBytes(gitdir, ['init', '--bare', '.']);
  await mkdir(join(gitdir, 'info'), { recursive: true });
  await writeFile(join(gitdir, 'info/attributes'), '\n* -export-subst -export-ignore\n');
  const unique = new Map(Array.from(objects, object => [object.id, object]));
  gitBytes(gitdir, ['index-pack', '--stdin'], Buffer.concat([...writePack([...unique.values()])]));
}

/** The files of a commit's archive, or of one directory's, by path; throws where git fails. */
export async function archiveAsGo(gitdir: string, commit: ObjectId, ...subdir: string[]): Promise<Map<string, Buffer>> {
  const zip = gitBytes(gitdir, [...archive, '--end-of-options', commit, ...subdir]);
  const files = new Map<string, Buffer>();
  for (const entry of await readZip(zip)) {
    if (!entry.isDirectory) files.set(entry.name.slice('prefix/'.length), (await inflateEntry(entry)).content);
  }
  return files;
}
