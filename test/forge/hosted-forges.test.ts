/** The contract suite against GitHub and Gitea: their doubles always, the real ones where the environment names them. */
import { randomBytes } from 'node:crypto';
import type { Forge } from '../../src/forge/forge.ts';
import { createGiteaForge } from '../../src/forge/gitea/gitea-forge.ts';
import { createGithubForge } from '../../src/forge/github/github-forge.ts';
import type { HostedForgeOptions } from '../../src/forge/octokit/client.ts';
import type { ForgeDouble } from '../support/doubles/forge-double.ts';
import { startGiteaDouble } from '../support/doubles/gitea.ts';
import { startGithubDouble } from '../support/doubles/github.ts';
import { type ForgeUnderTest, forgeContract } from './forge-contract.ts';

const log = { warn() {} };

const options = (url: string, token: string, visibility: 'private' | 'public'): HostedForgeOptions => ({
  url,
  token,
  visibility,
  userAgent: 'modforge-test',
  timeoutMs: 30_000,
  log,
});

/** A double with the organisation acme in it, and an adapter to it with the token of its owner. */
function withAcme(double: ForgeDouble, scopes: readonly string[], makeForge: (token: string) => Forge): ForgeUnderTest {
  double.addUser({ name: 'ada', password: 'a password of hers' });
  double.addOrganisation({ name: 'acme', visibility: 'public', members: { ada: 'admin' } });
  const token = double.addToken({ user: 'ada', scopes });
  return {
    forge: makeForge(token),
    owner: 'acme',
    writer: { name: 'ada', password: token },
    isToken: true,
    [Symbol.asyncDispose]: () => double[Symbol.asyncDispose](),
  };
}

forgeContract('the Gitea double', async visibility => {
  const double = await startGiteaDouble({});
  return withAcme(double, ['all'], token => createGiteaForge(options(double.url, token, visibility)));
});

forgeContract('the GitHub double', async visibility => {
  const double = await startGithubDouble({ basePath: '/api/v3' });
  return withAcme(double, ['repo', 'workflow'], token => createGithubForge(options(double.url, token, visibility)));
});

const { TEST_GITEA_URL, TEST_GITEA_TOKEN, TEST_GITEA_OWNER = 'acme', TEST_GITHUB_TOKEN, TEST_GITHUB_ORG } = process.env;

/** Repositories stay behind on a real forge, so each run has names of its own. */
async function real(forge: Forge, owner: string, token: string) {
  const prefix = `t${randomBytes(4).toString('hex')}-`;
  const { name } = await forge.authenticate({ kind: 'token', token }, AbortSignal.timeout(30_000));
  const prefixed: Forge = {
    ...forge,
    remote: (repository, caller) => forge.remote({ ...repository, repo: prefix + repository.repo }, caller),
    createRepository: (repository, caller, signal) =>
      forge.createRepository({ ...repository, repo: prefix + repository.repo }, caller, signal),
  };
  return { forge: prefixed, owner, writer: { name, password: token }, isToken: true, async [Symbol.asyncDispose]() {} };
}

if (TEST_GITEA_URL && TEST_GITEA_TOKEN) {
  forgeContract('a real Gitea', visibility =>
    real(createGiteaForge(options(TEST_GITEA_URL, TEST_GITEA_TOKEN, visibility)), TEST_GITEA_OWNER, TEST_GITEA_TOKEN),
  );
}

if (TEST_GITHUB_TOKEN && TEST_GITHUB_ORG) {
  forgeContract('real GitHub', visibility =>
    real(
      createGithubForge(options('https://github.com', TEST_GITHUB_TOKEN, visibility)),
      TEST_GITHUB_ORG,
      TEST_GITHUB_TOKEN,
    ),
  );
}
