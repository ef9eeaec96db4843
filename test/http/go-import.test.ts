import assert from 'node:assert/strict';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { findGoImport, goImportPage } from '../../src/http/go-import.ts';
import { parsePathRule } from '../../src/registry/path-rule.ts';
import { publishModule } from '../support/publish.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';

const rules = [
  'go.acme.dev/{repo}=acme/{repo}',
  'acme.dev/tools/go-{repo}=acme/{repo}-tool',
  'acme.dev/cli=Beta/go-cli',
  'root.acme.dev=Beta/root',
].map(parsePathRule);

const find = (host: string, path: string): string | undefined => {
  const found = findGoImport(host, path, rules);
  return found && `${found.prefix} of ${found.owner}`;
};

describe('findGoImport', () => {
  for (const [host, path, expected] of [
    ['go.acme.dev', '/lib', 'go.acme.dev/lib of acme'],
    ['go.acme.dev', '/lib/', 'go.acme.dev/lib of acme'],
    ['go.acme.dev', '/lib/v2', 'go.acme.dev/lib of acme'],
    ['go.acme.dev', '/lib/sub/dir/v3', 'go.acme.dev/lib of acme'],
    ['go.acme.dev', '/lib/v2/sub', 'go.acme.dev/lib of acme'],
    ['go.acme.dev', '/yaml.v3', 'go.acme.dev/yaml.v3 of acme'],
    ['go.acme.dev', '/api', 'go.acme.dev/api of acme'],
    ['GO.Acme.DEV', '/Lib', 'go.acme.dev/Lib of acme'],
    ['acme.dev', '/tools/go-x/y', 'acme.dev/tools/go-x of acme'],
    ['acme.dev', '/cli', 'acme.dev/cli of Beta'],
    ['acme.dev', '/cli/cmd', 'acme.dev/cli of Beta'],
    ['root.acme.dev', '/', 'root.acme.dev of Beta'],
    ['root.acme.dev', '/v2', 'root.acme.dev of Beta'],
    ['root.acme.dev', '/x/y', 'root.acme.dev of Beta'],
  ] as const) {
    it(`has ${expected} at ${host}${path}`, () => assert.equal(find(host, path), expected));
  }

  for (const [reason, host, path] of [
    ['another host', 'go.acme.example', '/lib'],
    ['a host that ends like ours', 'x.go.acme.dev', '/lib'],
    ['no host', '', '/lib'],
    ['an address', '[::1]', '/lib'],
    ['nothing for {repo}', 'go.acme.dev', '/'],
    ['a major version for {repo}', 'go.acme.dev', '/v2'],
    ['a name for {repo} that no forge takes', 'go.acme.dev', '/lib.git'],
    ['half of the elements', 'acme.dev', '/tools'],
    ['an element that goes on', 'acme.dev', '/client'],
    ['a path that differs in case', 'acme.dev', '/CLI'],
    ['no module path', 'go.acme.dev', '/lib/v1'],
    ['an empty element', 'go.acme.dev', '/lib//sub'],
    ['two slashes at the end', 'go.acme.dev', '/lib//'],
    ['the folder above', 'go.acme.dev', '/lib/../other'],
    ['an escaped slash', 'go.acme.dev', '/lib%2Fsub'],
    ['an escaped letter', 'go.acme.dev', '/%6Cib'],
    ['markup', 'go.acme.dev', '/lib/"><script>'],
    ['a character that no module path has', 'go.acme.dev', '/lib/c++'],
  ] as const) {
    it(`has nothing for ${reason}: ${host}${path}`, () => assert.equal(find(host, path), undefined));
  }

  it('gives all paths below one root the same answer, as go requires', () => {
    const element = fc.oneof(
      fc.constantFrom('lib', 'go-x', 'tools', 'cli', 'v1', 'v2', 'api', '..', 'yaml.v3', ''),
      fc.string({ maxLength: 6 }),
    );
    const host = fc.constantFrom('go.acme.dev', 'acme.dev', 'root.acme.dev');
    const path = fc.array(element, { maxLength: 4 }).map(elements => `/${elements.join('/')}`);
    let answered = 0;
    fc.assert(
      fc.property(host, path, (host, path) => {
        const found = findGoImport(host, path, rules);
        if (found === undefined) return;
        answered++;
        assert.ok(`${host}${path}/`.startsWith(`${found.prefix}/`));
        assert.deepEqual(findGoImport(host, found.prefix.slice(host.length), rules), found);
      }),
      { seed: 20260301, numRuns: 3000 },
    );
    assert.ok(answered > 300, `only ${answered} paths were answered`);
  });
});

