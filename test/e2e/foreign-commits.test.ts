/** A forge hands out any commit of a repository by its id, those of pull requests and forks too; none of them is a version. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type AppUnderTest, startAppUnderTest } from '../support/app-under-test.ts';
import { fillIds, type MadeCommits, makeBareRepository } from '../support/make-bare-repository.ts';
import { gitIn } from '../support/plain-git.ts';
import { skipWithout } from '../support/skip-without.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';

const skip = process.env.TEST_FORGE === 'memory' ? 'nobody can push into memory' : skipWithout('git');

describe('a commit that no branch and no tag reaches', { skip }, () => {
  let folder: TemporaryFolder;
  let app: AppUnderTest;
  let commits: MadeCommits;

  before(async () => {
    folder = await makeTemporaryFolder();
    app = await startAppUnderTest({ MODFORGE_PATHS: 'git.acme.dev/{repo}=acme/{repo}' });
    const gitdir = join(folder.path, 'lib.git');
    commits = await makeBareRepository(gitdir, {
      commits: {
        released: { files: { 'go.mod': 'module git.acme.dev/lib\n' } },
        foreign: { files: { 'evil.go': 'package lib\n' } },
        merged: { parents: ['released'], files: { 'good.go': 'package lib\n' } },
      },
      branches: { main: 'merged' },
      tags: { 'v1.0.0': 'released' },
      otherRefs: { 'refs/pull/1/head': 'foreign' },
    });
    await app.repositories.add('lib', gitdir);
  });

  after(async () => {
    await app[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  const ask = async (file: string) => {
    const response = await fetch(`${app.proxyUrl}/git.acme.dev/lib/@v/${fillIds(file, commits)}`);
    return { status: response.status, text: await response.text() };
  };

  it('is handed out by the forge to whoever knows its id', async () => {
    await gitIn(folder.path)('init', '--quiet', '--bare', 'clone.git');
    const clone = gitIn(join(folder.path, 'clone.git'));
    const id = fillIds('<foreign>', commits);
    await clone('fetch', '--quiet', app.repositories.cloneUrl('lib'), id);
    assert.equal(await clone('cat-file', '-t', id), 'commit');
  });

  for (const file of [
    '<foreign>.info',
    '<foreign/12>.info',
    '<foreign/7>.info',
    'v1.0.1-0.<foreign/time>-<foreign/12>.info',
    'v1.0.1-0.<foreign/time>-<foreign/12>.mod',
    'v1.0.1-0.<foreign/time>-<foreign/12>.zip',
    'v0.0.0-<foreign/time>-<foreign/12>.zip',
  ]) {
    it(`is not found by ${file}`, async () => {
      const { status, text } = await ask(file);
      assert.equal(status, 404, text);
      assert.match(text, /unknown revision/);
    });
  }

  it('is unlike one on a branch, which has a version', async () => {
    const { status, text } = await ask('<merged/12>.info');
    assert.equal(status, 200, text);
    assert.match(text, new RegExp(`"v1\\.0\\.1-0\\.${fillIds('<merged/time>-<merged/12>', commits)}"`));
  });
});
