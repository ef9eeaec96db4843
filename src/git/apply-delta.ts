/** What a delta says about the two objects that it leads from and to, in bytes. */
export interface DeltaSizes {
  readonly baseSize: number;
  readonly resultSize: number;
  /** Where its instructions begin. */
  readonly start: number;
}

/** Reads the head of a delta; throws RangeError where it is cut off or makes no sense. */
export function parseDeltaSizes(delta: Buffer): DeltaSizes {
  const base = readSize(delta, 0);
  const result = readSize(delta, base.end);
  return { baseSize: base.size, resultSize: result.size, start: result.end };
}

/** Seven bits a byte, lowest first, the top bit saying that more follow. */
function readSize(bytes: Buffer, start: number): { size: number; end: number } {
  let size = 0;
  let unit = 1;
  let end = start;
  for (;;) {
    const byte = bytes.readUInt8(end);
    end += 1;
    size += (byte & 0x7f) * unit;
    unit *= 128;
    if (!Number.isSafeInteger(size)) throw new RangeError('a delta names a size beyond all bounds');
    if (byte < 0x80) return { size, end };
  }
}

/**
 * Builds an object from its base: gitformat-pack(5), "Deltified representation".
 * Throws RangeError for a delta that is not of this base or reaches beyond it, or whose result has another size than it says.
 */
export function applyDelta(base: Buffer, delta: Buffer): Buffer {
  const { baseSize, resultSize, start } = parseDeltaSizes(delta);
  if (baseSize !== base.byteLength) throw new RangeError(`a delta of ${baseSize} bytes was given ${base.byteLength}`);
  const result = Buffer.allocUnsafe(resultSize);
  let written = 0;
  let at = start;
  const take = (from: Buffer, begin: number, size: number) => {
    if (begin + size > from.byteLength || written + size > resultSize) {
      throw new RangeError('a delta reaches beyond its base, itself or its result');
    }
    from.copy(result, written, begin, begin + size);
    written += size;
  };
  while (at < delta.byteLength) {
    const instruction = delta.readUInt8(at);
    at += 1;
    if (instruction === 0) throw new RangeError('a delta has an instruction that git does not know');
    if (instruction < 0x80) {
      take(delta, at, instruction);
      at += instruction;
      continue;
    }
    // Bits 0 to 3 say which bytes of the offset follow, bits 4 to 6 which of the size; the others are zero.
    const [offset, size] = [0, 4].map(firstBit => {
      let value = 0;
      for (let byte = 0; byte < (firstBit === 0 ? 4 : 3); byte += 1) {
        if ((instruction & (1 << (firstBit + byte))) === 0) continue;
        value += delta.readUInt8(at) * 256 ** byte;
        at += 1;
      }
      return value;
    });
    take(base, offset ?? 0, size || 0x10000);
  }
  if (written !== resultSize) throw new RangeError(`a delta makes ${written} bytes and says ${resultSize}`);
  return result;
}
