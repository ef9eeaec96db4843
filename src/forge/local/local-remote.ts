/** A bare repository on this machine as a Remote. A push puts its objects in place, whole and synced, before the first ref changes. */
import { createHash } from 'node:crypto';
import { type Commit, parseCommit } from '../../git/commit.ts';
import { deflateBlob, emptyBlob, type Keep } from '../../git/deflated-blob.ts';
import { CorruptObject, GitUnavailable, ObjectMissing, PushRefused, RefMoved } from '../../git/errors.ts';
import type { ObjectId } from '../../git/object-id.ts';
import { namedBy, type PackedObject } from '../../git/packed-object.ts';
import { parseHistoryCommit } from '../../git/parse-history-commit.ts';
import { parseTree, type TreeEntry } from '../../git/parse-tree.ts';
import type { RefName } from '../../git/ref-name.ts';
import type {
  HistoryCommit,
  HistoryRange,
  Push,
  Ref,
  RefUpdate,
  Remote,
  Snapshot,
  SnapshotFile,
} from '../../git/remote.ts';
import { type TreeFile, walkTree } from '../../git/walk-tree.ts';
import type { Log } from '../log.ts';
import type { BareRepository } from './bare-repository.ts';
import { type FileSystem, ifThere, systemErrorCode } from './file-system.ts';
import { createObjectReader, findMissing, type ObjectReader, type PeelMemory, peel } from './object-reader.ts';
import { beginPack, type NewPack } from './pack-store.ts';
import { createPackedReader } from './packed-reader.ts';
import { type PreparedRefs, prepareRefs, RefsPartlySet, readRef, readRefs } from './ref-store.ts';
import { walkHistory } from './walk-history.ts';

export interface LocalRemoteOptions {
  readonly fs: FileSystem;
  readonly gitdir: string;
  /** The repository as errors name it. */
  readonly repository: string;
  /** Begins each operation: throws where there is no such repository, or the caller may not do it. */
  readonly open: (right: 'read' | 'write') => Promise<BareRepository>;
  readonly peelMemory: PeelMemory;
  readonly staleLockMs: number;
  readonly log: Log;
}

export function createLocalRemote(options: LocalRemoteOptions): Remote {
  const { fs, gitdir, repository } = options;

  const orUnavailable = async <T>(right: 'read' | 'write', action: () => Promise<T>): Promise<T> => {
    try {
      return await action();
    } catch (error) {
      if (systemErrorCode(error) === undefined) throw error;
      throw new GitUnavailable(`cannot ${right} the repository ${repository}`, { cause: error });
    }
  };
  const run = async <T>(
    right: 'read' | 'write',
    signal: AbortSignal,
    action: (opened: BareRepository) => Promise<T>,
  ): Promise<T> => {
    signal.throwIfAborted();
    return await orUnavailable(right, async () => await action(await options.open(right)));
  };

  return {
    url: undefined,

    refs: ({ prefixes, signal }) =>
      run('read', signal, async ({ head }) => {
        const stored = await readRefs(fs, gitdir, prefixes);
        const unpeeled = [...stored.values()].filter(ref => ref.peeled === undefined).map(ref => ref.id);
        const peeled = await peel(fs, gitdir, unpeeled, options.peelMemory);
        const refs = Array.from(stored, ([name, ref]): [RefName, Ref] => {
          const target = ref.peeled ?? peeled.get(ref.id);
          return [name, target ? { name, id: ref.id, peeled: target } : { name, id: ref.id }];
        });
        return { byName: new Map(refs), head };
      }),

    commit: (id, signal) =>
      run('read', signal, async () => {
        await using packs = await createPackedReader(fs, gitdir);
        return await readCommit(createObjectReader(fs, gitdir, packs), id);
      }),

    files: (id, paths, signal) =>
      run('read', signal, async () => {
        await using packs = await createPackedReader(fs, gitdir);
        const objects = createObjectReader(fs, gitdir, packs);
        const commit = await readCommit(objects, id);
        const files = new Map<string, Buffer>();
        for (const path of paths) {
          const content = await readFile(objects, commit.tree, path.split('/'), signal);
          if (content !== undefined) files.set(path, content);
        }
        return { commit, files };
      }),

    snapshot: (id, store, signal) =>
      run('read', signal, async (): Promise<Snapshot> => {
        await using packs = await createPackedReader(fs, gitdir);
        const commit = await readCommit(createObjectReader(fs, gitdir, packs), id);
        const hash = createHash('sha256');
        const keep = (data: Buffer) => {
          hash.update(data);
          return store.keep(data);
        };
        const files = readFiles({ fs, gitdir, commit, keep, signal });
        return { commit, files, dataHash: () => hash.copy().digest('hex') };
      }),

    history: range => run('read', range.signal, () => readHistory(fs, gitdir, range)),

    push: push => run('write', push.signal, () => pushHere(options, push)),

    async beginPush(signal) {
      const pack = await run('write', signal, () => beginPack(fs, gitdir));
      return {
        add: objects => orUnavailable('write', () => pack.add(objects)),
        push: push => orUnavailable('write', () => pushHere(options, push, pack)),
        async [Symbol.asyncDispose]() {
          // Whoever disposes of it has an answer already. What stays is removed by a later push.
          await pack.discard().catch((error: unknown) => {
            options.log.warn({ err: error, repository }, 'could not remove what was written for a push');
          });
        },
      };
    },
  };
}

