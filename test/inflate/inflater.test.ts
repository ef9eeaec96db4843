import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { assemble } from '../../scripts/assemble.ts';
import { type InflateFault, Inflater, inflateAside } from '../../src/inflate/inflater.ts';

const { Z_FILTERED, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE, Z_DEFAULT_STRATEGY } = constants;

const maxBytes = 100_000;
const inflater = new Inflater({ maxBytes, keptBytes: 0 });

type Found = { content: Buffer; taken: number } | InflateFault;

function inflate(stream: Uint8Array, most = maxBytes): Found {
  const inflated = inflater.inflate(stream, most);
  return typeof inflated === 'string' ? inflated : { content: Buffer.from(inflated.content), taken: inflated.taken };
}

/** The same by zlib. */
function inflateByZlib(stream: Uint8Array, most = maxBytes): Found {
  try {
    const { buffer, engine } = inflateRawSync(stream, { info: true, maxOutputLength: most + 1 }) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    return buffer.length > most ? 'too long' : { content: buffer, taken: engine.bytesWritten };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : error;
    return code === 'Z_BUF_ERROR' ? 'cut off' : code === 'ERR_BUFFER_TOO_LARGE' ? 'too long' : 'damaged';
  }
}

const source = readFileSync(new URL(import.meta.url));

/** Symbols each half as frequent as the one before: some have codes of 15 bits. */
const skewed = (counts: readonly number[]): Buffer =>
  Buffer.concat(counts.map((count, i) => Buffer.alloc(Math.min(2 ** (count % 16), 20_000), i)));

const contents = fc.oneof(
  fc.uint8Array({ maxLength: 3_000 }).map(bytes => Buffer.from(bytes)),
  fc.nat(source.length).map(end => source.subarray(0, end)),
  fc.tuple(fc.nat(60_000), fc.nat(255)).map(([size, byte]) => Buffer.alloc(size, byte)),
  fc.tuple(fc.nat(40), fc.nat(3_000)).map(([period, size]) => Buffer.alloc(size, source.subarray(0, period + 1))),
  fc.array(fc.nat(15), { maxLength: 40 }).map(skewed),
);

const settings = fc.record({
  level: fc.nat(9),
  strategy: fc.constantFrom(Z_DEFAULT_STRATEGY, Z_FILTERED, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE),
  memLevel: fc.integer({ min: 1, max: 9 }),
  windowBits: fc.integer({ min: 9, max: 15 }),
});

