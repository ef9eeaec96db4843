/**
 * Inflates deflate streams (RFC 1951) that lie in memory whole, from memory to memory. It is AssemblyScript: `npm run assemble` makes
 * `../inflate-wasm.ts` of it.
 *
 * The way is that of today's fast decoders: 64 bits of the stream are at hand, and of a code so many bits at once look up a table that
 * most codes are found in one step. What is longer leads to a second table.
 */

/** What `inflate` gives where it fails: all else is a number of bytes. */
export const damaged: i32 = -1;
export const cutOff: i32 = -2;
export const tooLong: i32 = -3;

/** Bytes behind a stream and behind the room for its content that `inflate` may read, and fill with anything. */
export const slackBytes: i32 = 288;

/** How many bits of a code a table is looked up with, and how many entries it has at most, with the tables behind it (zlib's enough.c). */
const literalBits: u32 = 10;
const literalTable = memory.data(1334 * 4);
const distanceBits: u32 = 8;
const distanceTable = memory.data(402 * 4);
const lengthBits: u32 = 7;
const lengthTable = memory.data(128 * 4);

// An entry: bits 0 to 5 say how many bits of the stream it stands for, its code and those that are added to a value; bits 8 to 11 how
// many its code has, or, of a second table, how many bits that is looked up with; bits 16 to 31 a value, or where the second table is.
// So an entry is shifted by as it is: WebAssembly takes the lowest six bits of that, or five for 32 bits, and the next ones are 0.
const isLiteral: u32 = 1 << 31;
const isSpecial: u32 = 1 << 15;
const isTable: u32 = 1 << 14;
const isEnd: u32 = 1 << 13;

/** The bits of each symbol's code, of literals and lengths and then of distances; 288 and 32 where they are fixed. */
const codeBits = memory.data(328);
/** Of the alphabet in hand: symbols by their codes, how many have codes of so many bits, and which of `sorted` is the next of those. */
const sorted = memory.data(288 * 2);
const counts = memory.data(16 * 4);
const places = memory.data(16 * 4);

const maxCodeBits: u32 = 15;
const endOfBlock: u32 = 256;

// 3.2.5: what lengths and distances begin at, and how many bits are added to them.
const lengthBase = memory.data<u16>([
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
]);
const lengthExtra = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
]);
const distanceBase = memory.data<u16>([
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12289, 16385, 24577,
]);
/** 3.2.7: in which order the lengths of the codes for lengths come. */
const lengthOrder = memory.data<u8>([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]);

/** What symbols mean: their entries but for the bits of their codes. */
const literalMeanings = memory.data(288 * 4);
const distanceMeanings = memory.data(32 * 4);
const lengthMeanings = memory.data(19 * 4);

for (let i: u32 = 0; i < 288; i++) {
  store<u32>(literalMeanings + (i << 2), i < endOfBlock ? isLiteral | (i << 16) : isSpecial);
}
store<u32>(literalMeanings + (endOfBlock << 2), isSpecial | isEnd);
for (let i: u32 = 0; i < 29; i++) {
  const meaning = load<u8>(lengthExtra + i) | ((<u32>load<u16>(lengthBase + (i << 1))) << 16);
  store<u32>(literalMeanings + ((i + 257) << 2), meaning);
}
for (let i: u32 = 0; i < 30; i++) {
  const extra = i < 2 ? 0 : (i >> 1) - 1;
  store<u32>(distanceMeanings + (i << 2), extra | ((<u32>load<u16>(distanceBase + (i << 1))) << 16));
}
store<u32>(distanceMeanings + (30 << 2), isSpecial);
store<u32>(distanceMeanings + (31 << 2), isSpecial);
for (let i: u32 = 0; i < 19; i++) store<u32>(lengthMeanings + (i << 2), i << 16);

/** Where memory is free for streams and contents. */
export function freeFrom(): usize {
  return __heap_base;
}

/** Whether the tables are those of fixed codes: blocks that have them may be very short. */
let areTablesFixed = false;

/** Of how many bytes the last stream was that was inflated. */
export let taken: u32 = 0;

/**
 * Inflates the stream that begins at `source` and has `sourceBytes` at most, to `target`, which has room for `targetBytes`. Both have
 * `slackBytes` behind them. Gives the bytes of the content, or what is wrong: the stream is damaged, or there is more of it, or of its content.
 */
