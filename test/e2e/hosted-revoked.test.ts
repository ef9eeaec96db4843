/** A token that is revoked at the forge stops working here with the next look at the refs; nothing else remembers that it may read. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ada, hostedKinds, startHostedApp, startHostedDouble, uploadTo } from '../support/doubles/hosted-app.ts';
import { moduleZip } from '../support/module-zip.ts';

describe('a revoked token', () => {
  for (const kind of hostedKinds) {
    it(`reads and publishes no more: the ${kind} double`, async () => {
      await using double = await startHostedDouble(kind);
      await using app = await startHostedApp({ kind, double, refsTtlMs: 1 });
      const token = double.addToken({ user: ada.name });
      const authorization = `token ${token}`;
      const read = () =>
        fetch(`${app.proxyUrl}/example.com/lib/@v/v1.0.0.zip`, { headers: { Authorization: authorization } });
      assert.equal((await uploadTo(app, await moduleZip('example.com/lib', 'v1.0.0'), authorization)).status, 201);
      assert.equal((await read()).status, 200);
      await app.settled();
      double.revokeToken(token);
      assert.equal((await read()).status, 401);
      assert.equal((await uploadTo(app, await moduleZip('example.com/lib', 'v1.1.0'), authorization)).status, 401);
    });
  }
});
