/**
 * The fast way against the plain one. Deflate data goes from zip to pack and back as it is, and packs are read by code of our own: trees, sums
 * and files must be those that isomorphic-git and archiver make, and objects those that git reads.
 */
import assert from 'node:assert/strict';
import { createCipheriv, createHash } from 'node:crypto';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { z } from 'zod';
import { inflateBlob } from '../../src/git/deflated-blob.ts';
import { CorruptPack } from '../../src/git/errors.ts';
import { type ReadPack, type ReadPackOptions, readPack } from '../../src/git/read-pack.ts';
import { readPackOnThread } from '../../src/git/read-pack-on-thread.ts';
import { encodeRepositoryName } from '../../src/registry/repository-name.ts';
import { SliceStore } from '../../src/spool/slice-store.ts';
import {
  appendingDelta,
  craftEntry,
  craftFiller,
  craftPack,
  encodeDistance,
  entryTypes,
  seal,
} from '../support/craft-pack.ts';
import { type CraftedEntry, craftZip } from '../support/craft-zip.ts';
import { ada, startHostedApp, startHostedDouble, uploadTo } from '../support/doubles/hosted-app.ts';
import { gitBytes } from '../support/git-bytes.ts';
import { askGo } from '../support/go-oracle.ts';
import { annotated, makeBareRepository } from '../support/make-bare-repository.ts';
import { type PackEntry, packEntries } from '../support/pack-entries.ts';
import { gitIn } from '../support/plain-git.ts';
import { commitTree, type Files, unzip, zipCommit } from '../support/reference-way.ts';
import { skipWithout } from '../support/skip-without.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';
import { publisher, startTestApp, type TestApp } from '../support/test-app.ts';
import { startWithoutOffsetDeltas } from '../support/without-offset-deltas.ts';

const skip = skipWithout('git', 'go');
/** For what asks servers: one that never answers is to fail. */
const slow = { skip, timeout: 120_000 };

/** What deltas name their base by: the types of gitformat-pack(5). */
type DeltaType = typeof entryTypes.offsetDelta | typeof entryTypes.idDelta;

/** modforge in front of a forge whose repositories a test can look into. */
interface Store extends AsyncDisposable {
  readonly app: TestApp;
  /** Another one, which has cached nothing yet; `url` is its way to the forge, if not the usual one. */
  startAnother(url?: string): Promise<TestApp>;
  /** Of one who may publish and read. */
  readonly authorization: string;
  /** Holds the repositories, `acme/lib.git`. */
  readonly directory: string;
  /** Ways to the forge, by the deltas that come on them; undefined where it is no server. */
  readonly ways: Readonly<Record<DeltaType, string>> | undefined;
}

const stores = {
  async local(): Promise<Store> {
    const folder = await makeTemporaryFolder();
    const env = { MODFORGE_FORGE: 'local', MODFORGE_DATA: folder.path };
    const startAnother = () => startTestApp(env);
    const { basic: authorization } = publisher;
    return withApp({ startAnother, authorization, directory: folder.path, ways: undefined }, [folder]);
  },

  /** Uploads and zips lie on the disk here, in memory above. */
  async gitea(): Promise<Store> {
    const double = await startHostedDouble('gitea');
    const wayIn = await startWithoutOffsetDeltas(double.url);
    const ways = { [entryTypes.offsetDelta]: double.url, [entryTypes.idDelta]: wayIn.url };
    const startAnother = (url = double.url) => {
      const env = { MODFORGE_FORGE_URL: url, MODFORGE_SPOOL_ABOVE_MB: '1' };
      return startHostedApp({ kind: 'gitea', double, env });
    };
    return withApp({ startAnother, authorization: ada.basic, directory: double.directory, ways }, [wayIn, double]);
  },
};

async function withApp(
  store: Omit<Store, 'app' | keyof AsyncDisposable>,
  behind: readonly AsyncDisposable[],
): Promise<Store> {
  const app = await store.startAnother();
  return {
    ...store,
    app,
    async [Symbol.asyncDispose]() {
      for (const part of [app, ...behind]) await part[Symbol.asyncDispose]();
    },
  };
}

