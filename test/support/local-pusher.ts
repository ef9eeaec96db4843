/**
 * A process that pushes versions to a repository of the local forge, as its standard input asks: a line `{repository} {tag}` a version, answered by a line
 * `won`, `lost` or what went wrong. Run with the forge's folder and the age of stale locks.
 */
import { createInterface } from 'node:readline';
import { diskFileSystem } from '../../src/forge/local/file-system.ts';
import { createLocalForge } from '../../src/forge/local/local-forge.ts';
import { RefMoved } from '../../src/git/errors.ts';
import { parseRefName, tagRef } from '../../src/git/ref-name.ts';
import { makeCommit } from './make-commit.ts';

const [directory = '', staleLockMs = ''] = process.argv.slice(2);
const forge = createLocalForge({
  fs: diskFileSystem,
  directory,
  users: new Map(),
  visibility: 'private',
  staleLockMs: Number(staleLockMs),
  log: { warn: (facts, message) => console.error(message, facts) },
});
const caller = { kind: 'service' } as const;
const main = parseRefName('refs/heads/main');

async function pushVersion(repo: string, tag: string): Promise<'won' | 'lost'> {
  const name = { owner: 'acme', repo };
  await forge.createRepository(name, caller, AbortSignal.timeout(30_000));
  const remote = forge.remote(name, caller);
  const files = Object.fromEntries(
    Array.from({ length: 50 }, (_, i) => [`d${i % 5}/f${i}`, `${tag} ${process.pid} ${i}`]),
  );
  const { id, objects } = makeCommit({ files, message: `${tag}\n` });
  const signal = AbortSignal.timeout(30_000);
  const { byName } = await remote.refs({ prefixes: [main], signal });
  const update = { name: tagRef(tag), from: undefined, to: id };
  const first = byName.has(main) ? [] : [{ name: main, from: undefined, to: id }];
  try {
    await remote.push({ objects, updates: [...first, update], signal });
    return 'won';
  } catch (error) {
    if (!(error instanceof RefMoved)) throw error;
    // Somebody made the branch before us: the tag goes alone.
    if (error.ref === main) return await pushVersion(repo, tag);
    return 'lost';
  }
}

console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const [repo = '', tag = ''] = line.split(' ');
  console.log(await pushVersion(repo, tag).catch((error: unknown) => `failed: ${error}`));
}