/** The commits that a shallow repository is cut off at (gitrepository-layout(5), `shallow`). */
async function readShallow(fs: FileSystem, gitdir: string): Promise<ReadonlySet<string>> {
  const file = await ifThere(fs.promises.readFile(`${gitdir}/shallow`));
  return new Set(file?.toString('latin1').split('\n'));
}

async function readCommit(objects: ObjectReader, id: ObjectId): Promise<Commit> {
  return parseCommit(id, await objects.readKind('commit', id));
}

const readTree = async (objects: ObjectReader, id: ObjectId): Promise<TreeEntry[]> =>
  parseTree(id, await objects.readKind('tree', id));

async function readFile(
  objects: ObjectReader,
  root: ObjectId,
  path: readonly string[],
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  let tree = root;
  for (const [i, name] of path.entries()) {
    signal.throwIfAborted();
    const entry = (await readTree(objects, tree)).find(entry => entry.name === name);
    if (entry === undefined) return undefined;
    const isLast = i === path.length - 1;
    if (entry.mode === '40000' && !isLast) tree = entry.id;
    else if (entry.mode === '40000' || entry.mode === '160000' || !isLast) return undefined;
    else return await objects.readKind('blob', entry.id);
  }
  return undefined;
}

async function readHistory(fs: FileSystem, gitdir: string, range: HistoryRange): Promise<HistoryCommit[]> {
  const shallow = await readShallow(fs, gitdir);
  await using packs = await createPackedReader(fs, gitdir);
  const objects = createObjectReader(fs, gitdir, packs);
  return await walkHistory(range, async id => {
    const { kind, content } = await objects.read(id);
    if (kind !== 'commit') return undefined;
    const commit = parseHistoryCommit(id, content);
    return shallow.has(id) ? { ...commit, parents: [] } : commit;
  });
}

/** All files of a commit. The packs are open while it runs. */
async function* readFiles({
  fs,
  gitdir,
  commit,
  keep,
  signal,
}: {
  fs: FileSystem;
  gitdir: string;
  commit: Commit;
  keep: Keep;
  signal: AbortSignal;
}): AsyncGenerator<[SnapshotFile], void> {
  await using packs = await createPackedReader(fs, gitdir);
  const objects = createObjectReader(fs, gitdir, packs);
  const readBlob = async (id: ObjectId) =>
    (await packs.readBlob(id, keep)) ?? (await deflateBlob(await objects.readKind('blob', id), keep));
  // No blob is read before it is known that there are not too many.
  const found: TreeFile[] = [];
  for await (const batch of walkTree(commit, id => readTree(objects, id), signal)) found.push(...batch);
  for (const { path, mode, id } of found) {
    signal.throwIfAborted();
    yield [{ path, mode, id, blob: mode === '160000' ? emptyBlob : await readBlob(id) }];
  }
}

async function pushHere(
  options: LocalRemoteOptions,
  { objects, updates, signal }: Push,
  begun?: NewPack,
): Promise<void> {
  const { fs, gitdir } = options;
  let needed: ReadonlySet<ObjectId> = new Set();
  let preparing: Promise<PreparedRefs> | undefined;
  const failed = new AbortController();
  // What needs no object to be stored.
  const prepare = () => {
    needed = neededBeside(objects, updates);
    preparing = prepareRefs(options, updates, AbortSignal.any([signal, failed.signal]));
    preparing.catch(() => {});
  };
  let pack = begun;
  try {
    // Most pushes that lose are told before anything is written.
    for (const { name, from } of begun ? [] : updates) {
      if ((await readRef(fs, gitdir, name)) !== from) throw new RefMoved(name);
    }
    if (objects.length > 0) pack ??= await beginPack(fs, gitdir);
    if (pack === undefined) prepare();
    await pack?.add(objects);
    await pack?.store(prepare);
    const [missing] = await findMissing(fs, gitdir, needed);
    if (missing !== undefined) {
      throw new PushRefused(`the push needs object ${missing}, which is neither in it nor in ${options.repository}`, {
        cause: new ObjectMissing(missing),
      });
    }
    await (await preparing)?.commit(() => {
      pack?.release().catch(() => {});
    });
  } catch (error) {
    // Who waits for another's lock would wait on.
    failed.abort();
    if (error instanceof RefsPartlySet) await pack?.release();
    else await pack?.discard();
    throw error;
  } finally {
    await (await preparing?.catch(() => undefined))?.[Symbol.asyncDispose]();
  }
  // Whoever asks for refs next need not look for them in the packs.
  for (const { id, kind } of objects) if (kind === 'commit') options.peelMemory.set(id, { peeled: null });
  await pack?.release();
}

/** As git checks a push: the new tips, and what the new objects name, must be in the push or, these ids, in the repository. */
function neededBeside(objects: readonly PackedObject[], updates: readonly RefUpdate[]): Set<ObjectId> {
  const needed = new Set(updates.flatMap(({ to }) => (to === undefined ? [] : [to])));
  for (const object of objects) {
    if (object.kind === 'blob') continue;
    try {
      for (const id of namedBy(object)) needed.add(id);
    } catch (error) {
      if (!(error instanceof CorruptObject)) throw error;
      throw new PushRefused(`the push holds an object that git can't use: ${error.message}`, { cause: error });
    }
  }
  for (const { id } of objects) needed.delete(id);
  return needed;
}