const repositoryOf = (module: string): string => `acme/${encodeRepositoryName(module)}.git`;

/** Publishes a zip; gives the `h1:` of the reply. */
async function publish({ app, authorization }: Store, zip: Buffer): Promise<string> {
  const response = await uploadTo(app, zip, authorization);
  const text = await response.text();
  assert.equal(response.status, 201, text);
  await app.settled();
  return text.split('\n')[1] ?? '';
}

type Content = string | Buffer | Omit<CraftedEntry, 'name'>;

const zipOf = (module: string, version: string, files: Readonly<Record<string, Content>>): Buffer =>
  craftZip(
    Object.entries({ 'go.mod': `module ${module}\n`, ...files }).map(([path, content]) => {
      const entry = typeof content === 'string' || Buffer.isBuffer(content) ? { content } : content;
      return { ...entry, name: `${module}@${version}/${path}` };
    }),
  );

/** The module and the version of a zip, and its files by their paths in the module. */
async function openModule(zip: Buffer): Promise<{ module: string; version: string; files: Files }> {
  const entries = [...(await unzip(zip))];
  const [prefix = '', module = '', version = ''] = /^([^@]+)@([^/]+)\//.exec(entries[0]?.[0] ?? '') ?? [];
  return { module, version, files: new Map(entries.map(([name, content]) => [name.slice(prefix.length), content])) };
}

const fixtures = await Promise.all(
  (await readdir(join(import.meta.dirname, '../fixtures')))
    .filter(name => name.endsWith('.zip'))
    .map(async name => {
      const zip = await readFile(join(import.meta.dirname, '../fixtures', name));
      return { name, zip, ...(await openModule(zip)) };
    }),
);

/** Bytes that no compressor makes fewer. */
const noise = (seed: string, bytes: number): Buffer =>
  createCipheriv('aes-128-ctr', createHash('md5').update(seed).digest(), Buffer.alloc(16)).update(Buffer.alloc(bytes));

/** Lines of 40 characters, of which no two are the same. */
const linesOf = (seed: string, count: number): string[] =>
  noise(seed, count * 20)
    .toString('hex')
    .match(/.{40}/g) ?? [];

const mebibyte = 2 ** 20;

/** Around `/` in ASCII, in all lengths of UTF-8, and what a shell or a zip tool would take for something else. */
const oddNames = [
  ...['a b', ' a', 'b ', 'd/c', 'd.b', 'd-b', 'd0', 'd.c/d', '-rf', '..x/...y', '.github/x.yml', '@/@', '$HOME'],
  ...['#1', '%41', '~x', 'a,b', '[x]/{y}', '^', '(z)', '!', '_', '&', 'c+d/e=f', 'é/日本語/𠀀.go', 'ß'],
];

const tables: Readonly<Record<string, Readonly<Record<string, Content>>>> = {
  'names, contents and entries that need care': {
    ...Object.fromEntries(oddNames.map(path => [path, `at ${path}\n`])),
    '.gitignore': '*\n',
    '.gitattributes': '* text eol=crlf export-subst\n*.go export-ignore\n',
    'crlf.go': 'package crlf\r\n\n// $Format:%H$\n',
    ...Object.fromEntries(['x', 'y/x', 'y/z/x'].map(path => [`${path}/empty`, ''])),
    ...Object.fromEntries(['x', 'y/x', 'y/z/x'].map(path => [`${path}/same`, 'the same\n'])),
    stored: { content: noise('stored', 1000), method: 0 },
    'stored-empty': { content: '', method: 0 },
    'stored-large': { content: noise('large', mebibyte), method: 0 },
    described: { content: 'x'.repeat(1000), descriptor: 'signed' },
    'described-64': { content: 'y'.repeat(1000), descriptor: 'zip64', zip64: true },
  },
  'many folders, beside and in each other': {
    ...Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`${i % 10}/${i}/f`, `${i % 7}`])),
    [`${'d/'.repeat(100)}deep`]: 'deep',
  },
  'a file larger than modforge holds in memory': {
    large: Buffer.concat([noise('larger', 2 * mebibyte), Buffer.alloc(15 * mebibyte, 'the same line again\n')]),
  },
};