export function inflate(source: usize, sourceBytes: u32, target: usize, targetBytes: u32): i32 {
  const sourceEnd = source + sourceBytes;
  const targetEnd = target + targetBytes;
  let at = source;
  let out = target;
  // Of `bits` the lowest `count` are the next of the stream. Those above are 0, or the very ones that a refill puts there. While symbols are read,
  // `count` is what its lowest six bits say.
  let bits: u64 = 0;
  let count: u64 = 0;
  for (let isLast = false; !isLast; ) {
    bits |= load<u64>(at) << count;
    at += <usize>((63 - count) >> 3);
    count |= 56;
    isLast = (bits & 1) !== 0;
    const kind = <u32>(bits >> 1) & 3;
    bits >>= 3;
    count -= 3;
    if (kind === 0) {
      at -= <usize>(count >> 3);
      if (at + 4 > sourceEnd) return cutOff;
      const size: u32 = load<u16>(at);
      if (size !== (<u32>load<u16>(at + 2) ^ 0xffff)) return damaged;
      at += 4;
      if (at + size > sourceEnd) return cutOff;
      if (out + size > targetEnd) return tooLong;
      memory.copy(out, at, size);
      at += size;
      out += size;
      bits = 0;
      count = 0;
      continue;
    }
    if (kind === 3) return fault(at, sourceEnd);
    if (kind === 1) {
      if (!areTablesFixed) buildFixedTables();
      areTablesFixed = true;
    } else {
      const literals = <u32>(bits & 31) + 257;
      const distances = <u32>((bits >> 5) & 31) + 1;
      const lengths = <u32>((bits >> 10) & 15) + 4;
      bits >>= 14;
      count -= 14;
      if (literals > 286 || distances > 30) return fault(at, sourceEnd);
      memory.fill(codeBits, 0, 19);
      for (let i: u32 = 0; i < lengths; i++) {
        if (count < 3) {
          bits |= load<u64>(at) << count;
          at += <usize>((63 - count) >> 3);
          count |= 56;
        }
        store<u8>(codeBits + load<u8>(lengthOrder + i), <u8>(bits & 7));
        bits >>= 3;
        count -= 3;
      }
      if (!buildTable(lengthTable, lengthBits, codeBits, 19)) return fault(at, sourceEnd);
      const all = literals + distances;
      for (let i: u32 = 0; i < all; ) {
        // A code and what is added to it have 14 bits at most.
        if (count < 14) {
          if (at > sourceEnd + 8) return cutOff;
          bits |= load<u64>(at) << count;
          at += <usize>((63 - count) >> 3);
          count |= 56;
        }
        const entry = load<u32>(lengthTable + ((<usize>bits & ((1 << lengthBits) - 1)) << 2));
        const symbol = entry >> 16;
        bits >>= entry & 0xff;
        count -= entry & 0xff;
        if (symbol < 16) {
          store<u8>(codeBits + i, <u8>symbol);
          i++;
          continue;
        }
        if (symbol === 16 && i === 0) return fault(at, sourceEnd);
        const repeated: u8 = symbol === 16 ? load<u8>(codeBits + i - 1) : 0;
        const extra: u32 = symbol === 16 ? 2 : symbol === 17 ? 3 : 7;
        const times: u32 = (symbol === 18 ? 11 : 3) + (<u32>bits & ((1 << extra) - 1));
        bits >>= extra;
        count -= extra;
        if (i + times > all) return fault(at, sourceEnd);
        const eight = bytesOf(repeated);
        for (let filled: u32 = 0; filled < times; filled += 8) store<u64>(codeBits + i + filled, eight);
        i += times;
      }
      areTablesFixed = false;
      const isWhole =
        load<u8>(codeBits + endOfBlock) !== 0 &&
        buildTable(literalTable, literalBits, codeBits, literals) &&
        buildTable(distanceTable, distanceBits, codeBits + literals, distances);
      if (!isWhole) return fault(at, sourceEnd);
    }
    bits |= load<u64>(at) << count;
    at += <usize>(~count >> 3) & 7;
    count |= 56;
    // What a round begins with is looked up before the round before it has copied its match.
    let entry = load<u32>(literalTable + ((<usize>bits & ((1 << literalBits) - 1)) << 2));
    for (;;) {
      // A round writes three literals and a match at most, and 15 bytes more: less than the slack.
      if (at > sourceEnd + 8) return cutOff;
      if (out > targetEnd) return at - (<usize>(count >> 3) & 7) > sourceEnd ? cutOff : tooLong;
      if (entry & isLiteral) {
        bits >>= entry;
        count -= entry;
        store<u8>(out++, <u8>(entry >> 16));
        entry = load<u32>(literalTable + ((<usize>bits & ((1 << literalBits) - 1)) << 2));
        if (entry & isLiteral) {
          bits >>= entry;
          count -= entry;
          store<u8>(out++, <u8>(entry >> 16));
          entry = load<u32>(literalTable + ((<usize>bits & ((1 << literalBits) - 1)) << 2));
          if (entry & isLiteral) {
            bits >>= entry;
            count -= entry;
            store<u8>(out++, <u8>(entry >> 16));
            bits |= load<u64>(at) << count;
            at += <usize>(~count >> 3) & 7;
            count |= 56;
            entry = load<u32>(literalTable + ((<usize>bits & ((1 << literalBits) - 1)) << 2));
            continue;
          }
        }
        // A length and a distance have 48 bits at most.
        bits |= load<u64>(at) << count;
        at += <usize>(~count >> 3) & 7;
        count |= 56;
      }
      if (entry & isSpecial) {
        if (entry & isTable) {
          bits >>= literalBits;
          count -= literalBits;
          entry = entryOfSecond(literalTable, entry, bits);
          if (entry & isLiteral) {
            bits >>= entry;
            count -= entry;
            store<u8>(out++, <u8>(entry >> 16));
            bits |= load<u64>(at) << count;
            at += <usize>(~count >> 3) & 7;
            count |= 56;
            entry = load<u32>(literalTable + ((<usize>bits & ((1 << literalBits) - 1)) << 2));
            continue;
          }
        }
        if (entry & isSpecial) {
          if (!(entry & isEnd)) return fault(at, sourceEnd);
          bits >>= entry;
          count -= entry;
          break;
        }
      }
      const length = numberOf(entry, bits);
      bits >>= entry;
      count -= entry;
      entry = load<u32>(distanceTable + ((<usize>bits & ((1 << distanceBits) - 1)) << 2));
      if (entry & isTable) {
        bits >>= distanceBits;
        count -= distanceBits;
        entry = entryOfSecond(distanceTable, entry, bits);
      }
      if (entry & isSpecial) return fault(at, sourceEnd);
      const distance = numberOf(entry, bits);
      bits >>= entry;
      count -= entry;
      bits |= load<u64>(at) << count;
      at += <usize>(~count >> 3) & 7;
      count |= 56;
      entry = load<u32>(literalTable + ((<usize>bits & ((1 << literalBits) - 1)) << 2));
      if (distance > <u32>(out - target)) return fault(at, sourceEnd);
      copyMatch(out, distance, length);
      out += length;
    }
    count &= 63;
  }
  at -= <usize>(count >> 3);
  if (at > sourceEnd) return cutOff;
  if (out > targetEnd) return tooLong;
  taken = <u32>(at - source);
  return <i32>(out - target);
}

