import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { moduleZip } from '../support/module-zip.ts';
import { publisher, startTestApp, type TestApp } from '../support/test-app.ts';

const auth = { Authorization: publisher.basic };

async function put(url: string, body: Buffer | FormData | ReadableStream, headers: Record<string, string> = auth) {
  const response = await fetch(url, {
    method: 'PUT',
    body,
    headers,
    ...(body instanceof ReadableStream && { duplex: 'half' }),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

describe('publishing', () => {
  let app: TestApp;
  before(async () => {
    app = await startTestApp();
  });
  after(() => app[Symbol.asyncDispose]());
  const upload = (zip: Buffer | FormData | ReadableStream, headers?: Record<string, string>) =>
    put(`${app.proxyUrl}/upload`, zip, headers);
  const get = async (path: string) => {
    const response = await fetch(`${app.proxyUrl}/${path}`);
    return { status: response.status, headers: response.headers, text: await response.text() };
  };

  it('answers 201 with the place of the version, its hash and the command that installs it', async () => {
    const published = await upload(await moduleZip('example.com/Told', 'v1.0.0'));
    assert.equal(published.status, 201);
    assert.equal(published.headers.get('location'), '/api/packages/acme/go/example.com/!told/@v/v1.0.0.info');
    const [name, h1, install, ...more] = published.text.trimEnd().split('\n');
    assert.equal(name, 'example.com/Told@v1.0.0');
    assert.match(h1 ?? '', /^h1:.{44}$/);
    assert.match(
      install ?? '',
      /^GOPROXY="http:\/\/127\.0\.0\.1:\d+\/api\/packages\/acme\/go,.*go get example\.com\/Told@v1\.0\.0$/,
    );
    assert.deepEqual(more, []);
    const info = await get('example.com/!told/@v/v1.0.0.info');
    assert.equal(info.headers.get('etag'), published.headers.get('etag'));
  });

  it('takes the body as a form with one file', async () => {
    const form = new FormData();
    form.set('note', 'x');
    form.set('file', new Blob([await moduleZip('example.com/form', 'v1.0.0')]), 'm.zip');
    assert.equal((await upload(form)).status, 201);
  });

  for (const [name, fill] of [
    ['no file', (form: FormData) => form.set('note', 'x')],
    ['two files', (form: FormData) => ['a', 'b'].map(part => form.set(part, new Blob(['x']), part))],
  ] as const) {
    it(`refuses a form with ${name}`, async () => {
      const form = new FormData();
      fill(form);
      const refused = await upload(form);
      assert.equal(refused.status, 400);
      assert.match(refused.text, /send the module zip as the one file of the form/);
    });
  }

  it('refuses a form that ends in the middle', async () => {
    const headers = { ...auth, 'Content-Type': 'multipart/form-data; boundary=x' };
    const refused = await upload(
      Buffer.from('--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\nabc'),
      headers,
    );
    assert.equal(refused.status, 400);
  });

  it('takes a body in chunks', async () => {
    const zip = await moduleZip('example.com/chunks', 'v1.0.0', { 'a.txt': 'x'.repeat(100_000) });
    const chunks = new ReadableStream({
      start(controller) {
        for (let i = 0; i < zip.byteLength; i += 100) controller.enqueue(zip.subarray(i, i + 100));
        controller.close();
      },
    });
    assert.equal((await upload(chunks)).status, 201);
  });

  it('is a compare-and-swap: of many at once one is told 201, the rest 409', async () => {
    const zip = await moduleZip('example.com/race', 'v1.0.0');
    const statuses = await Promise.all(Array.from({ length: 8 }, async () => (await upload(zip)).status));
    assert.deepEqual(statuses.sort(), [201, 409, 409, 409, 409, 409, 409, 409]);
  });

  it('never makes publishers of different versions collide', async () => {
    const zips = await Promise.all(Array.from({ length: 8 }, (_, i) => moduleZip('example.com/many', `v1.${i}.0`)));
    const statuses = await Promise.all(zips.map(async zip => (await upload(zip)).status));
    assert.deepEqual(statuses, Array(8).fill(201));
    assert.equal((await get('example.com/many/@v/list')).text.split('\n').length, 9);
  });

  it('says in a 409 whether the content is the same', async () => {
    await upload(await moduleZip('example.com/again', 'v1.0.0'));
    const same = await upload(await moduleZip('example.com/again', 'v1.0.0'));
    const other = await upload(await moduleZip('example.com/again', 'v1.0.0', { 'x.go': 'package x\n' }));
    assert.deepEqual([same.status, other.status], [409, 409]);
    assert.match(same.text, /with the same content: h1:/);
    assert.match(other.text, /with other content: h1:.*, not h1:.*use a new version/);
  });

  it("takes a zip at its version's own path, if it is that version", async () => {
    const zip = await moduleZip('example.com/Own', 'v1.0.0');
    const wrong = await put(`${app.proxyUrl}/example.com/!own/@v/v1.0.1.zip`, zip);
    assert.equal(wrong.status, 400);
    assert.match(wrong.text, /the request is for example\.com\/Own@v1\.0\.1, the zip is example\.com\/Own@v1\.0\.0/);
    assert.equal((await put(`${app.proxyUrl}/example.com/%21own/@v/v1.0.0.zip`, zip)).status, 201);
  });

  it('serves a zip without go.mod with the line that stands for one', async () => {
    const zip = await moduleZip('example.com/bare', 'v2.0.0+incompatible', { 'x.go': 'package x\n' }, { goMod: false });
    assert.equal((await upload(zip)).status, 201);
    assert.equal((await get('example.com/bare/@v/v2.0.0+incompatible.mod')).text, 'module example.com/bare\n');
  });

  it('warns of what go takes from others but not from oneself', async () => {
    const zip = await moduleZip('example.com/warn', 'v1.0.0', { 'go.mod': 'module example.com/warn\n\nfuture x\n' });
    const published = await upload(zip);
    assert.equal(published.status, 201);
    assert.match(published.text, /\nwarning: go\.mod:3:1: unknown directive: future\n$/);
  });

  const refusals: [name: string, zip: () => Promise<Buffer>, reason: RegExp][] = [
    ['what is no zip', async () => Buffer.from('not a zip'), /cannot read the module zip: 1 problem\n/],
    ['an empty body', async () => Buffer.alloc(0), /cannot read the module zip/],
    [
      'another module in go.mod',
      () => moduleZip('example.com/a', 'v1.0.0', { 'go.mod': 'module example.com/b\n' }),
      /go-mod: go\.mod: it says module example\.com\/b, the zip says example\.com\/a/,
    ],
    [
      'a go.mod without a module',
      () => moduleZip('example.com/a', 'v1.0.0', { 'go.mod': 'go 1.21\n' }),
      /go-mod: go\.mod: it has no module line/,
    ],
    ['a version that is not canonical', () => moduleZip('example.com/a', 'v1.0'), /v1\.0/],
    ['a version with build metadata', () => moduleZip('example.com/a', 'v1.0.0+build'), /v1\.0\.0\+build/],
    ["a version that is not the path's", () => moduleZip('example.com/a/v2', 'v1.0.0'), /v1/],
    ['+incompatible with a go.mod', () => moduleZip('example.com/a', 'v2.0.0+incompatible'), /has no go\.mod/],
    [
      '+incompatible where nothing is',
      () => moduleZip('example.com/a', 'v1.0.0+incompatible', { x: '' }, { goMod: false }),
      /needs no \+incompatible/,
    ],
    [
      'a pseudo-version with a time that is none',
      () => moduleZip('example.com/a', 'v0.0.0-20209901000000-abcdefabcdef'),
      /pseudo-version/,
    ],
    [
      'a go.mod in a folder',
      () => moduleZip('example.com/a', 'v1.0.0', { 'sub/go.mod': 'module x\n' }),
      /sub\/go\.mod/,
    ],
    ['a .git folder', () => moduleZip('example.com/a', 'v1.0.0', { '.git/config': '' }), /\.git/],
    [
      'a tag that git refuses',
      () => moduleZip('example.com/a', 'v1.0.0-x.lock'),
      /tag: git accepts no tag with the name v1\.0\.0-x\.lock/,
    ],
  ];
  for (const [name, zip, reason] of refusals) {
    it(`refuses ${name}, and nothing is pushed`, async () => {
      const refused = await upload(await zip());
      assert.equal(refused.status, 400);
      assert.match(refused.text, reason);
      assert.equal((await get('example.com/a/@v/list')).status, 404);
    });
  }

  it('names everything that is wrong at once, eight lines at the most', async () => {
    const files = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`aux${i}/nul.txt`, 'x']));
    const zip = await moduleZip('example.com/bad', 'v1.0.0', files);
    const lines = (await upload(zip)).text.trimEnd().split('\n');
    assert.equal(lines.length, 10);
    assert.equal(lines[0], 'cannot publish example.com/bad v1.0.0: 20 problems');
    assert.equal(lines[9], 'and 12 more');
    const json = await upload(zip, { ...auth, Accept: 'application/json' });
    const { error, problems } = JSON.parse(json.text);
    assert.equal(error, 'cannot publish example.com/bad v1.0.0');
    assert.equal(problems.length, 20);
    assert.deepEqual(Object.keys(problems[0]).sort(), ['code', 'file', 'reason']);
  });

  it('refuses a tag that another tag is a folder of', async () => {
    const app = await startTestApp({ MODFORGE_PATHS: 'go.acme.dev/{repo}=acme/{repo}' });
    await using _ = app;
    const publish = async (module: string, version: string) =>
      put(`${app.proxyUrl}/upload`, await moduleZip(module, version));
    assert.equal((await publish('go.acme.dev/lib', 'v1.0.0')).status, 201);
    const refused = await publish('go.acme.dev/lib/v1.0.0/x', 'v1.0.0');
    assert.equal(refused.status, 400);
    assert.match(refused.text, /git can't hold the tags/);
  });

  describe('limits', () => {
    let small: TestApp;
    before(async () => {
      small = await startTestApp({ MODFORGE_MAX_UPLOAD_MB: '0.01' });
    });
    after(() => small[Symbol.asyncDispose]());
    const big = Buffer.alloc(100_000);

    it('refuses a declared length above the limit before the body', async () => {
      const refused = await put(`${small.proxyUrl}/upload`, big);
      assert.equal(refused.status, 413);
      assert.match(refused.text, /MODFORGE_MAX_UPLOAD_MB/);
    });

    it('refuses a chunked body as soon as it is too long', async () => {
      const endless = new ReadableStream({ pull: controller => controller.enqueue(Buffer.alloc(4096)) });
      const refused = await put(`${small.proxyUrl}/upload`, endless).catch((error: unknown) => error);
      assert.ok(refused instanceof Error || (refused as { status: number }).status === 413);
    });

    it('refuses a form whose file is too long', async () => {
      const form = new FormData();
      form.set('file', new Blob([Buffer.alloc(20_000)]), 'm.zip');
      assert.equal((await put(`${small.proxyUrl}/upload`, form)).status, 413);
    });
  });

  it('asks for the body only after the checks that need none', async () => {
    const outcome = (headers: Record<string, string>) =>
      new Promise<string>((resolve, reject) => {
        const url = new URL(`${app.proxyUrl}/upload`);
        const request = httpRequest(url, {
          method: 'PUT',
          headers: { ...headers, Expect: '100-continue', 'Content-Length': 10 },
        });
        request.on('continue', () => {
          resolve('continue');
          request.destroy();
        });
        request.on('response', response => {
          resolve(String(response.statusCode));
          request.destroy();
        });
        request.on('error', reject);
        request.flushHeaders();
      });
    assert.equal(await outcome(auth), 'continue');
    assert.equal(await outcome({}), '401');
    assert.equal(await outcome({ Authorization: 'token wrong' }), '401');
  });

  for (const [name, headers, status] of [
    ['no credentials', {}, 401],
    ['a wrong password', { Authorization: `Basic ${btoa('ann:wrong')}` }, 401],
    ['an unknown user', { Authorization: `Basic ${btoa('bob:secret')}` }, 401],
    ['a wrong token', { Authorization: 'Bearer wrong' }, 401],
    ['a password as token', { Authorization: 'token secret' }, 201],
    ['a password as Bearer', { Authorization: 'Bearer secret' }, 201],
    ['a token as user name', { Authorization: `Basic ${btoa('secret:x-oauth-basic')}` }, 201],
  ] as const) {
    it(`answers ${status} to ${name}`, async () => {
      const module = `example.com/by-${name.replaceAll(' ', '-')}`.toLowerCase();
      const answer = await upload(await moduleZip(module, 'v1.0.0'), headers);
      assert.equal(answer.status, status);
      if (status === 401) assert.match(answer.headers.get('www-authenticate') ?? '', /^Basic realm="/);
    });
  }

  it('serves no other owner', async () => {
    const zip = await moduleZip('example.com/x', 'v1.0.0');
    assert.equal((await put(`${app.url}/api/packages/other/go/upload`, zip)).status, 404);
    assert.equal((await put(`${app.url}/api/packages/ACME/go/upload`, zip)).status, 201);
  });
});

describe('large and hostile uploads', () => {
  let app: TestApp;
  before(async () => {
    app = await startTestApp();
  });
  after(() => app[Symbol.asyncDispose]());
  const upload = (zip: Buffer) => put(`${app.proxyUrl}/upload`, zip);

  it('serves a file again that is too large to be held whole', async () => {
    const large = Buffer.alloc(20 * 2 ** 20, 'modforge ');
    const zip = await moduleZip('example.com/large', 'v1.0.0', { 'large.txt': large });
    const published = await upload(zip);
    assert.equal(published.status, 201, published.text);
    const served = await fetch(`${app.proxyUrl}/example.com/large/@v/v1.0.0.zip`);
    assert.equal(served.status, 200);
    const again = await put(`${app.proxyUrl}/upload`, Buffer.from(await served.arrayBuffer()));
    assert.match(again.text, /with the same content/);
  });

  it('refuses a large file that is damaged', async () => {
    const zip = await moduleZip('example.com/damaged', 'v1.0.0', {
      'large.txt': Buffer.alloc(20 * 2 ** 20, 'modforge '),
    });
    const at = zip.indexOf('large.txt') + 2000;
    zip.writeUInt32LE(0xdeadbeef, at);
    const refused = await upload(zip);
    assert.equal(refused.status, 400);
    assert.match(refused.text, /large\.txt/);
  });

  it('reads no more of an enormous go.mod than its module line', async () => {
    const goMod = `// what\nmodule example.com/enormous // is it\n${'require a.b/c v1.0.0\n'.repeat(50_000)}`;
    const published = await upload(await moduleZip('example.com/enormous', 'v1.0.0', { 'go.mod': goMod }));
    assert.equal(published.status, 201, published.text);
    assert.match(published.text, /\nwarning: go\.mod: only its module line was read/);
    const wrong = goMod.replace('enormous', 'other');
    assert.equal((await upload(await moduleZip('example.com/enormous', 'v1.1.0', { 'go.mod': wrong }))).status, 400);
  });

  it('tells no more than a few warnings, and those short', async () => {
    const words = Array.from({ length: 100 }, (_, i) => `word${i}${'x'.repeat(1000)} y\n`).join('');
    const zip = await moduleZip('example.com/words', 'v1.0.0', { 'go.mod': `module example.com/words\n${words}` });
    const { status, text } = await upload(zip);
    assert.equal(status, 201);
    assert.ok(text.length < 4000 && text.trimEnd().split('\n').length === 11, text.slice(0, 500));
  });
});