/** Characters of names in all of the lengths of UTF-8, but none between the surrogates and U+FFFF: isomorphic-git sorts those behind longer ones. */
const element = fc
  .oneof(
    fc.constantFrom('a', 'a.b', 'a-b', 'a0', 'ab', 'a b', '.gitignore', 'vendor', 'testdata', 'é', '日本', '𠀀'),
    fc.stringMatching(/^[a-z0-9!#$%&()+,=@[\]^_{}~ éß日𠀀-]{1,12}$/u),
  )
  .filter(name => !/^(con|prn|aux|nul|com\d|lpt\d|git)(~.*)?$/.test(name));

const content: fc.Arbitrary<Content> = fc
  .tuple(
    fc.oneof(
      fc.constantFrom(Buffer.alloc(0), Buffer.from('the same\n')),
      fc.uint8Array({ maxLength: 3000, size: 'max' }).map(bytes => Buffer.from(bytes)),
      fc.tuple(fc.string(), fc.nat(20_000)).map(([line, count]) => Buffer.from(`${line}\n`.repeat(count))),
    ),
    fc.constantFrom(0, 8),
  )
  .map(([bytes, method]) => ({ content: bytes, method }));

const generatedFiles = fc
  .uniqueArray(
    fc.tuple(
      fc.array(element, { minLength: 1, maxLength: 5 }).map(parts => parts.join('/')),
      content,
    ),
    {
      selector: ([path]) => path,
      maxLength: 40,
    },
  )
  .map(all => all.filter(([path]) => !all.some(([other]) => other.startsWith(`${path}/`))));

describe('the tree of a published zip is the one that isomorphic-git makes of its files', slow, () => {
  const started = new Map<string, Store>();
  before(async () => {
    for (const [kind, start] of Object.entries(stores)) started.set(kind, await start());
  });
  after(async () => {
    for (const store of started.values()) await store[Symbol.asyncDispose]();
  });

  const check = async (zip: Buffer) => {
    const { module, version, files } = await openModule(zip);
    const tree = await commitTree(files);
    const publishing = Array.from(started, async ([kind, store]) => {
      await publish(store, zip);
      const git = gitIn(join(store.directory, repositoryOf(module)));
      assert.equal(await git('rev-parse', `${version}^{tree}`), tree, kind);
    });
    await Promise.all(publishing);
  };

  for (const { name, zip } of fixtures) it(`of ${name}`, () => check(zip));

  for (const [i, [what, files]] of Object.entries(tables).entries()) {
    it(`of ${what}`, () => check(zipOf(`example.com/table${i}`, 'v1.0.0', files)));
  }

  it('of any files', async () => {
    const samples = fc.sample(generatedFiles, 20);
    const files = samples.flatMap((some, i) => some.map(([path, content]) => [`${i}/${path}`, content] as const));
    await check(zipOf('example.com/generated', 'v1.0.0', Object.fromEntries(files)));
  });
});

const evolving = 'example.com/evolving';
const newest = 'v1.2.0';
const versions = ['v1.0.0', 'v1.1.0', newest];

/** A version's files: real ones, and ones that git makes deltas of, in long chains, over large bases, and from version to version. */
function evolvingZip(version: string): Buffer {
  const texts: Record<string, string[]> = {};
  const link = linesOf('link', 200);
  for (let i = 0; i < 60; i++) {
    link[i * 3] = `changed in link ${i}`;
    texts[`chain/${i}/the-same-long-name.txt`] = [...link];
  }
  if (version === newest) {
    texts['large/one.txt'] = linesOf('large', 27_000);
    texts['large/two.txt'] = texts['large/one.txt'].with(15_000, 'changed in the middle');
  }
  for (const { module, files } of fixtures) {
    for (const [path, content] of files) {
      if (path !== 'go.mod') texts[`${module}/${path}`] = content.toString('latin1').split('\n');
    }
  }
  const changed = Object.entries(texts).map(([path, lines]) => {
    const text = lines.with(lines.length >> 1, version).join('\n');
    return [path, Buffer.from(text, 'latin1')] as const;
  });
  const data = noise('data', 200_000);
  data.write(version, 100_000);
  return zipOf(evolving, version, { ...Object.fromEntries(changed), 'a.bin': data, 'copies/a.bin': data, empty: '' });
}

/** What people and forges do to a repository, and the deltas that are in its pack then. */
const states: Readonly<Record<string, { commands: readonly (readonly string[])[]; delta: DeltaType }>> = {
  'with deltas up to fifty deep, and no bitmap': {
    commands: [['-c', 'repack.writeBitmaps=false', 'repack', '-adfq', '--depth=50', '--window=50']],
    delta: entryTypes.offsetDelta,
  },
  'after an aggressive gc': {
    commands: [['gc', '--quiet', '--aggressive', '--prune=now']],
    delta: entryTypes.offsetDelta,
  },
  'with deltas to ids, and a bitmap': {
    commands: [['-c', 'repack.useDeltaBaseOffset=false', 'repack', '-adfbq']],
    delta: entryTypes.idDelta,
  },
};

/** The entries of the one pack that a repository has. */
async function entriesIn(gitdir: string): Promise<PackEntry[]> {
  const folder = join(gitdir, 'objects/pack');
  const [pack = '', ...others] = (await readdir(folder)).filter(name => name.endsWith('.pack'));
  assert.deepEqual(others, []);
  return packEntries(join(folder, pack));
}

/** Asserts that there are deltas, all of this type, and a chain of so many. */
function checkDeltas(entries: readonly PackEntry[], delta: DeltaType, chain = 10): void {
  assert.deepEqual([...new Set(entries.flatMap(({ type }) => (type > 4 ? [type] : [])))], [delta]);
  const longest = Math.max(...entries.map(({ depth }) => depth));
  assert.ok(longest >= chain, `the longest chain is of ${longest}`);
}

const uploads = versions.map(evolvingZip);

const zipFacts = z.object({ h1: z.string(), files: z.array(z.object({ name: z.string(), sha256: z.string() })) });

/** What Go reads in a zip: its `h1:`, and the SHA-256 of each file by its name. */
interface ZipFacts {
  readonly h1: string;
  readonly files: ReadonlyMap<string, string>;
}

async function readByGo(zips: readonly Buffer[]): Promise<ZipFacts[]> {
  await using folder = await makeTemporaryFolder();
  const paths = zips.map((_, i) => join(folder.path, `${i}.zip`));
  await Promise.all(paths.map((path, i) => writeFile(path, zips[i] ?? '')));
  const answers = await askGo(
    'zip.read',
    paths.map(path => [path]),
  );
  return answers.map(({ ok, error }) => {
    assert.equal(error, undefined);
    const { h1, files } = zipFacts.parse(ok);
    return { h1, files: new Map(files.map(({ name, sha256 }) => [name, sha256])) };
  });
}

describe('a zip that is rebuilt is the one that isomorphic-git and archiver make', { ...slow, concurrency: 2 }, () => {
  for (const [kind, start] of Object.entries(stores)) {
    describe(`from the ${kind} forge`, { concurrency: 1 }, () => {
      let folder: TemporaryFolder;
      let store: Store;
      let gitdir: string;
      /** The repository as it was pushed. */
      let pristine: string;
      /** What Go reads in the uploads. */
      let expected: ZipFacts[];

      const readServed = async (app: TestApp): Promise<ZipFacts[]> => {
        const headers = { Authorization: store.authorization };
        const zips = versions.map(async version => {
          const response = await fetch(`${app.proxyUrl}/${evolving}/@v/${version}.zip`, { headers });
          const zip = Buffer.from(await response.arrayBuffer());
          assert.equal(response.status, 200, zip.toString());
          return zip;
        });
        return await readByGo(await Promise.all(zips));
      };

      /** Makes the repository anew from what was pushed. */
      const prepare = async (commands: readonly (readonly string[])[]) => {
        await rm(gitdir, { recursive: true });
        await cp(pristine, gitdir, { recursive: true });
        // On several threads, chains would be as long as it happens.
        for (const command of commands) await gitIn(gitdir)('-c', 'pack.threads=1', ...command);
      };

      before(async () => {
        folder = await makeTemporaryFolder();
        store = await start();
        gitdir = join(store.directory, repositoryOf(evolving));
        pristine = join(folder.path, 'pristine');
        const published: string[] = [];
        for (const zip of uploads) published.push(await publish(store, zip));
        await cp(gitdir, pristine, { recursive: true });

        const commit = await gitIn(gitdir)('rev-parse', newest);
        const reference = await zipCommit(gitdir, commit, `${evolving}@${newest}/`);
        const [referred, ...uploaded] = await readByGo([reference, ...uploads]);
        assert.deepEqual(referred, uploaded.at(-1));
        assert.deepEqual(
          uploaded.map(({ h1 }) => h1),
          published,
        );
        expected = uploaded;
      });
      after(async () => {
        await store[Symbol.asyncDispose]();
        await folder[Symbol.asyncDispose]();
      });

      it('as it was pushed', async () => {
        await prepare([]);
        await using another = await store.startAnother();
        assert.deepEqual(await readServed(another), expected);
      });

      /** The entries of the pack that git gets when it fetches one version. */
      const fetchedEntries = async (forgeUrl: string): Promise<PackEntry[]> => {
        await using clone = await makeTemporaryFolder();
        const git = gitIn(clone.path);
        await git('init', '--quiet', '--bare', '.');
        await git('config', 'http.extraHeader', `Authorization: ${store.authorization}`);
        await git('config', 'fetch.unpackLimit', '1');
        const url = `${forgeUrl}/${repositoryOf(evolving)}`;
        await git('fetch', '--quiet', '--depth=1', url, `refs/tags/${newest}`);
        return await entriesIn(clone.path);
      };

      for (const [state, { commands, delta }] of Object.entries(states)) {
        it(state, async () => {
          await prepare(commands);
          checkDeltas(await entriesIn(gitdir), delta);
          const way = store.ways?.[delta];
          if (way !== undefined) checkDeltas(await fetchedEntries(way), delta);
          await using another = await store.startAnother(way);
          assert.deepEqual(await readServed(another), expected);
        });
      }
    });
  }
});

/** A way to read a pack whose blobs are kept, as they are for a zip. */
type Reader = (pack: Buffer, options: ReadPackOptions & { readonly blobs: SliceStore }) => Promise<ReadPack>;

async function* inPieces(pack: Buffer, bytes: number): AsyncGenerator<Buffer, void> {
  for (let at = 0; at < pack.byteLength; at += bytes) yield pack.subarray(at, at + bytes);
}

const readInPiecesOf =
  (bytes: number): Reader =>
  (pack, options) =>
    readPack(inPieces(pack, bytes), options);

/** The last one is modforge's own. */
const largePieceReaders: readonly Reader[] = [
  readPack,
  readInPiecesOf(4096),
  async (pack, options) => (await readPackOnThread(inPieces(pack, 4096), options)).pack,
];
const allReaders: readonly Reader[] = [...largePieceReaders, readInPiecesOf(1), readInPiecesOf(7)];

/** Fails where it takes too long: what hangs would say nothing. */
async function inTime<T>(reading: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('it hangs')), 10_000);
  });
  try {
    return await Promise.race([reading, tooLong]);
  } finally {
    clearTimeout(timer);
  }
}

