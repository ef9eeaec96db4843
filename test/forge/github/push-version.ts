import type { Caller } from '../../../src/forge/credentials.ts';
import type { Forge, Release, RepositoryName } from '../../../src/forge/forge.ts';
import { encodeCommit } from '../../../src/git/commit.ts';
import { emptyTree } from '../../../src/git/object-id.ts';
import { packObject } from '../../../src/git/packed-object.ts';
import { parseRefName, tagRef } from '../../../src/git/ref-name.ts';
import { soon } from './scripted-forge.ts';

/** Pushes an empty commit as a tag, and as `main` where that is not there yet; gives what its release is. */
export async function pushVersion(forge: Forge, name: RepositoryName, tag: string, caller: Caller): Promise<Release> {
  const person = { name: 'alice', email: 'alice@example.com', time: 1_700_000_000 };
  const commit = packObject(
    'commit',
    encodeCommit({ tree: emptyTree, parents: [], author: person, committer: person, message: `${tag}\n` }),
  );
  const remote = forge.remote(name, caller);
  const main = parseRefName('refs/heads/main');
  const { byName } = await remote.refs({ prefixes: [main], signal: soon() });
  const branch = byName.has(main) ? [] : [{ name: main, from: undefined, to: commit.id }];
  await remote.push({
    objects: [packObject('tree', new Uint8Array(0)), commit],
    updates: [...branch, { name: tagRef(tag), from: undefined, to: commit.id }],
    signal: soon(),
  });
  return { tag, commit: commit.id, title: tag, text: 'go get it', isPrerelease: false };
}