describe('goImportPage', () => {
  it('escapes what could end an attribute or begin an element', () => {
    const page = goImportPage('a.b/"\'&', 'https://x/<b>');
    assert.match(page, /content="a\.b\/&#34;&#39;&#38; mod https:\/\/x\/&#60;b&#62;">/);
    assert.doesNotMatch(page, /<b>|"'/);
  });
});

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** Asks as if `host` were a name of ours; fetch does not let its caller choose it. */
async function ask(
  app: TestApp,
  path: string,
  { method = 'GET', host = 'go.acme.dev', ...headers }: Record<string, string> = {},
): Promise<Answer> {
  const { hostname, port } = new URL(app.url);
  return new Promise((resolve, reject) => {
    const asking = request({ hostname, port, path, method, headers: { Host: host, ...headers } });
    asking.on('error', reject);
    asking.on('response', response => {
      const { statusCode: status = 0, headers } = response;
      text(response).then(body => resolve({ status, headers, body }), reject);
    });
    asking.end();
  });
}

const metas = ({ body }: Answer): (string | undefined)[] =>
  [...body.matchAll(/<meta name="go-import" content="([^"]*)">/g)].map(match => match[1]);

describe('?go-get=1', () => {
  const start = (env: Record<string, string> = {}) =>
    startTestApp({ MODFORGE_PATHS: 'go.acme.dev/{repo}=acme/{repo}', ...env });
  const meta = (base: string) => [`go.acme.dev/lib mod ${base}/api/packages/acme/go`];

  it('answers with one meta, as a page that caches may keep for a while', async () => {
    await using app = await start();
    const answer = await ask(app, '/lib/sub/v2?go-get=1');
    assert.equal(answer.status, 200);
    assert.deepEqual(metas(answer), meta('http://go.acme.dev'));
    assert.equal(answer.headers['content-type'], 'text/html; charset=utf-8');
    assert.equal(answer.headers['cache-control'], 'public, max-age=300');
    assert.equal(answer.headers.vary, 'Authorization');
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
    const head = await ask(app, '/lib/sub/v2?go-get=1', { method: 'HEAD' });
    assert.deepEqual([head.status, head.body], [200, '']);
    for (const name of ['content-type', 'content-length', 'cache-control']) {
      assert.equal(head.headers[name], answer.headers[name], name);
    }
  });

  it('says the same of what exists and what does not, to everyone', async () => {
    await using app = await start({ MODFORGE_ANONYMOUS_READ: 'none' });
    const before = await ask(app, '/lib?go-get=1');
    assert.equal(before.status, 200);
    await publishModule(app, 'go.acme.dev/lib', 'v1.0.0');
    for (const headers of [{}, { Authorization: 'Basic nonsense' }]) {
      assert.equal((await ask(app, '/lib?go-get=1', headers)).body, before.body);
    }
  });

  it('names the host and port that the client used, or MODFORGE_PUBLIC_URL', async () => {
    await using app = await start();
    assert.deepEqual(
      metas(await ask(app, '/lib?go-get=1', { host: 'Go.Acme.dev:8443' })),
      meta('http://Go.Acme.dev:8443'),
    );
    await using other = await start({ MODFORGE_PUBLIC_URL: 'https://acme.dev/a&b/' });
    assert.deepEqual(metas(await ask(other, '/lib?go-get=1')), meta('https://acme.dev/a&#38;b'));
  });

  it('believes forwarded headers from a trusted proxy only', async () => {
    const forwarded = { host: 'inner', 'X-Forwarded-Host': 'go.acme.dev', 'X-Forwarded-Proto': 'https' };
    await using app = await start();
    assert.equal((await ask(app, '/lib?go-get=1', forwarded)).status, 404);
    const untrusted = await ask(app, '/lib?go-get=1', {
      ...forwarded,
      host: 'go.acme.dev',
      'X-Forwarded-Host': 'evil.dev',
    });
    assert.deepEqual(metas(untrusted), meta('http://go.acme.dev'));
    await using behind = await start({ MODFORGE_TRUST_PROXY: 'loopback' });
    assert.deepEqual(metas(await ask(behind, '/lib?go-get=1', forwarded)), meta('https://go.acme.dev'));
  });

  it('understands a target in absolute form, as go sends it to a proxy', async () => {
    await using app = await start();
    assert.deepEqual(metas(await ask(app, 'http://go.acme.dev/lib?go-get=1')), meta('http://go.acme.dev'));
  });

  it('leaves routes what they are', async () => {
    await using app = await start();
    assert.equal((await ask(app, '/healthz?go-get=1')).body, 'ok\n');
    assert.equal((await ask(app, '/readyz?go-get=1')).body, 'ready\n');
    await publishModule(app, 'example.com/lib', 'v1.0.0');
    assert.equal((await ask(app, '/api/packages/acme/go/example.com/lib/@v/list?go-get=1')).body, 'v1.0.0\n');
    assert.equal((await ask(app, '/api/packages?go-get=1')).status, 404);
    assert.equal((await ask(app, '/api/v1/packages/x?go-get=1')).status, 404);
  });

  for (const [what, path, headers] of [
    ['a path without the question', '/lib', {}],
    ['another question', '/lib?go-get=0', {}],
    ['a path that no rule matches', '/?go-get=1', {}],
    ['a host that no rule names', '/lib?go-get=1', { host: 'evil.dev' }],
    ['another method', '/lib?go-get=1', { method: 'POST' }],
    ['a path that is no module path', '/<script>/lib?go-get=1', {}],
    ['an escape that is none', '/%zz?go-get=1', {}],
  ] as const) {
    it(`answers ${what} as any unknown path`, async () => {
      await using app = await start();
      const { status, headers: reply, body } = await ask(app, path, headers);
      assert.equal(status, 404);
      assert.equal(reply['content-type'], 'text/plain; charset=utf-8');
      assert.equal(body, 'nothing here; a GOPROXY is /api/packages/{owner}/go\n');
    });
  }
});
