/** Uploads and zips that live on the disk: answered as those in memory are, and no file of them stays open. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { countDeletedFiles, withoutProc } from '../support/deleted-files.ts';
import { ada, startHostedApp, startHostedDouble, uploadTo } from '../support/doubles/hosted-app.ts';
import { moduleZip } from '../support/module-zip.ts';
import { skipWithout } from '../support/skip-without.ts';
import { makeTemporaryFolder } from '../support/temporary-folder.ts';
import { publisher, startTestApp, type TestApp } from '../support/test-app.ts';

const module = 'example.com/lib';
const auth = { Authorization: publisher.basic };
const files = { 'a.go': 'package lib\n', 'data.bin': randomBytes(3_000_000), 'sub/b.go': 'package sub\n' };

/** Everything above 100 kB is on the disk; by default no zip fits into the cache. */
const startSpooling = (cacheMegabytes = '1', env: Record<string, string> = {}): Promise<TestApp> =>
  startTestApp({ MODFORGE_SPOOL_ABOVE_MB: '0.1', MODFORGE_CACHE_MB: cacheMegabytes, ...env });

async function put(app: TestApp, body: Buffer): Promise<{ status: number; text: string }> {
  const response = await fetch(`${app.proxyUrl}/upload`, { method: 'PUT', body, headers: auth });
  return { status: response.status, text: await response.text() };
}

async function remove(app: TestApp, version: string): Promise<number> {
  const address = `${app.url}/api/v1/packages/acme/go/${encodeURIComponent(module)}/${version}`;
  return (await fetch(address, { method: 'DELETE', headers: auth })).status;
}

async function get(app: TestApp, version: string, headers: Record<string, string> = {}, method = 'GET') {
  const response = await fetch(`${app.proxyUrl}/${module}/@v/${version}.zip`, { headers, method });
  const bytes = Buffer.from(await response.arrayBuffer());
  return { status: response.status, headers: response.headers, bytes };
}

/** What is open is let go of when a reply is done, which its reader may know first. */
async function untilFilesAre(count: number): Promise<void> {
  for (let i = 0; i < 500 && countDeletedFiles() !== count; i++) await sleep(10);
  assert.equal(countDeletedFiles(), count, 'files that are kept open');
}

describe('a zip on the disk', { skip: withoutProc }, () => {
  it('is the one that is in memory elsewhere, with the same headers', async () => {
    await using folder = await makeTemporaryFolder();
    const env = { MODFORGE_FORGE: 'local', MODFORGE_DATA: folder.path };
    await using small = await startTestApp(env);
    await using large = await startSpooling('1', env);
    const zip = await moduleZip(module, 'v1.0.0', files);
    const publish = async (app: TestApp) => {
      const { status, text } = await put(app, zip);
      return `${status} ${text.split('\n')[1]}`;
    };
    const published = await publish(small);
    assert.match(published, /^201 h1:/);
    assert.equal(await remove(small, 'v1.0.0'), 204);
    assert.equal(await publish(large), published);
    const { headers } = await get(small, 'v1.0.0');
    const etag = headers.get('etag') ?? '';
    const size = Number(headers.get('content-length'));
    for (const [asked, method] of [
      [{}, 'GET'],
      [{}, 'HEAD'],
      [{ 'If-None-Match': etag }, 'GET'],
      [{ Range: 'bytes=0-0' }, 'GET'],
      [{ Range: 'bytes=100-2500000' }, 'GET'],
      [{ Range: 'bytes=-70' }, 'GET'],
      [{ Range: `bytes=${size}-` }, 'GET'],
      [{ Range: 'bytes=5-9', 'If-Range': etag }, 'GET'],
      [{ Range: 'bytes=5-9', 'If-Range': '"another"' }, 'GET'],
    ] as [Record<string, string>, string][]) {
      const [expected, found] = await Promise.all([
        get(small, 'v1.0.0', asked, method),
        get(large, 'v1.0.0', asked, method),
      ]);
      const name = `${method} ${JSON.stringify(asked)}`;
      assert.equal(found.status, expected.status, name);
      assert.ok(found.bytes.equals(expected.bytes), name);
      for (const header of [
        'etag',
        'content-length',
        'content-range',
        'content-type',
        'cache-control',
        'accept-ranges',
      ]) {
        assert.equal(found.headers.get(header), expected.headers.get(header), `${name}: ${header}`);
      }
    }
    await untilFilesAre(0);
  });

  it('has another validator where its files have other names', async () => {
    await using app = await startSpooling();
    const etags = new Set<string | null>();
    for (const name of ['a.bin', 'b.bin']) {
      const zip = await moduleZip(module, 'v1.0.0', { [name]: files['data.bin'] });
      assert.equal((await put(app, zip)).status, 201);
      etags.add((await get(app, 'v1.0.0')).headers.get('etag'));
      assert.equal(await remove(app, 'v1.0.0'), 204);
    }
    assert.equal(etags.size, 2);
  });

  it('is open once while it is in the cache, however many read it, and not longer', async () => {
    await using app = await startSpooling('7');
    for (const version of ['v1.0.0', 'v1.1.0', 'v1.2.0']) {
      assert.equal((await put(app, await moduleZip(module, version, files))).status, 201);
    }
    await untilFilesAre(0);
    const first = await Promise.all(Array.from({ length: 8 }, () => get(app, 'v1.0.0')));
    for (const { bytes } of first) assert.ok(bytes.equals(first[0]?.bytes ?? Buffer.alloc(0)));
    await untilFilesAre(1);
    await get(app, 'v1.1.0');
    await untilFilesAre(2);
    // The third has no room beside both.
    await get(app, 'v1.2.0');
    await untilFilesAre(2);
    assert.ok((await get(app, 'v1.0.0')).bytes.equals(first[0]?.bytes ?? Buffer.alloc(0)));
  });

  it('is sent to its end though it has left the cache, and let go of when the client leaves', async () => {
    await using app = await startSpooling('4');
    for (const version of ['v1.0.0', 'v1.1.0']) {
      assert.equal((await put(app, await moduleZip(module, version, files))).status, 201);
    }
    const whole = (await get(app, 'v1.0.0')).bytes;
    const slow = httpRequest(`${app.proxyUrl}/${module}/@v/v1.0.0.zip`).end();
    const [response] = await once(slow, 'response');
    await get(app, 'v1.1.0');
    const chunks: Buffer[] = await response.toArray();
    assert.ok(Buffer.concat(chunks).equals(whole));
    await untilFilesAre(1);
    const hasty = httpRequest(`${app.proxyUrl}/${module}/@v/v1.0.0.zip`).end();
    await once(hasty, 'response');
    await get(app, 'v1.1.0');
    hasty.on('error', () => {}).destroy();
    await untilFilesAre(1);
  });
});