const { signal } = new AbortController();

/** Id, kind and size of each object, as `git cat-file --batch-check` prints them; each is what its id says. */
async function list(read: Reader, pack: Buffer, more: Pick<ReadPackOptions, 'base'> = {}): Promise<string[]> {
  await using blobs = new SliceStore(mebibyte);
  const objects = await inTime(read(pack, { maxBytes: 2 ** 30, blobs, signal, ...more }));
  const lines = Array.from(objects.values(), async object => {
    const { id, kind, size, blob } = object;
    const content = blob === undefined ? object.content() : await inflateBlob(blob);
    assert.equal(createHash('sha1').update(`${kind} ${size}\0`).update(content).digest('hex'), id);
    return `${id} ${kind} ${size}`;
  });
  return (await Promise.all(lines)).sort();
}

describe('a thin pack with bases by their ids is read as git reads it', { skip }, () => {
  let folder: TemporaryFolder;
  let gitdir: string;
  /** Of the objects from v1.0.0 to v1.2.0: as deltas wherever that is less, and whole. */
  let deltas: readonly PackEntry[];
  let wholes: readonly PackEntry[];
  let expected: readonly string[];
  /** What v1.0.0 holds. */
  const bases = new Map<string, { kind: 'blob' | 'tree'; content: Buffer }>();

  const git = (args: readonly string[], input: string | Uint8Array = '') => gitBytes(gitdir, args, input);

  const packed = (...options: readonly string[]): PackEntry[] => {
    const pack = git(['pack-objects', '-q', '--stdout', '--revs', ...options], 'v1.2.0\n^v1.0.0\n');
    const path = join(folder.path, `${options.join('')}.pack`);
    git(['index-pack', '--stdin', '--fix-thin', path], pack);
    // Git has put the bases behind the rest.
    return packEntries(path).filter(({ offset }) => offset < pack.byteLength - 20);
  };

  before(async () => {
    folder = await makeTemporaryFolder();
    gitdir = join(folder.path, 'source.git');
    /** Each version keeps the changes of those before it, so that git makes chains. */
    const changed = (name: string, count: number, version: number) =>
      linesOf(name, count)
        .map((line, i) => (i % 50 < version * 5 ? `${i}`.repeat(9) : line))
        .join('\n');
    const filesAt = (version: number) => ({
      ...Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`${i}/a`, changed(`small ${i}`, 200, version)])),
      large: changed('large', 5_000, version),
    });
    await makeBareRepository(gitdir, {
      commits: Object.fromEntries(versions.map((_, i) => [`c${i}`, { files: filesAt(i) }])),
      tags: Object.fromEntries(versions.map((version, i) => [version, annotated(`c${i}`)])),
    });
    await gitIn(gitdir)('repack', '-adfq');

    deltas = packed('--thin');
    wholes = packed('--depth=0', '--window=0');
    const ids = deltas.map(({ id }) => `${id}\n`).sort();
    assert.deepEqual(wholes.map(({ id }) => `${id}\n`).sort(), ids);
    expected = git(['cat-file', '--batch-check'], ids.join('')).toString().trim().split('\n');

    const inside = new Set(deltas.map(({ id }) => id));
    const missing = new Set(deltas.flatMap(({ base }) => (base === undefined || inside.has(base) ? [] : [base])));
    for (const id of missing) {
      const kind = git(['cat-file', '-t', id]).toString() === 'blob\n' ? 'blob' : 'tree';
      bases.set(id, { kind, content: git(['cat-file', kind, id]) });
    }
    checkDeltas(deltas, entryTypes.idDelta, 2);
    assert.ok(bases.size > 5);
  });
  after(() => folder[Symbol.asyncDispose]());

  const check = async (entries: readonly PackEntry[]) => {
    const pack = craftPack(entries.map(({ bytes }) => bytes));
    for (const read of [readPack, readInPiecesOf(4096)]) {
      assert.deepEqual(await list(read, pack, { base: async id => bases.get(id) }), expected);
    }
  };

  it('in the order that git writes', () => check(deltas));
  it('with each delta before its base', () => check(deltas.toReversed()));
  it('with every object twice, as a delta and whole', async () => {
    await check([...deltas, ...wholes]);
    await check([...wholes, ...deltas]);
  });
  it('in any order, with any of its objects again', async () => {
    const order = fc
      .subarray([...deltas, ...wholes])
      .chain(again => fc.shuffledSubarray([...deltas, ...again], { minLength: deltas.length + again.length }));
    await fc.assert(fc.asyncProperty(order, check), { numRuns: 6, endOnFailure: true });
  });
});

