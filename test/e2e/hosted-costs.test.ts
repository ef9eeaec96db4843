/** What publishing and reading cost a forge: requests counted at its double, those of modforge's start left out. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ForgeDouble } from '../support/doubles/forge-double.ts';
import { ada, hostedKinds, startHostedApp, startHostedDouble, uploadTo } from '../support/doubles/hosted-app.ts';
import { moduleZip } from '../support/module-zip.ts';
import type { TestApp } from '../support/test-app.ts';

const module = 'example.com/big';

/** 2,000 files in 40 folders. */
function makeZip(version: string): Promise<Buffer> {
  const files: Record<string, string> = {};
  for (let i = 1; i < 2_000; i++) {
    const body = `// ${version} ${i}\n`.repeat(i % 50);
    files[`dir${i % 40}/file${i}.go`] = `package dir${i % 40}\n\n${body}`;
  }
  return moduleZip(module, version, files);
}

for (const kind of hostedKinds) {
  describe(`what a 2,000-file module costs the ${kind} double`, () => {
    let double: ForgeDouble;
    let app: TestApp;
    before(async () => {
      double = await startHostedDouble(kind);
      app = await startHostedApp({ kind, double, env: { MODFORGE_ANONYMOUS_READ: 'all' } });
    });
    after(async () => {
      await app[Symbol.asyncDispose]();
      await double[Symbol.asyncDispose]();
    });

    const publish = async (version: string) => {
      const zip = await makeZip(version);
      double.forgetRequests();
      const start = performance.now();
      const response = await uploadTo(app, zip);
      const text = await response.text();
      const counts = double.countRequests();
      assert.equal(response.status, 201, text);
      // Neither a warning, nor a release that is still being made.
      assert.equal(text.trimEnd().split('\n').length, 3, text);
      // On a busy machine: refs that are over a second old once all is hashed are asked for again, which is not counted.
      const again = performance.now() - start > 1_000 && counts.git === 3 ? 1 : 0;
      await app.settled();
      return { counts: { ...counts, git: counts.git - again }, requests: shown(double) };
    };

    const readZip = async (from: TestApp, headers: Record<string, string>) => {
      double.forgetRequests();
      const response = await fetch(`${from.proxyUrl}/${module}/@v/v1.0.0.zip`, { headers });
      const bytes = Buffer.from(await response.arrayBuffer());
      assert.equal(response.status, 200, bytes.toString('utf8', 0, 500));
      return { counts: double.countRequests(), requests: shown(double), bytes };
    };

    it('publishing the first version takes at most 5 REST calls and 2 git requests before the 201', async () => {
      const { counts, requests } = await publish('v1.0.0');
      assert.ok((counts.rest ?? 0) <= 5, requests);
      assert.equal(counts.git, 2, requests);
    });

    it('publishing the next version takes 1 REST call and 2 git requests', async () => {
      const { counts, requests } = await publish('v1.1.0');
      assert.deepEqual(counts, { rest: 1, git: 2 }, requests);
    });

    for (const [reader, headers] of [
      ['the publisher', { Authorization: ada.basic }],
      ['somebody without credentials', {}],
    ] as [string, Record<string, string>][]) {
      it(`${reader} who reads the zip first costs no REST call and 2 git requests, a second read nothing`, async () => {
        await using fresh = await startHostedApp({ kind, double, env: { MODFORGE_ANONYMOUS_READ: 'all' } });
        const first = await readZip(fresh, headers);
        assert.deepEqual(first.counts, { rest: 0, git: 2 }, first.requests);
        const second = await readZip(fresh, headers);
        assert.deepEqual(second.counts, { rest: 0, git: 0 }, second.requests);
        assert.deepEqual(second.bytes, first.bytes);
      });
    }

    it('the instance that published reads its zip as cheaply', async () => {
      const first = await readZip(app, { Authorization: ada.basic });
      assert.equal(first.counts.rest, 0, first.requests);
      assert.ok((first.counts.git ?? 0) <= 2, first.requests);
      const second = await readZip(app, { Authorization: ada.basic });
      assert.deepEqual(second.counts, { rest: 0, git: 0 }, second.requests);
    });
  });
}

const shown = ({ log }: ForgeDouble): string =>
  log.map(({ method, path, status }) => `${method} ${path} ${status}`).join('\n');
