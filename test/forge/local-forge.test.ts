import { createFsFromVolume, Volume } from 'memfs';
import { diskFileSystem } from '../../src/forge/local/file-system.ts';
import { createLocalForge } from '../../src/forge/local/local-forge.ts';
import { makeTemporaryFolder } from '../support/temporary-folder.ts';
import { forgeContract } from './forge-contract.ts';

const users = new Map([
  ['someone', 'elses password'],
  ['ada', 'a password of hers'],
]);
const writer = { name: 'ada', password: 'a password of hers' };
const log = {
  warn(facts: object, message: string) {
    throw new Error(`nothing to warn of was expected: ${message} ${JSON.stringify(facts)}`);
  },
};

forgeContract('local, on disk', async visibility => {
  const folder = await makeTemporaryFolder();
  const forge = createLocalForge({ fs: diskFileSystem, directory: folder.path, users, visibility, log });
  return { forge, owner: 'acme', writer, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
});

forgeContract('local, in memory', async visibility => {
  const memory = createFsFromVolume(new Volume());
  const forge = createLocalForge({ fs: memory, directory: '/', users, visibility, log });
  return { forge, owner: 'acme', writer, async [Symbol.asyncDispose]() {} };
});
