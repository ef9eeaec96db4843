/** The checksum that ends a zlib stream (RFC 1950, section 8.2). Node computes it, but never shows it. `before` is that of what came before. */
export function adler32(content: Uint8Array, before = 1): number {
  let a = before & 0xffff;
  let b = before >>> 16;
  for (let at = 0; at < content.length; ) {
    const end = Math.min(at + blockBytes, content.length);
    for (; at < end; at++) {
      a += content[at] ?? 0;
      b += a;
    }
    a %= 65521;
    b %= 65521;
  }
  return ((b << 16) | a) >>> 0;
}

/** After so many bytes neither sum can have left the range of fast integers, 2³¹. */
const blockBytes = 3800;
