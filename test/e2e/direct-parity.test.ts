/**
 * What people pushed, asked of the real `go` twice: straight from git (GOPROXY=direct) and through modforge. Versions, times, sums,
 * origins and kinds of errors must be the same, but for what docs/differences.md explains.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type AppUnderTest, startAppUnderTest } from '../support/app-under-test.ts';
import { askQueries, isExact, type ListedModule, listModules, type QueryAnswer } from '../support/ask-modules.ts';
import {
  compareFacts,
  type Difference,
  type Facts,
  factsOfQuery,
  factsOfUpdate,
  factsOfVersions,
} from '../support/compare-answers.ts';
import { createGo, type Go } from '../support/go-command.ts';
import { fillIds, type MadeCommits, makeBareRepository } from '../support/make-bare-repository.ts';
import { skipWithout } from '../support/skip-without.ts';
import { sourceRepositories } from '../support/source-repositories.ts';
import { makeTemporaryFolder } from '../support/temporary-folder.ts';
import { startVanityServer, type VanityServer } from '../support/vanity-server.ts';

const skip = process.env.TEST_FORGE === 'memory' ? 'nobody can push into memory' : skipWithout('go', 'git');

/** By the host of module paths, what the names of their repositories begin with. */
const prefixes = new Map([
  ['git.acme.dev', 'src.'],
  ['gopkg.in', 'gopkg.'],
]);

const rules = [
  'git.acme.dev/{repo}=acme/src.{repo}',
  ...['v1', 'v2', 'v3-unstable'].map(major => `gopkg.in/{repo}.${major}=acme/gopkg.{repo}.${major}`),
].join(',');