/** What makes no sense may be what lies behind a stream that is cut off. */
function fault(at: usize, sourceEnd: usize): i32 {
  return at > sourceEnd ? cutOff : damaged;
}

/** The value that an entry begins at, and the bits behind its code that are added to it. */
function numberOf(entry: u32, bits: u64): u32 {
  return (entry >> 16) + ((<u32>bits & ((1 << entry) - 1)) >> (entry >> 8));
}

function entryOfSecond(table: usize, entry: u32, bits: u64): u32 {
  const places: u32 = (1 << ((entry >> 8) & 15)) - 1;
  return load<u32>(table + ((<usize>((entry >> 16) + (<u32>bits & places))) << 2));
}

/** Repeats what is `distance` before `out`. It may write 32 bytes where `length` is less, and 15 more than a greater one. */
function copyMatch(out: usize, distance: u32, length: u32): void {
  const end = out + length;
  if (distance >= 16) {
    // Most matches are no longer, and for these there is nothing to decide.
    v128.store(out, v128.load(out - distance));
    v128.store(out, v128.load(out - distance, 16), 16);
    for (out += 32; out < end; out += 16) v128.store(out, v128.load(out - distance));
  } else if (distance >= 8) {
    for (; out < end; out += 8) store<u64>(out, load<u64>(out - distance));
  } else if (distance === 1) {
    const bytes = bytesOf(load<u8>(out - 1));
    for (; out < end; out += 8) store<u64>(out, bytes);
  } else {
    for (; out < end; out++) store<u8>(out, load<u8>(out - distance));
  }
}

/** Eight times the same byte. */
function bytesOf(byte: u64): u64 {
  const four = byte * 0x01010101;
  return (four << 32) | four;
}

/** 3.2.6. */
function buildFixedTables(): void {
  memory.fill(codeBits, 8, 144);
  memory.fill(codeBits + 144, 9, 112);
  memory.fill(codeBits + 256, 7, 24);
  memory.fill(codeBits + 280, 8, 8);
  memory.fill(codeBits + 288, 5, 32);
  buildTable(literalTable, literalBits, codeBits, 288);
  buildTable(distanceTable, distanceBits, codeBits + 288, 32);
}

