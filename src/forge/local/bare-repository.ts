/** A bare repository's frame: its folders and three small files. It exists from the moment that HEAD, written last, is there. */
import { randomBytes } from 'node:crypto';
import { GitUnavailable } from '../../git/errors.ts';
import { parseGitConfig } from '../../git/git-config.ts';
import { isObjectId, type ObjectId } from '../../git/object-id.ts';
import { isRefName, type RefName } from '../../git/ref-name.ts';
import { type FileSystem, ifThere, makeDirectory, syncDirectory, writeNewFile } from './file-system.ts';

export interface BareRepository {
  /** What HEAD names: a branch, or a commit. */
  readonly head: RefName | ObjectId | undefined;
}

/** Git's own sign, git-daemon(1), that a repository may be read by anyone. */
const exportSign = 'git-daemon-export-ok';

const folders = ['objects/info', 'objects/pack', 'refs/heads', 'refs/tags'];

const config = `[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
`;

/** Makes the repository, synced, and says whether it did: one that is there is left as it is, one that was left half made is completed. */
export async function createBareRepository(
  fs: FileSystem,
  gitdir: string,
  { isExported }: { isExported: boolean },
): Promise<boolean> {
  if (await isThere(fs, `${gitdir}/HEAD`)) return false;
  for (const folder of folders) await makeDirectory(fs, `${gitdir}/${folder}`);
  await putFile(fs, `${gitdir}/config`, config);
  if (isExported) await putFile(fs, `${gitdir}/${exportSign}`, '');
  else await ifThere(fs.promises.unlink(`${gitdir}/${exportSign}`));
  await syncDirectory(fs, gitdir);
  await putFile(fs, `${gitdir}/HEAD`, 'ref: refs/heads/main\n');
  await syncDirectory(fs, gitdir);
  return true;
}

/** Puts a whole file in place at once, whoever does the same at the same time. */
async function putFile(fs: FileSystem, path: string, content: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  await writeNewFile(fs, temporary, Buffer.from(content));
  await fs.promises.rename(temporary, path);
}

const isThere = async (fs: FileSystem, path: string): Promise<boolean> =>
  (await ifThere(fs.promises.stat(path))) !== undefined;

/** Whether the repository may be read by anyone. */
export const isExportedRepository = (fs: FileSystem, gitdir: string): Promise<boolean> =>
  isThere(fs, `${gitdir}/${exportSign}`);

/**
 * Looks at a repository before it is used; undefined where there is none.
 * Throws GitUnavailable where it is kept in a way that would be misread here, as one without refs or objects.
 */
export async function openBareRepository(fs: FileSystem, gitdir: string): Promise<BareRepository | undefined> {
  const [head, file, hasAlternates] = await Promise.all([
    ifThere(fs.promises.readFile(`${gitdir}/HEAD`)),
    ifThere(fs.promises.readFile(`${gitdir}/config`)),
    isThere(fs, `${gitdir}/objects/info/alternates`),
  ]);
  if (head === undefined) return undefined;
  const lines = parseGitConfig(file?.toString('utf8') ?? '');
  const settings = new Map(Array.from(lines, ({ variable, value }) => [variable, value.toLowerCase()]));
  const obstacles = [
    Number(settings.get('core.repositoryformatversion') ?? 0) > 1 && 'its format version is unknown',
    (settings.get('extensions.objectformat') ?? 'sha1') !== 'sha1' && 'its object ids are not SHA-1',
    (settings.get('extensions.refstorage') ?? 'files') !== 'files' && 'its refs are not kept in files',
    settings.has('extensions.partialclone') && 'it is a partial clone',
    hasAlternates && 'it borrows objects (objects/info/alternates)',
  ].filter(obstacle => obstacle !== false);
  if (obstacles.length > 0) {
    throw new GitUnavailable(`cannot read the repository: ${obstacles.join(', ')}`, { cause: new Error(gitdir) });
  }
  const [, name = ''] = /^(?:ref:)?\s*(\S+)/.exec(head.toString('utf8')) ?? [];
  return { head: isRefName(name) || isObjectId(name) ? name : undefined };
}
