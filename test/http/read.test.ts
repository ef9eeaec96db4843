import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { moduleZip } from '../support/module-zip.ts';
import { publisher, startTestApp, type TestApp } from '../support/test-app.ts';

const auth = { Authorization: publisher.basic };

async function publish(app: TestApp, module: string, version: string, files: Record<string, string> = {}) {
  const body = await moduleZip(module, version, files);
  const response = await fetch(`${app.proxyUrl}/upload`, { method: 'PUT', body, headers: auth });
  assert.equal(response.status, 201, await response.text());
}

const remove = (app: TestApp, module: string, version: string, headers: Record<string, string> = auth) =>
  fetch(`${app.url}/api/v1/packages/acme/go/${encodeURIComponent(module)}/${version}`, { method: 'DELETE', headers });

describe('reading', () => {
  let app: TestApp;
  before(async () => {
    app = await startTestApp();
    for (const version of ['v1.0.0', 'v1.10.0', 'v1.9.0', 'v1.11.0-rc.1', 'v0.0.0-20200101000000-abcdefabcdef']) {
      await publish(app, 'example.com/lib', version, { 'lib.go': `package lib // ${version}\n` });
    }
  });
  after(() => app[Symbol.asyncDispose]());
  const get = async (path: string, headers: Record<string, string> = {}, method = 'GET') => {
    const response = await fetch(`${app.proxyUrl}/${path}`, { headers, method });
    return { status: response.status, headers: response.headers, body: Buffer.from(await response.arrayBuffer()) };
  };

  it('lists versions by semver, and no pseudo-versions', async () => {
    const list = await get('example.com/lib/@v/list');
    assert.equal(list.body.toString(), 'v1.0.0\nv1.9.0\nv1.10.0\nv1.11.0-rc.1\n');
    assert.equal(list.headers.get('content-type'), 'text/plain; charset=utf-8');
  });

  it('lists nothing where only pseudo-versions exist, and @latest is the highest of them', async () => {
    await publish(app, 'example.com/pseudo', 'v0.0.0-20200101000000-abcdefabcdef');
    await publish(app, 'example.com/pseudo', 'v0.0.0-20210101000000-abcdefabcdef');
    const list = await get('example.com/pseudo/@v/list');
    assert.deepEqual([list.status, list.body.toString()], [200, '']);
    const latest = JSON.parse((await get('example.com/pseudo/@latest')).body.toString());
    assert.equal(latest.Version, 'v0.0.0-20210101000000-abcdefabcdef');
    assert.equal(latest.Time, '2021-01-01T00:00:00Z');
    assert.equal('Ref' in latest.Origin, false);
  });

  it('says where a version comes from', async () => {
    const info = JSON.parse((await get('example.com/lib/@v/v1.9.0.info')).body.toString());
    assert.deepEqual(Object.keys(info), ['Version', 'Time', 'Origin']);
    assert.equal(info.Version, 'v1.9.0');
    assert.match(info.Time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.deepEqual({ ...info.Origin, Hash: '' }, { VCS: 'git', Hash: '', Ref: 'refs/tags/v1.9.0' });
    assert.match(info.Origin.Hash, /^[0-9a-f]{40}$/);
  });

  for (const [path, version] of [
    ['example.com/lib/@latest', 'v1.10.0'],
    ['example.com/lib/@v/latest.info', 'v1.10.0'],
  ] as const) {
    it(`answers ${path} with the highest release`, async () => {
      assert.equal(JSON.parse((await get(path)).body.toString()).Version, version);
    });
  }

  it('serves latest.mod and latest.zip as the files of that version', async () => {
    for (const kind of ['mod', 'zip']) {
      const latest = await get(`example.com/lib/@v/latest.${kind}`);
      assert.deepEqual(latest.body, (await get(`example.com/lib/@v/v1.10.0.${kind}`)).body);
      assert.equal(latest.headers.get('cache-control'), 'public, max-age=10');
    }
  });

  it('sends types, lifetimes and validators', async () => {
    const fixed = 'public, max-age=31536000, immutable';
    for (const [path, type, lifetime] of [
      ['@v/list', 'text/plain; charset=utf-8', 'public, max-age=10'],
      ['@latest', 'application/json', 'public, max-age=10'],
      ['@v/v1.0.0.info', 'application/json', fixed],
      ['@v/v1.0.0.mod', 'text/plain; charset=utf-8', fixed],
      ['@v/v1.0.0.zip', 'application/zip', fixed],
    ]) {
      const { status, headers } = await get(`example.com/lib/${path}`);
      assert.equal(status, 200);
      assert.equal(headers.get('content-type'), type);
      assert.equal(headers.get('cache-control'), lifetime);
      assert.equal(headers.get('vary'), 'Authorization');
      assert.match(headers.get('etag') ?? '', /^"[\w-]{43}"$/);
      assert.ok(Date.parse(headers.get('last-modified') ?? '') <= Date.now() + 5000);
      for (const absent of ['x-powered-by', 'set-cookie']) assert.equal(headers.get(absent), null);
    }
  });

  it('answers HEAD with the headers of GET and no body', async () => {
    for (const path of ['example.com/lib/@v/list', 'example.com/lib/@v/v1.0.0.zip', 'example.com/none/@v/list']) {
      const [head, whole] = [await get(path, {}, 'HEAD'), await get(path)];
      assert.equal(head.status, whole.status);
      assert.equal(head.body.byteLength, 0);
      for (const name of ['content-length', 'content-type', 'etag', 'cache-control']) {
        assert.equal(head.headers.get(name), whole.headers.get(name), `${name} of ${path}`);
      }
    }
  });

  it('answers 304 to who has it already', async () => {
    for (const path of ['@v/list', '@latest', '@v/v1.0.0.info', '@v/v1.0.0.mod', '@v/v1.0.0.zip']) {
      const { headers } = await get(`example.com/lib/${path}`);
      const [etag, modified] = [headers.get('etag') ?? '', headers.get('last-modified') ?? ''];
      for (const [conditions, status] of [
        [{ 'If-None-Match': etag }, 304],
        [{ 'If-None-Match': `"x", W/${etag}` }, 304],
        [{ 'If-None-Match': '*' }, 304],
        [{ 'If-None-Match': '"x"' }, 200],
        // Its date is the commit's, which may get a higher version's tag.
        [{ 'If-Modified-Since': modified }, path === '@latest' ? 200 : 304],
        [{ 'If-None-Match': '"x"', 'If-Modified-Since': modified }, 200],
        [{ 'If-Modified-Since': 'Thu, 01 Jan 1970 00:00:00 GMT' }, 200],
        [{ 'If-Modified-Since': 'yesterday' }, 200],
      ] as [Record<string, string>, number][]) {
        const answer = await get(`example.com/lib/${path}`, conditions);
        assert.equal(answer.status, status, `${path} ${JSON.stringify(conditions)}`);
        if (status === 304) {
          assert.equal(answer.body.byteLength, 0);
          for (const name of ['etag', 'cache-control', 'vary'])
            assert.equal(answer.headers.get(name), headers.get(name));
        }
      }
    }
  });

  it('gives the list another date when it changes, and takes no other for it', async () => {
    await publish(app, 'example.com/dated', 'v1.0.0');
    const before = await get('example.com/dated/@v/list');
    const since = { 'If-Modified-Since': before.headers.get('last-modified') ?? '' };
    assert.equal((await get('example.com/dated/@v/list', since)).status, 304);
    await publish(app, 'example.com/dated', 'v1.1.0');
    assert.equal((await get('example.com/dated/@v/list', since)).status, 200);
  });

  it('sends ranges', async () => {
    const path = 'example.com/lib/@v/v1.0.0.zip';
    const whole = await get(path);
    const size = whole.body.byteLength;
    const etag = whole.headers.get('etag') ?? '';
    for (const [headers, status, start, end] of [
      [{ Range: 'bytes=0-9' }, 206, 0, 10],
      [{ Range: 'bytes=10-' }, 206, 10, size],
      [{ Range: 'bytes=-5' }, 206, size - 5, size],
      [{ Range: `bytes=5-${size + 100}` }, 206, 5, size],
      [{ Range: 'bytes=0-9', 'If-Range': etag }, 206, 0, 10],
      [{ Range: 'bytes=0-9', 'If-Range': whole.headers.get('last-modified') ?? '' }, 206, 0, 10],
      [{ Range: 'bytes=0-9', 'If-Range': '"other"' }, 200, 0, size],
      [{ Range: 'bytes=0-1,4-5' }, 200, 0, size],
      [{ Range: 'lines=0-1' }, 200, 0, size],
      [{ Range: 'bytes=x' }, 200, 0, size],
    ] as [Record<string, string>, number, number, number][]) {
      const part = await get(path, headers);
      assert.equal(part.status, status, JSON.stringify(headers));
      assert.deepEqual(part.body, whole.body.subarray(start, end));
      if (status === 206) assert.equal(part.headers.get('content-range'), `bytes ${start}-${end - 1}/${size}`);
    }
    const beyond = await get(path, { Range: `bytes=${size}-` });
    assert.equal(beyond.status, 416);
    assert.equal(beyond.headers.get('content-range'), `bytes */${size}`);
    assert.equal(beyond.headers.get('cache-control'), 'no-store');
  });

  it('sends no range of what has the date that is asked for, where another version may have had it too', async () => {
    const path = 'example.com/lib/@v/latest.zip';
    const { headers, body } = await get(path);
    const [etag = '', date = ''] = [headers.get('etag') ?? '', headers.get('last-modified') ?? ''];
    assert.equal((await get(path, { Range: 'bytes=0-9', 'If-Range': etag })).status, 206);
    const whole = await get(path, { Range: 'bytes=0-9', 'If-Range': date });
    assert.deepEqual([whole.status, whole.body], [200, body]);
  });

  for (const [path, status] of [
    ['example.com/lib/@v/v1.2.3.info', 404],
    ['example.com/lib/@v/v1.info', 404],
    ['example.com/lib/@v/main.info', 404],
    ['example.com/lib/@v/v1.0.zip', 404],
    ['example.com/lib/@v/v1.0.0.txt', 404],
    ['example.com/lib/v2/@v/list', 404],
    ['example.com/lib/sub/@v/list', 404],
    ['example.com/none/@latest', 404],
    ['sumdb/sum.example.com/supported', 404],
    ['sumdb/sum.example.com/lookup/x@v1', 404],
    ['index', 404],
    ['example.com/Lib/@v/list', 400],
    ['example.com/lib/@v/V1.info', 400],
    [`example.com/${'x'.repeat(5000)}/@v/list`, 414],
  ] as const) {
    it(`answers ${status} to ${path.slice(0, 60)}`, async () => {
      const answer = await get(path);
      assert.equal(answer.status, status);
      assert.equal(answer.headers.get('content-type'), 'text/plain; charset=utf-8');
      assert.equal(answer.headers.get('vary'), 'Authorization');
      assert.equal(answer.headers.get('cache-control'), status === 404 ? 'public, max-age=5' : 'no-store');
      assert.match(answer.body.toString(), /^.+\n$/);
    });
  }

  it('says which methods there are', async () => {
    for (const [method, path, allowed] of [
      ['POST', 'upload', 'PUT'],
      ['GET', 'upload', 'PUT'],
      ['DELETE', 'example.com/lib/@v/list', 'GET, HEAD'],
      ['PUT', 'example.com/lib/@v/list', 'GET, HEAD'],
      ['POST', 'example.com/lib/@v/v1.0.0.zip', 'GET, HEAD, PUT'],
    ] as const) {
      const answer = await get(path, auth, method);
      assert.equal(answer.status, 405, `${method} ${path}`);
      assert.equal(answer.headers.get('allow'), allowed);
    }
  });

  it('takes a request target in absolute form', async () => {
    const { host, port, pathname } = new URL(`${app.proxyUrl}/example.com/lib/@v/list`);
    const reply = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connect(Number(port), '127.0.0.1', () => {
        socket.end(`GET http://${host}${pathname} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      });
      socket.on('data', data => {
        text += data;
      });
      socket.on('end', () => resolve(text));
      socket.on('error', reject);
    });
    assert.match(reply, /^HTTP\/1\.1 200 OK[\s\S]*v1\.0\.0\n/);
  });

  it('refuses wrong credentials on public reads too', async () => {
    for (const path of ['example.com/lib/@v/list', 'example.com/none/@v/list', 'sumdb/x/supported']) {
      for (const authorization of ['Bearer wrong', 'nonsense', `Basic ${btoa('ann:wrong')}`]) {
        const answer = await get(path, { Authorization: authorization });
        assert.equal(answer.status, 401);
        assert.equal(answer.headers.get('cache-control'), 'no-store');
        assert.match(answer.headers.get('www-authenticate') ?? '', /^Basic realm=/);
      }
    }
  });

  it('is alive and ready', async () => {
    for (const path of ['healthz', 'readyz']) assert.equal((await fetch(`${app.url}/${path}`)).status, 200);
    assert.equal((await fetch(`${app.url}/healthz`, { method: 'POST' })).status, 405);
    assert.equal((await fetch(`${app.url}/other`)).status, 404);
  });
});

describe('deleting', () => {
  let app: TestApp;
  before(async () => {
    app = await startTestApp();
  });
  after(() => app[Symbol.asyncDispose]());
  const statusOf = async (path: string) => (await fetch(`${app.proxyUrl}/${path}`)).status;

  it('takes the version away from every route at once', async () => {
    await publish(app, 'example.com/Gone', 'v1.0.0');
    for (const kind of ['info', 'mod', 'zip']) assert.equal(await statusOf(`example.com/!gone/@v/v1.0.0.${kind}`), 200);
    const deleted = await remove(app, 'example.com/Gone', 'v1.0.0');
    assert.deepEqual([deleted.status, await deleted.text()], [204, '']);
    for (const path of ['list', 'v1.0.0.info', 'v1.0.0.mod', 'v1.0.0.zip', 'latest.zip']) {
      assert.equal(await statusOf(`example.com/!gone/@v/${path}`), 404);
    }
    assert.equal(await statusOf('example.com/!gone/@latest'), 404);
    assert.equal((await remove(app, 'example.com/Gone', 'v1.0.0')).status, 404);
  });

  it('lets anything be published again, unless told otherwise', async () => {
    await publish(app, 'example.com/any', 'v1.0.0');
    await remove(app, 'example.com/any', 'v1.0.0');
    await publish(app, 'example.com/any', 'v1.0.0', { 'other.go': 'package other\n' });
    await remove(app, 'example.com/any', 'v1.0.0');
    await publish(app, 'example.com/any', 'v1.0.0');
  });

  it('lets only the same be published again where the operator says so', async () => {
    await using app = await startTestApp({ MODFORGE_REPUBLISH: 'same' });
    await publish(app, 'example.com/same', 'v1.0.0');
    await remove(app, 'example.com/same', 'v1.0.0');
    const body = await moduleZip('example.com/same', 'v1.0.0', { 'other.go': 'package other\n' });
    const other = await fetch(`${app.proxyUrl}/upload`, { method: 'PUT', body, headers: auth });
    assert.equal(other.status, 409);
    assert.match(await other.text(), /may only be published as it was: h1:\S+, not h1:\S+/);
    await publish(app, 'example.com/same', 'v1.0.0');
  });

  for (const [name, headers, module, status] of [
    ['no credentials', {}, 'example.com/x', 401],
    ['wrong credentials', { Authorization: 'Bearer wrong' }, 'example.com/x', 401],
    ['an unknown module', auth, 'example.com/unknown', 404],
    ['what is no module', auth, 'Example.com/!', 400],
  ] as const) {
    it(`answers ${status} to ${name}`, async () => {
      assert.equal((await remove(app, module, 'v1.0.0', headers)).status, status);
    });
  }

  it('has no other methods yet', async () => {
    const url = `${app.url}/api/v1/packages/acme/go/example.com%2Fx/v1.0.0`;
    assert.equal((await fetch(url)).status, 404);
    assert.equal((await fetch(`${app.url}/api/v1/packages/acme`)).status, 404);
  });
});

describe('who gets 401 and who 404', () => {
  const paths = [
    'example.com/there',
    'example.com/absent',
    'go.acme.dev/there',
    'go.acme.dev/absent',
    'secret.dev/absent',
  ];
  const anonymous = {};
  const wrong = { Authorization: 'token wrong' };
  const tables: [env: Record<string, string>, headers: Record<string, string>, statuses: number[]][] = [
    [{ MODFORGE_ANONYMOUS_READ: 'all' }, anonymous, [200, 404, 200, 401, 401]],
    [{ MODFORGE_ANONYMOUS_READ: 'all' }, auth, [200, 404, 200, 404, 404]],
    [{ MODFORGE_ANONYMOUS_READ: 'public' }, anonymous, [404, 404, 401, 401, 401]],
    [{ MODFORGE_ANONYMOUS_READ: 'public' }, auth, [200, 404, 200, 404, 404]],
    [{ MODFORGE_ANONYMOUS_READ: 'public', MODFORGE_VISIBILITY: 'public' }, anonymous, [200, 404, 200, 401, 401]],
    [{ MODFORGE_ANONYMOUS_READ: 'none' }, anonymous, [401, 401, 401, 401, 401]],
    [{ MODFORGE_ANONYMOUS_READ: 'none' }, auth, [200, 404, 200, 404, 404]],
    [{ MODFORGE_ANONYMOUS_READ: 'all' }, wrong, [401, 401, 401, 401, 401]],
  ];
  for (const [env, headers, statuses] of tables) {
    const who = headers === anonymous ? 'anonymous' : headers === auth ? 'valid' : 'wrong';
    it(`${who} credentials, ${Object.values(env).join(', ')}`, async () => {
      const more = { MODFORGE_PATHS: 'go.acme.dev/{repo}=acme/{repo}', MODFORGE_PRIVATE: 'secret.dev' };
      await using app = await startTestApp({ ...env, ...more });
      for (const module of ['example.com/there', 'go.acme.dev/there']) await publish(app, module, 'v1.0.0');
      const found: number[] = [];
      for (const path of paths) {
        const { status, headers: reply } = await fetch(`${app.proxyUrl}/${path}/@v/list`, { headers });
        found.push(status);
        const isPublic = status === 200 && (env.MODFORGE_ANONYMOUS_READ === 'all' || headers === anonymous);
        const isOpen = env.MODFORGE_ANONYMOUS_READ === 'all';
        if (status === 200) assert.equal(reply.get('cache-control'), `${isPublic ? 'public' : 'private'}, max-age=10`);
        if (status === 404) assert.equal(reply.get('cache-control'), `${isOpen ? 'public' : 'private'}, max-age=5`);
        if (status === 401) assert.match(reply.get('www-authenticate') ?? '', /^Basic/);
      }
      assert.deepEqual(found, statuses);
      if (env.MODFORGE_ANONYMOUS_READ === 'none' && headers === anonymous) {
        for (const path of ['sumdb/x/supported', 'index', 'Bad/@v/list']) {
          assert.equal((await fetch(`${app.proxyUrl}/${path}`)).status, 401);
        }
      }
    });
  }
});