/** The repository of the module path `git.acme.dev/lib`, `src.lib`. */
const repositoryOf = (rootPath: string): string =>
  rootPath.replace(/^([^/]+)\//, (_, host: string) => prefixes.get(host) ?? assert.fail(`no rule for ${rootPath}`));

/** Both ways to the same repositories. */
interface Ways extends AsyncDisposable {
  readonly direct: Go;
  readonly proxied: Go;
  readonly app: AppUnderTest;
  readonly commits: ReadonlyMap<string, MadeCommits>;
}

async function openWays(): Promise<Ways> {
  const app = await startAppUnderTest({ MODFORGE_PATHS: rules });
  const commits = await pushRepositories(app);
  const vanity = await startVanityServer(path => {
    const [rootPath] = /^[^/]+\/[^/]+/.exec(path) ?? [];
    return rootPath === undefined
      ? undefined
      : { path: rootPath, url: app.repositories.cloneUrl(repositoryOf(rootPath)) };
  });
  const direct = await createGo({ proxy: 'direct', env: directEnv(vanity) });
  const proxied = await createGo({ proxy: app.proxyUrl });
  return {
    direct,
    proxied,
    app,
    commits,
    async [Symbol.asyncDispose]() {
      for (const part of [proxied, direct, vanity, app]) await part[Symbol.asyncDispose]();
    },
  };
}

async function pushRepositories(app: AppUnderTest): Promise<ReadonlyMap<string, MadeCommits>> {
  await using folder = await makeTemporaryFolder();
  const commits = new Map<string, MadeCommits>();
  for (const [rootPath, shape] of sourceRepositories) {
    const name = repositoryOf(rootPath);
    const gitdir = join(folder.path, `${name}.git`);
    commits.set(rootPath, await makeBareRepository(gitdir, shape));
    await app.repositories.add(name, gitdir);
  }
  // The old name stays a way to it, where the forge has such.
  await app.repositories.add('src.former', join(folder.path, 'src.renamed.git'));
  await app.repositories.rename('src.former', 'src.since');
  return commits;
}

/** The hosts of module paths answer through the proxy and over plain HTTP alone; git goes to the forge by itself. */
const directEnv = (vanity: VanityServer) => ({
  GOINSECURE: [...prefixes.keys()].join(','),
  HTTP_PROXY: vanity.url,
  HTTPS_PROXY: vanity.url,
  NO_PROXY: '127.0.0.1,localhost',
});

/** What differs for a reason that stands in docs/differences.md under this heading. */
interface Explanation {
  readonly heading: string;
  readonly covers: (difference: Difference) => boolean;
  /** Whether it applies on the forge under test; it does unless given. */
  readonly applies?: boolean;
}

const hasSlash = (query: string): boolean => query.slice(query.indexOf('@')).includes('/');

const explanations: readonly Explanation[] = [
  {
    heading: 'Branches and tags with a slash',
    covers: ({ query }) => hasSlash(query),
  },
  {
    heading: 'A path that is no module',
    covers: ({ query, direct, modforge }) =>
      modforge.includes('/@v/list: 404 Not Found') &&
      (query.includes('@') ? direct.includes('no matching versions for query') : direct === ''),
  },
  {
    heading: 'v2 without a go.mod, after v1 has got one',
    covers: ({ query }) => query === 'git.acme.dev/incompatible-ended@v2',
  },
  {
    heading: 'Every version retracted',
    covers: ({ query }) => query === 'git.acme.dev/retracted-whole@latest',
  },
  {
    heading: 'Modules that need a newer go',
    covers: ({ query }) => query === 'git.acme.dev/odd-go-mod@v1.16.0',
  },
  {
    heading: 'Rare encodings',
    covers: ({ query }) => /^git\.acme\.dev\/encodings\/(japanese|unknown)@/.test(query),
  },
  {
    heading: 'A default branch that is not there',
    covers: ({ query }) => /^git\.acme\.dev\/unborn-head-tags@[0-9a-f]{40}$/.test(query),
  },
  {
    heading: 'Origin on the embedded forge',
    covers: ({ field, modforge }) => field === 'Origin.URL' && modforge === '',
    applies: (process.env.TEST_FORGE ?? 'local') === 'local',
  },
];

const applying = explanations.filter(({ applies = true }) => applies);

const seen = new Set<Explanation>();

function checkAllExplained(differences: readonly Difference[]): void {
  const unexplained = differences.filter(difference => {
    const explanation = applying.find(({ covers }) => covers(difference));
    if (explanation !== undefined) seen.add(explanation);
    return explanation === undefined;
  });
  if (unexplained.length > 0) assert.fail(`\n${tableOf(unexplained)}`);
}

const tableOf = (differences: readonly Difference[]): string =>
  differences
    .map(
      ({ query, field, direct, modforge }) => `${query} ${field}\n    direct:   ${direct}\n    modforge: ${modforge}`,
    )
    .join('\n');

/** Compares the answers to all that was asked on both ways. */
function compareAll<Answer>(
  [direct, proxied]: readonly [ReadonlyMap<string, Answer>, ReadonlyMap<string, Answer>],
  factsOf: (answer: Answer, query: string) => Facts,
): Difference[] {
  return [...direct].flatMap(([query, was]) => {
    const is = proxied.get(query);
    assert.ok(is !== undefined);
    return compareFacts(query, factsOf(was, query), factsOf(is, query));
  });
}

const compareQueries = (answers: readonly [ReadonlyMap<string, QueryAnswer>, ReadonlyMap<string, QueryAnswer>]) =>
  compareAll(answers, (answer, query) => factsOfQuery(query, answer));

let ways: Ways;
before(async () => {
  if (skip === false) ways = await openWays();
});
after(() => ways?.[Symbol.asyncDispose]());

const askBoth = <Answer>(ask: (go: Go) => Promise<Answer>) =>
  Promise.all([ask(ways.direct), ask(ways.proxied)] as const);

const queriesOf = (rootPath: string): string[] =>
  Object.entries(sourceRepositories.get(rootPath)?.modules ?? {}).flatMap(([below, queries]) =>
    queries.split(/\s+/).map(query => `${rootPath}${below}@${fillIds(query, ways.commits.get(rootPath) ?? new Map())}`),
  );

describe('what go says of repositories that people push to', { skip, concurrency: 2 }, () => {
  for (const rootPath of sourceRepositories.keys()) {
    it(`every query in ${rootPath} has the same answer`, async () => {
      const queries = queriesOf(rootPath);
      checkAllExplained(compareQueries(await askBoth(go => askQueries(go, queries))));
    });
  }

  it('a repository that is renamed, and one that is not there, have the same answers', async () => {
    const queries = [
      'former@v1.0.0',
      'former@latest',
      'former@main',
      'absent@v1.0.0',
      'absent@latest',
      'absent/v2@main',
    ];
    const asked = queries.map(query => `git.acme.dev/${query}`);
    checkAllExplained(compareQueries(await askBoth(go => askQueries(go, asked))));
  });

  it('go list -m -versions lists the same versions of every module', async () => {
    const modules = [...sourceRepositories].flatMap(([rootPath, repository]) =>
      Object.keys(repository.modules).map(below => `${rootPath}${below}`),
    );
    checkAllExplained(compareAll(await askBoth(go => listModules(go, ['-versions'], modules)), factsOfVersions));
  });

  it('go list -m -u -retracted says the same of updates, retractions and deprecation', async () => {
    const repositories = [
      'tags',
      'retracted',
      'retracted-whole',
      'incompatible',
      'major-branch',
      'pre-releases',
      'nested',
    ];
    const versions = repositories.flatMap(name => queriesOf(`git.acme.dev/${name}`)).filter(isExact);
    checkAllExplained(compareAll(await askBoth(go => listModules(go, ['-u', '-retracted'], versions)), factsOfUpdate));
  });
});

/** Paths below `@v/`, or `@latest`, that go does not ask a proxy for, and the query that they stand for. */
const requests: readonly (readonly [module: string, request: string, query: string])[] = [
  ['git.acme.dev/tags', '@v/feature%2Fslash.info', 'feature/slash'],
  ['git.acme.dev/tags', '@v/refs%2Fheads%2Fmain.info', 'refs/heads/main'],
  ['git.acme.dev/tags', '@v/refs%2Ftags%2Fv1.0.0.info', 'refs/tags/v1.0.0'],
  ['git.acme.dev/nested/sub', '@v/sub%2Fv0.1.0.info', 'sub/v0.1.0'],
  ['git.acme.dev/nested/sub', '@v/sub%2Frelease.info', 'sub/release'],
  ['git.acme.dev/nested', '@v/sub%2Fv0.1.0.info', 'sub/v0.1.0'],
  ['git.acme.dev/tags', '@v/v1.info', 'v1'],
  ['git.acme.dev/tags', '@v/v1.1.info', 'v1.1'],
  ['git.acme.dev/tags', '@v/v0.info', 'v0'],
  ['git.acme.dev/tags', '@v/v1.3.info', 'v1.3'],
  ['git.acme.dev/tags', '@v/v2.info', 'v2'],
  ['git.acme.dev/major-branch/v2', '@v/v2.info', 'v2'],
  ['git.acme.dev/odd-branches', '@v/v1.info', 'v1'],
  ['git.acme.dev/incompatible', '@v/v3.info', 'v3'],
  ['git.acme.dev/tags', '@v/latest.info', 'latest'],
  ['git.acme.dev/tags', '@latest', 'latest'],
  ['git.acme.dev/no-tags', '@latest', 'latest'],
  ['git.acme.dev/pre-releases', '@latest', 'latest'],
  ['git.acme.dev/incompatible', '@latest', 'latest'],
  ['git.acme.dev/incompatible-ended', '@latest', 'latest'],
  ['git.acme.dev/nested/sub/v2', '@latest', 'latest'],
  ['git.acme.dev/merges', '@latest', 'latest'],
  ['git.acme.dev/no-go-mod', '@latest', 'latest'],
  ['git.acme.dev/unborn-head', '@latest', 'latest'],
  ['git.acme.dev/empty', '@latest', 'latest'],
];

describe('requests that go does not make', { skip }, () => {
  let expected: ReadonlyMap<string, ListedModule>;
  before(async () => {
    expected = await listModules(
      ways.direct,
      [],
      [...new Set(requests.map(([module, , query]) => `${module}@${query}`))],
    );
  });

  for (const [module, request, query] of requests) {
    it(`${module}/${request} is what go takes ${query} for`, async () => {
      const listed = expected.get(`${module}@${query}`);
      const response = await fetch(`${ways.app.proxyUrl}/${module}/${request}`);
      const text = await response.text();
      if (listed?.Error !== undefined) {
        assert.equal(response.status, 404, text);
        return;
      }
      assert.equal(response.status, 200, text);
      const { Version, Time } = JSON.parse(text);
      assert.deepEqual([Version, Time], [listed?.Version, listed?.Time]);
    });
  }
});

describe('docs/differences.md', { skip }, () => {
  it('explains each difference under its heading, and each is one that go shows', async () => {
    const text = await readFile(join(import.meta.dirname, '../../docs/differences.md'), 'utf8');
    for (const { heading } of explanations) assert.ok(text.includes(`\n## ${heading}\n`), `no heading ${heading}`);
    assert.deepEqual(
      applying.filter(explanation => !seen.has(explanation)).map(({ heading }) => heading),
      [],
    );
  });
});
