import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { assemble } from '../../scripts/assemble.ts';
import { adler32 } from '../../src/inflate/adler32.ts';

/** By zlib, which ends each stream with it. */
function adler32ByZlib(content: Uint8Array): number {
  const stream = deflateSync(content, { level: 0 });
  return stream.readUInt32BE(stream.length - 4);
}

/** Bytes that look random, and are the same every time. */
function noise(length: number): Buffer {
  let state = 1;
  return Buffer.from(
    Uint8Array.from({ length }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state >>> 24;
    }),
  );
}

const megabytes = noise(3_000_000);
const largest = Buffer.alloc(3_000_000, 0xff);

/** Short ones, and parts of the long ones from anywhere in them. */
const contents = fc.oneof(
  fc.uint8Array({ maxLength: 2_000, size: 'max' }),
  fc
    .tuple(fc.constantFrom(megabytes, largest), fc.nat(megabytes.length), fc.nat(megabytes.length))
    .map(([bytes, start, length]) => bytes.subarray(start, start + length)),
);

describe('adler32', () => {
  it('is made from the source that lies beside it', async () => {
    const kept = readFileSync(new URL('../../src/inflate/adler32-wasm.ts', import.meta.url), 'utf8');
    assert.equal(kept, await assemble('adler32'), 'run `npm run assemble`');
  });

  it('gives what RFC 1950 does for a content that is known', () => {
    assert.equal(adler32(new Uint8Array()), 1);
    assert.equal(adler32(Buffer.from('Wikipedia')), 0x11e60398);
  });

  it('agrees with zlib on each length there is of short contents, wherever they begin', () => {
    for (let length = 0; length <= 800; length++) {
      for (const bytes of [megabytes, largest]) {
        const content = bytes.subarray(length % 37, (length % 37) + length);
        assert.equal(adler32(content), adler32ByZlib(content), `${length} bytes`);
      }
    }
  });

  it('agrees with zlib around the lengths at which it begins anew', () => {
    for (const round of [65_536, 131_072, 1_048_576]) {
      for (let length = round - 20; length <= round + 20; length++) {
        const content = largest.subarray(0, length);
        assert.equal(adler32(content), adler32ByZlib(content), `${length} bytes`);
      }
    }
  });

  it('agrees with zlib on contents of megabytes, also where each sum is as large as it can be', () => {
    for (const content of [megabytes, largest]) assert.equal(adler32(content), adler32ByZlib(content));
    // Both sums 65520, the most there can be before.
    const before = 0xfff0_fff0;
    assert.equal(adler32(largest.subarray(0, 65_536), before), adler32ByNumbers(largest.subarray(0, 65_536), before));
  });

  it('agrees with zlib on contents of any length', () => {
    fc.assert(
      fc.property(contents, content => {
        assert.equal(adler32(content), adler32ByZlib(content));
      }),
      { numRuns: 100 },
    );
  });

  it('goes on from what came before, however a content is parted', () => {
    fc.assert(
      fc.property(contents, fc.array(fc.nat(), { maxLength: 6 }), (content, splits) => {
        const places = splits.map(split => split % (content.length + 1)).sort((a, b) => a - b);
        const parts = [0, ...places].map((place, i) => content.subarray(place, places[i] ?? content.length));
        const found = parts.reduce((before, part) => adler32(part, before), 1);
        assert.equal(found, adler32ByZlib(content));
      }),
      { numRuns: 100 },
    );
  });
});

/** As RFC 1950 has it, byte by byte: Node's zlib cannot be told what came before. */
function adler32ByNumbers(content: Uint8Array, before: number): number {
  let a = before & 0xffff;
  let b = before >>> 16;
  for (const byte of content) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return b * 65536 + a;
}