describe('an Inflater', () => {
  it('is made from the source that lies beside it', async () => {
    const kept = readFileSync(new URL('../../src/inflate/inflate-wasm.ts', import.meta.url), 'utf8');
    assert.equal(kept, await assemble('inflate'), 'run `npm run assemble`');
  });

  it('inflates what zlib deflates, and says where it ends', () => {
    fc.assert(
      fc.property(contents, settings, fc.uint8Array({ maxLength: 20 }), (content, options, behind) => {
        const stream = deflateRawSync(content, options);
        assert.deepEqual(inflate(Buffer.concat([stream, behind])), { content, taken: stream.length });
      }),
      { numRuns: 300 },
    );
  });

  it('inflates no more than it may', () => {
    fc.assert(
      fc.property(contents, settings, fc.nat(70_000), (content, options, most) => {
        const found = inflate(deflateRawSync(content, options), most);
        if (content.length > most) assert.equal(found, 'too long');
        else assert.ok(typeof found === 'object' && found.content.equals(content));
      }),
      { numRuns: 200 },
    );
  });

  it('finds a stream cut off, wherever that is', () => {
    fc.assert(
      fc.property(contents, settings, fc.nat(), (content, options, cut) => {
        const stream = deflateRawSync(content, options);
        assert.equal(inflate(stream.subarray(0, cut % stream.length), content.length), 'cut off');
      }),
      { numRuns: 300 },
    );
    const stream = deflateRawSync(source.subarray(0, 2_000));
    // What lies behind it in memory is what was there before.
    inflate(deflateRawSync(source));
    for (let end = 0; end < stream.length; end++)
      assert.equal(inflate(stream.subarray(0, end)), 'cut off', `at ${end}`);
  });

  it('takes of damaged streams what zlib takes, and nothing else', () => {
    const damages = fc.array(fc.tuple(fc.nat(), fc.nat(7)), { minLength: 1, maxLength: 4 });
    const isNearStart = fc.boolean();
    fc.assert(
      fc.property(contents, settings, damages, isNearStart, (content, options, places, isNearStart) => {
        const stream = deflateRawSync(content, options);
        for (const [at, bit] of places) {
          const place = at % Math.min(stream.length, isNearStart ? 40 : stream.length);
          stream[place] = (stream[place] ?? 0) ^ (1 << bit);
        }
        checkAsZlib(stream);
      }),
      { numRuns: 2_000 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), checkAsZlib), { numRuns: 2_000 });
  });

  // RFC 1951, 3.2.3 to 3.2.7: what can be wrong with a block, bits in the order of the stream.
  const end = '0000000';
  const dynamic = '101';
  const lengthsOf = (lengths: Record<number, number>, count = 19) =>
    [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
      .slice(0, count)
      .map(symbol => number(lengths[symbol] ?? 0, 3))
      .join('');
  /** So many literals and distances; codes for the lengths 0, 1 and 18 of two, two and one bits: 10, 11 and 0. */
  const headOf = (literals: number, distances: number) =>
    `${dynamic}${number(literals - 257, 5)}${number(distances - 1, 5)}${number(14, 4)}${lengthsOf({ 18: 1, 0: 2, 1: 2 }, 18)}`;
  const heads = headOf(257, 1);
  const zeros = (count: number) => `0${number(count - 11, 7)}`;
  const table: [name: string, bits: string, found: 'damaged' | 'as it is'][] = [
    ['a block of no kind', '111', 'damaged'],
    [
      'a stored block whose length is not what it says again',
      `100${'0'.repeat(5)}${number(3, 16)}${number(3, 16)}`,
      'damaged',
    ],
    ['a stored block of nothing', `100${'0'.repeat(5)}${number(0, 16)}${number(0xffff, 16)}`, 'as it is'],
    ['nothing', `110${end}`, 'as it is'],
    ['a literal', `110${'10000010'}${end}`, 'as it is'],
    ['what lies before the beginning', `110${'0000001'}${'00000'}${end}`, 'damaged'],
    ['a length that means nothing', `110${'11000110'}${end}`, 'damaged'],
    ['a distance that means nothing', `110${'10000010'}${'0000001'}${'11110'}${end}`, 'damaged'],
    ['a repetition of what came before', `110${'10000010'}${'0000001'}${'00000'}${end}`, 'as it is'],
    [
      'as many literals as there may be',
      `${headOf(286, 1)}${zeros(138)}${zeros(118)}11${zeros(29)}${'10'}0`,
      'as it is',
    ],
    ['too many literals', `${headOf(287, 1)}${zeros(138)}${zeros(118)}11${zeros(30)}${'10'}0`, 'damaged'],
    ['as many distances as there may be', `${headOf(257, 30)}${zeros(138)}${zeros(118)}11${zeros(30)}0`, 'as it is'],
    ['too many distances', `${headOf(257, 31)}${zeros(138)}${zeros(118)}11${zeros(31)}0`, 'damaged'],
    ['no code for lengths', `${dynamic}${number(0, 5)}${number(0, 5)}${number(0, 4)}${lengthsOf({}, 4)}`, 'damaged'],
    [
      'a code for lengths with too much in it',
      `${dynamic}${number(0, 5)}${number(0, 5)}${number(0, 4)}${lengthsOf({ 16: 1, 17: 1, 18: 1 }, 4)}`,
      'damaged',
    ],
    [
      'a code for lengths with too little in it',
      `${dynamic}${number(0, 5)}${number(0, 5)}${number(0, 4)}${lengthsOf({ 18: 1 }, 4)}`,
      'damaged',
    ],
    [
      'a length repeated before there is one',
      `${dynamic}${number(0, 5)}${number(0, 5)}${number(0, 4)}${lengthsOf({ 16: 1, 0: 1 }, 4)}1${number(0, 2)}`,
      'damaged',
    ],
    [
      'zeros repeated before there is one',
      `${dynamic}${number(0, 5)}${number(0, 5)}${number(14, 4)}${lengthsOf({ 0: 2, 1: 2, 16: 2, 18: 2 }, 18)}10${number(0, 2)}1${zeros(138).replace(/^0/, '1')}1${zeros(115).replace(/^0/, '1')}01000`,
      'damaged',
    ],
    ['more lengths than there are symbols', `${heads}${zeros(138)}${zeros(138)}`, 'damaged'],
    ['zeros beyond the last symbol', `${heads}${zeros(138)}${zeros(118)}11${zeros(11)}0`, 'damaged'],
    [
      'a distance that means nothing, far from the beginning',
      `110${'10000010'.repeat(40_000)}${'0000001'}${'11110'}${number(0, 14)}${end}`,
      'damaged',
    ],
    ['no end', `${heads}11${zeros(138)}${zeros(118)}11`, 'damaged'],
    ['an end alone', `${heads}${zeros(138)}${zeros(118)}11${'10'}0`, 'as it is'],
    ['an end alone, and a distance that nobody needs', `${heads}${zeros(138)}${zeros(118)}11${'11'}0`, 'as it is'],
    ['a code that is none', `${heads}${zeros(138)}${zeros(118)}11${'10'}1`, 'damaged'],
  ];
  for (const [name, bits, expected] of table) {
    it(`${expected === 'damaged' ? 'refuses' : 'takes'} ${name}, as zlib does`, () => {
      if (expected === 'as it is') assert.deepEqual(inflate(bytesOf(bits)), inflateByZlib(bytesOf(bits)));
      // Enough behind it that nothing is cut off.
      const stream = Buffer.concat([bytesOf(bits), Buffer.alloc(100)]);
      const found = inflate(stream);
      assert.deepEqual(found, inflateByZlib(stream));
      assert.equal(found === 'damaged', expected === 'damaged');
    });
  }

  it('takes a stream of which the lengths of codes are nearly all', () => {
    const stream = Buffer.from('05c5810800000000207febab0a', 'hex');
    assert.deepEqual(inflate(stream), { content: Buffer.alloc(0), taken: stream.length });
  });

  it('leaves to zlib what is larger than it takes, and streams that are longer than need be', async () => {
    const content = Buffer.alloc(10 * maxBytes, source);
    const stream = deflateRawSync(content);
    const expected = { content, taken: stream.length };
    assert.deepEqual(inflate(stream, content.length), expected);
    assert.equal(inflate(stream.subarray(0, -1), content.length), 'cut off');
    assert.equal(inflate(deflateRawSync(Buffer.alloc(maxBytes + 2)), maxBytes + 1), 'too long');
    const aside = await inflateAside(stream, content.length);
    assert.ok(typeof aside === 'object' && aside.content.equals(content) && aside.taken === stream.length);
    assert.equal(await inflateAside(Buffer.from([7]), content.length), 'damaged');
    const nothing = bytesOf(`000${'0'.repeat(5)}${number(0, 16)}${number(0xffff, 16)}`);
    const long = Buffer.concat([...Array<Buffer>(1_000).fill(nothing), deflateRawSync(Buffer.from('x'))]);
    assert.deepEqual(inflate(long, 1), { content: Buffer.from('x'), taken: long.length });
    assert.equal(inflate(long.subarray(0, -1), 1), 'cut off');
  });

  it('does not find what one that failed was written over, though a smaller one followed', () => {
    const keeping = new Inflater({ maxBytes: 1_000, keptBytes: 5_000 });
    const first = keeping.inflate(deflateRawSync(Buffer.alloc(600, 'first')), 600);
    assert.ok(typeof first === 'object');
    for (let i = 0; i < 5; i++) keeping.inflate(deflateRawSync(Buffer.alloc(1_000)), 1_000);
    assert.equal(keeping.inflate(deflateRawSync(Buffer.alloc(1_001)), 1_000), 'too long');
    keeping.inflate(deflateRawSync(Buffer.alloc(1)), 1);
    assert.equal(keeping.contentAt(first.position, 600), undefined);
  });

  it('has room for one large content after the other', () => {
    const roomy = new Inflater({ maxBytes: 200_000, keptBytes: 0 });
    for (let i = 0; i < 3; i++) {
      const content = Buffer.alloc(150_000, source.subarray(i));
      const inflated = roomy.inflate(deflateRawSync(content), content.length);
      assert.ok(typeof inflated === 'object' && inflated.content.equals(content));
    }
  });

  it('keeps what it inflated at hand, as much as it was told to', () => {
    const keptBytes = 50_000;
    const maxBytes = 10_000;
    fc.assert(
      fc.property(fc.array(fc.nat(maxBytes), { minLength: 1, maxLength: 40 }), sizes => {
        const keeping = new Inflater({ maxBytes, keptBytes });
        const inflated = sizes.map((size, i) => {
          const content = Buffer.alloc(size, `${i} `);
          const found = keeping.inflate(deflateRawSync(content), size);
          // What fails is written as well, and keeps nothing from being found but what it is written over.
          const most = i % 3 === 0 ? maxBytes : 10;
          assert.equal(keeping.inflate(deflateRawSync(Buffer.alloc(1.1 * most, 'x'), { level: 0 }), most), 'too long');
          assert.ok(typeof found === 'object');
          return { content, position: found.position };
        });
        let since = 0;
        for (const { content, position } of inflated.reverse()) {
          const found = keeping.contentAt(position, content.length);
          since += content.length;
          if (found !== undefined) assert.ok(found.equals(content));
          else assert.ok(since > keptBytes - maxBytes);
        }
        if (since > keptBytes + 3 * maxBytes)
          assert.equal(keeping.contentAt(inflated.at(-1)?.position ?? 0, 1), undefined);
      }),
      { numRuns: 100 },
    );
  });
});

/** The same as zlib finds; near its end a stream may be found cut off before it is found damaged, and too long before it is found cut off. */
function checkAsZlib(stream: Uint8Array): void {
  const found = inflate(stream);
  const expected = inflateByZlib(stream);
  if (typeof found === 'object' || typeof expected === 'object') assert.deepEqual(found, expected);
  else if (found !== expected) assert.ok(`${found}, ${expected}` === 'cut off, damaged' || expected === 'cut off');
}

/** A number of so many bits, lowest first. */
function number(value: number, bits: number): string {
  return [...value.toString(2).padStart(bits, '0')].reverse().join('');
}

/** Bits as deflate has them in bytes, lowest first. */
function bytesOf(bits: string): Buffer {
  const bytes = bits.match(/.{1,8}/g) ?? [];
  return Buffer.from(bytes.map(byte => Number.parseInt([...byte].reverse().join(''), 2)));
}