describe('a pack made by hand', { skip }, () => {
  const text = Buffer.from('the same again, '.repeat(6));
  const whole = craftEntry(entryTypes.blob, text);
  const idOf = (content: Buffer) => createHash('sha1').update(`blob ${content.byteLength}\0`).update(content).digest();
  const extended = Buffer.concat([text, Buffer.from('!')]);

  /** What git lists of a pack. */
  const listedByGit = async (pack: Buffer): Promise<string[]> => {
    await using folder = await makeTemporaryFolder();
    gitBytes(folder.path, ['init', '--quiet', '--bare', '.']);
    gitBytes(folder.path, ['index-pack', '--stdin'], pack);
    const lines = gitBytes(folder.path, ['cat-file', '--batch-check', '--batch-all-objects']);
    return lines.toString().trim().split('\n');
  };

  for (const distance of [127, 128, 16_511, 16_512, 2_113_663, 2_113_664]) {
    it(`is read where a base lies ${distance} bytes before its delta`, async () => {
      const filler = craftFiller(distance - whole.byteLength);
      const delta = craftEntry(entryTypes.offsetDelta, appendingDelta(text, '!'), { base: encodeDistance(distance) });
      const pack = craftPack([whole, filler, delta]);
      const expected = await listedByGit(pack);
      assert.ok(expected.includes(`${idOf(extended).toString('hex')} blob ${extended.byteLength}`));
      for (const read of largePieceReaders) assert.deepEqual(await list(read, pack), expected);
    });
  }

  it('is read where two objects are deltas of each other, and one of them is there whole too', async () => {
    const shortening = Buffer.from([extended.byteLength, text.byteLength, 0x90, text.byteLength]);
    const circle = [
      craftEntry(entryTypes.idDelta, appendingDelta(text, '!'), { base: idOf(text) }),
      craftEntry(entryTypes.idDelta, shortening, { base: idOf(extended) }),
    ];
    const expected = [text, extended]
      .map(content => `${idOf(content).toString('hex')} blob ${content.byteLength}`)
      .sort();
    for (const read of allReaders) {
      assert.deepEqual(await list(read, craftPack([...circle, whole])), expected);
      await assert.rejects(list(read, craftPack(circle)), CorruptPack);
    }
  });

  describe('that is damaged', () => {
    const packAround = (blob: Buffer): Buffer => {
      const between = craftEntry(entryTypes.blob, blob);
      return craftPack([
        craftEntry(entryTypes.idDelta, appendingDelta(extended, '?'), { base: idOf(extended) }),
        whole,
        between,
        craftEntry(entryTypes.offsetDelta, appendingDelta(text, '!'), {
          base: encodeDistance(whole.byteLength + between.byteLength),
        }),
      ]);
    };
    const small = packAround(noise('blob', 40));
    /** Its blob is larger than a piece of 4096 bytes; within, one byte is like the next. */
    const large = packAround(noise('blob', 4200));

    for (const { pack, step, readers } of [
      { pack: small, step: 1, readers: allReaders },
      { pack: large, step: 37, readers: largePieceReaders },
    ]) {
      const end = pack.byteLength - 20;
      /** With a bit changed. */
      const changedAt = (at: number): Buffer => {
        const changed = Buffer.from(pack);
        changed.writeUInt8(changed.readUInt8(at) ^ (1 << (at % 8)), at);
        return changed;
      };
      const refuse = async (damaged: Buffer, what: string) => {
        for (const read of readers) await assert.rejects(list(read, damaged), CorruptPack, what);
      };

      it(`is refused where any of ${pack.byteLength} bytes is changed, or it ends before that`, async () => {
        for (const read of readers) assert.equal((await list(read, pack)).length, 4);
        for (let at = 0; at < pack.byteLength; at += step) {
          await refuse(changedAt(at), `byte ${at}`);
          await refuse(pack.subarray(0, at), `cut at ${at}`);
        }
      });

      it(`gives no wrong object where any of ${end} bytes is changed, or it ends before that, with a checksum that fits`, async () => {
        for (let at = 0; at < end; at += step) {
          await refuse(seal(pack.subarray(0, at)), `cut at ${at}`);
          const changed = seal(changedAt(at).subarray(0, end));
          for (const read of readers) {
            await list(read, changed).then(
              lines => assert.equal(lines.length, 4, `byte ${at}`),
              error => assert.ok(error instanceof CorruptPack, `byte ${at}: ${error}`),
            );
          }
        }
      });
    }
  });
});
