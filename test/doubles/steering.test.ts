import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSchema } from '../support/doubles/check-schema.ts';
import type { ForgeDouble } from '../support/doubles/forge-double.ts';
import { startGiteaDouble } from '../support/doubles/gitea.ts';
import { startGithubDouble } from '../support/doubles/github.ts';
import { basic, makeWorkingCopy } from '../support/doubles/working-copy.ts';
import { gitIn } from '../support/plain-git.ts';
import { ask } from './ask.ts';

const forges: readonly [string, () => Promise<ForgeDouble>, meta: string][] = [
  ['github', startGithubDouble, '/meta'],
  ['gitea', startGiteaDouble, '/version'],
];

for (const [name, start, meta] of forges) {
  const get = (double: ForgeDouble) => ask(double.apiUrl, `GET ${meta}`);

  test(`${name}: a fault meets the request of its number and kind, once`, async () => {
    await using double = await start();
    double.addFault({
      number: 2,
      kind: 'rest',
      when: 'before',
      mishap: { status: 502, body: '<html>bad gateway</html>' },
    });
    double.addFault({ number: 3, kind: 'rest', when: 'before', mishap: 'cut' });
    assert.equal((await get(double)).status, 200);
    await fetch(`${double.url}/a/b.git/info/refs?service=git-upload-pack`);
    assert.equal((await get(double)).status, 502);
    await assert.rejects(get(double), TypeError);
    assert.equal((await get(double)).status, 200);
    assert.deepEqual(double.countRequests(), { rest: 4, git: 1 });
    assert.deepEqual(
      double.log.map(({ status }) => status),
      [200, 401, 502, undefined, 200],
    );
    double.forgetRequests();
    assert.deepEqual(double.countRequests(), { rest: 0, git: 0 });
  });

  test(`${name}: a fault after the request loses the reply, and what was done stays done`, async () => {
    await using double = await start();
    await using copy = await makeWorkingCopy();
    double.addUser({ name: 'eve' });
    const token = double.addToken({ user: 'eve' });
    const authorization = `token ${token}`;
    double.addFault({ number: 1, kind: 'rest', when: 'after', mishap: 'cut' });
    await assert.rejects(ask(double.apiUrl, 'POST /user/repos', { authorization, body: { name: 'lib' } }), TypeError);
    assert.equal((await ask(double.apiUrl, 'GET /repos/eve/lib', { authorization })).status, 200);

    await copy.commit();
    // The second of a push is the one with the pack.
    double.addFault({ number: 2, kind: 'git', when: 'after', mishap: { status: 502 } });
    const { exitCode } = await copy.tryAs(basic(token), 'push', `${double.url}/eve/lib.git`, 'main');
    assert.notEqual(exitCode, 0);
    const gitdir = `${double.directory}/eve/lib.git`;
    assert.equal(await gitIn(gitdir)('rev-parse', 'main'), await copy.git('rev-parse', 'main'));
  });

  test(`${name}: a test may act between two requests, and keep one waiting for ever`, async () => {
    await using double = await start();
    const seen: string[] = [];
    double.addFault({ number: 1, when: 'before', mishap: () => void seen.push('before') });
    double.addFault({ number: 1, when: 'after', mishap: () => void seen.push('after') });
    assert.equal((await get(double)).status, 200);
    assert.deepEqual(seen, ['before', 'after']);
    double.addFault({ number: 1, when: 'before', mishap: 'hang' });
    const signal = AbortSignal.timeout(50);
    await assert.rejects(fetch(`${double.apiUrl}${meta}`, { signal }), { name: 'TimeoutError' });
  });

  test(`${name}: throttling turns away so many requests and says when to come back`, async () => {
    await using double = await start();
    double.throttle({ requests: 2, retryAfterSeconds: 7, kind: 'rest' });
    const answers = [await get(double), await get(double), await get(double)];
    const status = name === 'github' ? 403 : 429;
    assert.deepEqual(
      answers.map(answer => [answer.status, answer.headers.get('retry-after')]),
      [
        [status, '7'],
        [status, '7'],
        [200, null],
      ],
    );
  });

  test(`${name}: the log says in which form credentials came, and what was asked`, async () => {
    await using double = await start();
    double.addUser({ name: 'eve' });
    await double.addRepository({ owner: 'eve', name: 'lib' });
    const token = double.addToken({ user: 'eve' });
    await ask(double.apiUrl, 'GET /repos/eve/lib', { authorization: `Bearer ${token}` });
    await ask(double.url, 'GET /eve/lib.git/info/refs?service=git-upload-pack', { authorization: basic(token) });
    assert.deepEqual(
      double.log.map(({ kind, scheme, operation }) => [kind, scheme, operation]),
      [
        ['rest', 'bearer', 'GET /repos/{owner}/{repo}'],
        ['git', 'basic', 'git-upload-pack'],
      ],
    );
  });

  test(`${name}: a request that the forge's schema does not allow fails the test`, async () => {
    const double = await start();
    double.addUser({ name: 'eve' });
    const authorization = `token ${double.addToken({ user: 'eve' })}`;
    const wrong = () =>
      ask(double.apiUrl, 'POST /user/repos', { authorization, body: { name: 'lib', private: 'yes' } });
    await wrong();
    assert.match(double.takeViolations().join('\n'), /^POST \/user\/repos: request: \/private must be boolean/);
    await wrong();
    await assert.rejects(async () => double[Symbol.asyncDispose](), /schema disagree:\nPOST \/user\/repos: request/);
  });
}

test('a reply with a field, a type or a status that the forge does not have is drift', () => {
  const schema = readSchema({ file: 'gitea.json', errors: ['APIError'] });
  const check = (status: number, replyBody: unknown) =>
    schema.check({ operation: 'GET /version', query: new URLSearchParams(), requestBody: {}, status, replyBody });
  assert.deepEqual(check(200, { version: '1.22.0' }), []);
  assert.match(check(200, { version: '1.22.0', codename: 'x' }).join(), /additional properties/);
  assert.match(check(200, { version: 1 }).join(), /\/version must be string/);
  assert.match(check(204, undefined).join(), /not a status of this operation/);
  assert.match(check(500, ['oops']).join(), /must be object/);
});
