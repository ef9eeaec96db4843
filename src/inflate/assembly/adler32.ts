/** Sums up for the checksum Adler-32 (RFC 1950, section 8.2), sixteen bytes at once. It is AssemblyScript, as `inflate.ts` is. */

/** How many bytes may be summed up in one call, and where they lie. */
export const scratchBytes: u32 = 65536;
export const scratch = memory.data(scratchBytes);

/**
 * How many bytes are summed up in lanes of 16 bits: 23 rows of 16. Rows of 0xff alone make a column's sum 23 * 255 = 5865, which as a factor
 * may be a signed number. The sum of that before each row is at most (0 + 1 + ... + 22) * 255 = 64515, less than 65536.
 */
const blockBytes: usize = 23 * 16;

const modulus: u64 = 65521;

/** The checksum of what is in `scratch`, where that of what came before is `before`. */
export function adler32(bytes: u32, before: u32): u32 {
  let at: usize = scratch;
  const end = at + bytes;
  // Of `scratchBytes` the larger sum is less than 2 ** 16 + 2 ** 16 * (2 ** 16 + 2 ** 16 * 2 ** 8) < 2 ** 41: the modulus can wait for the end.
  let a: u64 = before & 0xffff;
  let b: u64 = before >>> 16;
  while (at + 16 <= end) {
    const start = at;
    const blockEnd = min(at + blockBytes, end);
    // Of each of the 16 columns: the sum, and the sum of what that was before each row.
    let left = i16x8.splat(0);
    let right = i16x8.splat(0);
    let leftSums = i16x8.splat(0);
    let rightSums = i16x8.splat(0);
    for (; at + 16 <= blockEnd; at += 16) {
      leftSums = i16x8.add(leftSums, left);
      rightSums = i16x8.add(rightSums, right);
      left = i16x8.add(left, v128.load_ext<u8>(at));
      right = i16x8.add(right, v128.load_ext<u8>(at, 8));
    }
    // To `b` each byte adds itself as often as there are bytes from it to the end of the block: 16 times for each row that follows its own,
    // and in its own row 16 times in the first column and once in the last.
    const inRows = i32x4.add(
      i32x4.dot_i16x8_s(left, i16x8(16, 15, 14, 13, 12, 11, 10, 9)),
      i32x4.dot_i16x8_s(right, i16x8(8, 7, 6, 5, 4, 3, 2, 1)),
    );
    const ofRows = i32x4.add(pairsOf(leftSums), pairsOf(rightSums));
    b += (at - start) * a + sumOf(i32x4.add(i32x4.shl(ofRows, 4), inRows));
    a += sumOf(i32x4.add(pairsOf(left), pairsOf(right)));
  }
  for (; at < end; at++) {
    a += load<u8>(at);
    b += a;
  }
  return <u32>(((b % modulus) << 16) | (a % modulus));
}

function pairsOf(lanes: v128): v128 {
  return i32x4.extadd_pairwise_i16x8_u(lanes);
}

function sumOf(lanes: v128): u64 {
  return (
    i32x4.extract_lane(lanes, 0) +
    i32x4.extract_lane(lanes, 1) +
    i32x4.extract_lane(lanes, 2) +
    i32x4.extract_lane(lanes, 3)
  );
}
