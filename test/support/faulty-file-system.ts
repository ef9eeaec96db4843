import type { FileHandle, FileSystem } from '../../src/forge/local/file-system.ts';

/** Told of each call that changes or syncs something, before it is made; what it throws, the caller gets instead. */
export type Watcher = (operation: string, ...paths: string[]) => void | Promise<void>;

/** The same file system, watched. */
export function watchedFileSystem(fs: FileSystem, watch: Watcher): FileSystem {
  const { promises } = fs;
  const watched = <A extends unknown[], R>(name: string, action: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      await watch(name, ...args.filter(arg => typeof arg === 'string'));
      return await action.apply(promises, args);
    };
  };
  const open: FileSystem['promises']['open'] = async (path, flags) => {
    if (flags !== 'r') await watch('create', path);
    return watchedHandle(await promises.open(path, flags), path, watch);
  };
  return {
    promises: Object.assign(Object.create(promises), {
      open,
      mkdir: watched('mkdir', promises.mkdir),
      rmdir: watched('rmdir', promises.rmdir),
      rename: watched('rename', promises.rename),
      unlink: watched('unlink', promises.unlink),
      chmod: watched('chmod', promises.chmod),
    }),
  };
}

function watchedHandle(handle: FileHandle, path: string, watch: Watcher): FileHandle {
  return {
    read: (...args) => handle.read(...args),
    stat: () => handle.stat(),
    close: () => handle.close(),
    async writev(...args) {
      await watch('write', path);
      return await handle.writev(...args);
    },
    async datasync() {
      await watch('sync', path);
      await handle.datasync();
    },
  };
}

/** A file system as a process sees it that is killed before its `steps`-th change: nothing works from then on. */
export function dyingFileSystem(fs: FileSystem, steps: number): { fs: FileSystem; isDead: () => boolean } {
  let left = steps;
  const watch = () => {
    left -= 1;
    if (left < 0) throw new Killed();
  };
  return { fs: watchedFileSystem(fs, watch), isDead: () => left < 0 };
}

/** What the code under test must not mistake for an answer of the file system. */
export class Killed extends Error {}
