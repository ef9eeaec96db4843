import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { describe, it, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFsFromVolume, Volume } from 'memfs';
import { diskFileSystem, type FileSystem, NewFile } from '../../../src/forge/local/file-system.ts';
import { makeTemporaryFolder } from '../../support/temporary-folder.ts';

const megabyte = Buffer.alloc(2 ** 20, 'go');

/** A file system in memory whose files are synced by `sync`. */
function fsWith(sync: () => Promise<void>) {
  const fs = createFsFromVolume(new Volume());
  const open: typeof fs.promises.open = async (...asked) =>
    Object.assign(await fs.promises.open(...asked), { datasync: sync });
  return { fs, promises: Object.assign(Object.create(fs.promises), { open }) };
}

async function writeMegabytes(fs: FileSystem, count: number): Promise<void> {
  await using file = await NewFile.create(fs, '/file');
  for (let i = 0; i < count; i++) await file.append([megabyte]);
  await file.synced();
}

describe('a new file', () => {
  it('is synced while it is written, and at its end, never twice at a time', async () => {
    let syncs = 0;
    let underWay = 0;
    const { fs, promises } = fsWith(async () => {
      syncs += 1;
      underWay += 1;
      assert.equal(underWay, 1);
      await sleep(20);
      underWay -= 1;
    });
    await writeMegabytes({ promises }, 40);
    assert.equal(underWay, 0);
    assert.ok(syncs > 1 && syncs < 20, `${syncs} times`);
    assert.ok(Buffer.concat(Array.from({ length: 40 }, () => megabyte)).equals(fs.readFileSync('/file') as Buffer));
  });

  it('is not there for sure where one of the syncs failed, whatever the later ones say', async () => {
    let syncs = 0;
    const { promises } = fsWith(async () => {
      syncs += 1;
      if (syncs === 1) throw Object.assign(new Error('the disk lost it'), { code: 'EIO' });
    });
    await assert.rejects(writeMegabytes({ promises }, 2), /the disk lost it/);
  });

  it('is not whole where a write fails or the disk is full, and its maker is told', async () => {
    for (const writev of [
      async () => Promise.reject(Object.assign(new Error('the disk lost it'), { code: 'EIO' })),
      async () => ({ bytesWritten: 5 }),
    ]) {
      const fs = createFsFromVolume(new Volume());
      const open: typeof fs.promises.open = async (...asked) =>
        Object.assign(await fs.promises.open(...asked), { writev });
      const promises = Object.assign(Object.create(fs.promises), { open });
      await assert.rejects(writeMegabytes({ promises }, 3), /the disk (lost it|is full)/);
    }
  });
});

test('a file of the disk is read whole, whatever its size, and errors are those of node:fs', async () => {
  await using folder = await makeTemporaryFolder();
  const path = `${folder.path}/file`;
  for (const bytes of [0, 41, 2047, 2048, 2049, 100_000]) {
    const content = Buffer.alloc(bytes, 'go and git');
    await writeFile(path, content);
    assert.ok(content.equals(await diskFileSystem.promises.readFile(path)), `${bytes} bytes`);
  }
  await assert.rejects(diskFileSystem.promises.readFile(`${path}s`), { code: 'ENOENT' });
  await assert.rejects(diskFileSystem.promises.readFile(folder.path), { code: 'EISDIR' });
});