describe('a zip on the disk, from a git server', { skip: withoutProc || skipWithout('git') }, () => {
  it('is made of a pack on the disk, which is let go of, and stays while it is in the cache', async () => {
    await using double = await startHostedDouble('gitea');
    const env = { MODFORGE_SPOOL_ABOVE_MB: '0.1', MODFORGE_CACHE_MB: '7' };
    const before = countDeletedFiles();
    {
      await using app = await startHostedApp({ kind: 'gitea', double, env });
      const published = await uploadTo(app, await moduleZip(module, 'v1.0.0', files));
      assert.equal(published.status, 201, await published.text());
      const headers = { Authorization: ada.basic };
      const first = await get(app, 'v1.0.0', headers);
      assert.equal(first.status, 200);
      await untilFilesAre(before + 1);
      assert.ok((await get(app, 'v1.0.0', headers)).bytes.equals(first.bytes));
      await untilFilesAre(before + 1);
    }
    await untilFilesAre(before);
  });
});

describe('an upload on the disk', { skip: withoutProc }, () => {
  it('is let go of when it is refused, and when the client goes away', async () => {
    await using app = await startSpooling();
    const noise = randomBytes(1_000_000);
    assert.match((await put(app, noise)).text, /not-a-zip/);
    await untilFilesAre(0);
    const request = httpRequest(`${app.proxyUrl}/upload`, {
      method: 'PUT',
      headers: { ...auth, 'Content-Length': 2_000_000 },
    });
    request.on('error', () => {}).write(noise);
    await untilFilesAre(1);
    request.destroy();
    await untilFilesAre(0);
  });

  it('is answered 503 where the disk fails, with the reason in the log alone, and the next is taken', async () => {
    await using app = await startSpooling();
    const zip = await moduleZip(module, 'v1.0.0', files);
    const { TMPDIR } = process.env;
    process.env.TMPDIR = '/nowhere';
    try {
      const { status, text } = await put(app, zip);
      assert.equal(status, 503);
      assert.equal(text, 'the disk of this registry fails; tell its operator, and try again\n');
      assert.ok(
        app.logged.some(line => line.includes('ENOENT') && line.includes('/nowhere') && line.includes('TMPDIR')),
      );
    } finally {
      if (TMPDIR === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = TMPDIR;
    }
    assert.equal((await put(app, zip)).status, 201);
    await untilFilesAre(0);
  });
});