/** Makes the table of an alphabet whose codes have `lengths` bits (3.2.2); false where there is no such code, or a part of it means nothing. */
function buildTable(table: usize, tableBits: u32, lengths: usize, symbols: u32): bool {
  memory.fill(counts, 0, 16 * 4);
  for (let i: u32 = 0; i < symbols; i++) {
    const count = counts + ((<usize>load<u8>(lengths + i)) << 2);
    store<u32>(count, load<u32>(count) + 1);
  }
  let coded: u32 = 0;
  let free: i32 = 1;
  for (let bits: u32 = 1; bits <= maxCodeBits; bits++) {
    const count = load<u32>(counts + (bits << 2));
    store<u32>(places + (bits << 2), coded);
    coded += count;
    free = (free << 1) - <i32>count;
    if (free < 0) return false;
  }
  for (let i: u32 = 0; i < symbols; i++) {
    const bits: u32 = load<u8>(lengths + i);
    if (bits === 0) continue;
    const place = load<u32>(places + (bits << 2));
    store<u16>(sorted + (place << 1), <u16>i);
    store<u32>(places + (bits << 2), place + 1);
  }
  if (free > 0) return buildPoorTable(table, tableBits, coded);

  let code: u32 = 0;
  let done: u32 = 0;
  let bits: u32 = 1;
  // As long as codes are shorter, so is the table. Each bit more doubles it.
  for (; bits <= tableBits; bits++) {
    const size: usize = (<usize>4) << (bits - 1);
    memory.copy(table + size, table, size);
    for (let n = load<u32>(counts + (bits << 2)); n > 0; n--) {
      store<u32>(table + ((<usize>code) << 2), entryOf(table, done++, bits));
      code = codeAfter(code, bits);
    }
  }
  const main: u32 = (1 << tableBits) - 1;
  let prefix: u32 = -1;
  let second: u32 = 0;
  let secondSize: u32 = 0;
  let end: u32 = main + 1;
  for (; done < coded; bits++) {
    const rest = bits - tableBits;
    for (let n = load<u32>(counts + (bits << 2)); n > 0; n--) {
      if ((code & main) !== prefix) {
        prefix = code & main;
        second = end;
        const secondBits = bitsOfSecond(bits, n, tableBits);
        secondSize = 1 << secondBits;
        end += secondSize;
        store<u32>(table + ((<usize>prefix) << 2), isSpecial | isTable | (second << 16) | (secondBits << 8));
      }
      const entry = entryOf(table, done++, rest);
      for (let i = code >> tableBits; i < secondSize; i += 1 << rest)
        store<u32>(table + ((<usize>(second + i)) << 2), entry);
      code = codeAfter(code, bits);
    }
  }
  return true;
}

/** A table with places that no code leads to: only where there is one code of one bit, or none at all, as zlib has it. */
function buildPoorTable(table: usize, tableBits: u32, coded: u32): bool {
  if (table === lengthTable || coded > 1 || load<u32>(counts + 4) !== coded) return false;
  const entry = coded === 0 ? isSpecial : entryOf(table, 0, 1);
  for (let i: usize = 0; i < (<usize>1) << tableBits; i += 2) {
    store<u32>(table + (i << 2), entry);
    store<u32>(table + (i << 2) + 4, isSpecial);
  }
  return true;
}

/** How many bits a second table is looked up with, whose first code is of `bits`, and so are `n` that follow: until no more fits in. */
function bitsOfSecond(bits: u32, n: u32, tableBits: u32): u32 {
  let free: i32 = 1 << (bits - tableBits);
  for (free -= n; free > 0; free = (free << 1) - load<u32>(counts + (bits << 2))) bits++;
  return bits - tableBits;
}

/** The entry of one of the `sorted` symbols, whose code has `bits` in this table. */
function entryOf(table: usize, place: u32, bits: u32): u32 {
  const meanings =
    table === literalTable ? literalMeanings : table === distanceTable ? distanceMeanings : lengthMeanings;
  return load<u32>(meanings + ((<usize>load<u16>(sorted + (place << 1))) << 2)) + (bits | (bits << 8));
}

/** The code that comes after one of as many bits. Codes lie in a stream with their first bit lowest, and count so. */
function codeAfter(code: u32, bits: u32): u32 {
  const zeros = ~code & ((1 << bits) - 1);
  if (zeros === 0) return code;
  const highest: u32 = 1 << (31 - <u32>clz(zeros));
  return (code & (highest - 1)) | highest;
}
