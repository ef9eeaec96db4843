import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { inflateSync } from 'node:zlib';
import { packObject } from '../../src/git/packed-object.ts';

test('a tree of any size is a zlib stream, whose checksum fits', () => {
  for (const size of [0, 1, 0xfffe, 0xffff, 0x10000, 0x1fffe, 0x1ffff, 300_000]) {
    const content = randomBytes(size);
    const { zlib, size: told } = packObject('tree', content);
    assert.equal(told, size);
    assert.deepEqual(inflateSync(Buffer.concat(zlib)), content, `${size} bytes`);
  }
});
