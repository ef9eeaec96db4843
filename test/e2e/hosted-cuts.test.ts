/** A first publish whose connection to the forge is cut, at each of its requests in turn: publishing again always ends well. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ForgeDouble } from '../support/doubles/forge-double.ts';
import {
  ada,
  type HostedKind,
  hostedKinds,
  startHostedApp,
  startHostedDouble,
  uploadTo,
} from '../support/doubles/hosted-app.ts';
import { moduleZip } from '../support/module-zip.ts';
import type { TestApp } from '../support/test-app.ts';

const module = 'example.com/lib';
const repository = 'acme/example.com__lib';
const headers = { Authorization: ada.basic };

const zipOf = (version: string) =>
  moduleZip(module, version, { 'lib.go': `package lib // ${version}\n`, 'sub/a.go': 'package sub\n' });

async function get(app: TestApp, file: string): Promise<{ status: number; bytes: Buffer }> {
  const response = await fetch(`${app.proxyUrl}/${module}/@v/${file}`, { headers });
  return { status: response.status, bytes: Buffer.from(await response.arrayBuffer()) };
}

/** Publishes v1.0.0 without any fault; gives how many requests it took, and the zip that is served then. */
async function publishUndisturbed(kind: HostedKind): Promise<{ requests: number; served: Buffer }> {
  await using double = await startHostedDouble(kind);
  await using app = await startHostedApp({ kind, double });
  double.forgetRequests();
  const response = await uploadTo(app, await zipOf('v1.0.0'));
  assert.equal(response.status, 201, await response.text());
  await app.settled();
  const requests = double.log.length;
  return { requests, served: (await get(app, 'v1.0.0.zip')).bytes };
}

async function checkRelease(double: ForgeDouble, version: string): Promise<void> {
  const url = `${double.apiUrl}/repos/${repository}/releases/tags/${version}`;
  const response = await fetch(url, { headers: { Authorization: `token ${ada.token}` } });
  assert.equal(response.status, 200, `the release ${version}: ${await response.text()}`);
}

for (const kind of hostedKinds) {
  describe(`a first publish that the ${kind} double cuts`, { concurrency: 4 }, () => {
    let served: Buffer;
    let requests = 0;
    before(async () => {
      ({ requests, served } = await publishUndisturbed(kind));
    });
    after(() => assert.ok(requests >= 5, `only ${requests} requests were cut`));

    for (const when of ['before', 'after'] as const) {
      it(`${when} any of its requests converges when it is tried again`, { concurrency: 4 }, async t => {
        const rounds = Array.from({ length: requests }, (_, i) =>
          t.test(`${when} request ${i + 1}`, () => cutAndTryAgain(i + 1, when)),
        );
        await Promise.all(rounds);
      });
    }

    async function cutAndTryAgain(number: number, when: 'before' | 'after'): Promise<void> {
      await using double = await startHostedDouble(kind);
      const zip = await zipOf('v1.0.0');
      {
        await using app = await startHostedApp({ kind, double });
        double.forgetRequests();
        double.addFault({ number, when, mishap: 'cut' });
        const cut = await uploadTo(app, zip);
        const said = `${cut.status} ${await cut.text()}`;
        assert.ok(cut.status === 201 || cut.status >= 500, `the publish that was cut was answered ${said}`);
        await app.settled();
        assert.ok(double.log.length >= number, 'there was such a request');
      }

      await using fresh = await startHostedApp({ kind, double });
      const again = await uploadTo(fresh, zip);
      const text = await again.text();
      if (again.status !== 201) {
        assert.equal(again.status, 409, text);
        assert.match(text, /published already, with the same content/);
      }
      await fresh.settled();
      assert.equal((await get(fresh, 'list')).bytes.toString(), 'v1.0.0\n');
      assert.deepEqual(await get(fresh, 'v1.0.0.zip'), { status: 200, bytes: served });
      await checkRelease(double, 'v1.0.0');

      const next = await uploadTo(fresh, await zipOf('v1.1.0'));
      assert.equal(next.status, 201, await next.text());
      await fresh.settled();
      assert.equal((await get(fresh, 'list')).bytes.toString(), 'v1.0.0\nv1.1.0\n');
      await checkRelease(double, 'v1.1.0');
    }
  });
}
