/** Zips made byte by byte, so that a test can lie in any field of them (PKWARE's APPNOTE.TXT 6.3). */
import { crc32, deflateRawSync } from 'node:zlib';

/** An entry; what is left out is what an honest zip would have. */
export interface CraftedEntry {
  readonly name: string | Buffer;
  readonly content?: string | Buffer;
  /** 0 stored, 8 deflated: the default. */
  readonly method?: number;
  /** The compressed content, instead of what the method makes of the content. */
  readonly data?: Buffer;
  readonly crc32?: number;
  /** The declared sizes. */
  readonly bytes?: number;
  readonly compressedBytes?: number;
  readonly flags?: number;
  /** A Unix mode; without one the zip was made on MS-DOS. */
  readonly mode?: number;
  readonly extra?: Buffer;
  readonly comment?: string;
  /** Sizes and checksum behind the data: with a signature, without one, with sizes of eight bytes. */
  readonly descriptor?: 'signed' | 'bare' | 'zip64';
  /** The sizes and the offset in zip64 fields of the directory and the local header. */
  readonly zip64?: boolean;
  /** What the local header has instead of what the directory has; its descriptor too has this checksum. */
  readonly local?: Partial<HeaderFields>;
  /** Writes no local header and no data: the directory points to this offset. */
  readonly at?: number;
  /** Written between the data and the next entry. */
  readonly after?: Buffer;
}

interface HeaderFields {
  readonly name: string | Buffer;
  readonly method: number;
  readonly flags: number;
  readonly crc32: number;
  readonly bytes: number;
  readonly compressedBytes: number;
  readonly extra: Buffer;
}

export interface CraftedEnd {
  /** In front of everything; offsets do not count it, unless `countPrefix`. */
  readonly prefix?: Buffer;
  readonly countPrefix?: boolean;
  readonly comment?: string;
  /** Writes zip64 end records. */
  readonly zip64?: boolean;
  /** The declared number of entries in the plain end record, which then has its other numbers too. */
  readonly entryCount?: number;
  /** The same in zip64's. */
  readonly entryCount64?: number;
  /** The declared length of the directory, in the plain end record. */
  readonly directoryBytes?: number;
  /** The number of disks in zip64's locator; 1. */
  readonly disks?: number;
  /** Behind everything. */
  readonly suffix?: Buffer;
}

export function craftZip(entries: readonly CraftedEntry[], end: CraftedEnd = {}): Buffer {
  const base = end.countPrefix ? (end.prefix?.length ?? 0) : 0;
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = base;
  for (const entry of entries) {
    const fields = honestFields(entry);
    const at = entry.at ?? offset;
    directory.push(directoryHeader(entry, fields, at));
    if (entry.at !== undefined) continue;
    const written = Buffer.concat([
      localHeader(entry, { ...fields, ...(entry.descriptor ? noSizes : {}), ...entry.local }),
      fields.data,
      descriptor(entry, { ...fields, crc32: entry.local?.crc32 ?? fields.crc32 }),
      entry.after ?? Buffer.alloc(0),
    ]);
    parts.push(written);
    offset += written.length;
  }
  const listed = Buffer.concat(directory);
  return Buffer.concat([
    end.prefix ?? Buffer.alloc(0),
    ...parts,
    listed,
    endRecords(entries.length, offset, listed.length, end),
    end.suffix ?? Buffer.alloc(0),
  ]);
}

const noSizes = { crc32: 0, bytes: 0, compressedBytes: 0 };

function honestFields(entry: CraftedEntry): HeaderFields & { data: Buffer } {
  const content = Buffer.from(entry.content ?? '');
  const method = entry.method ?? 8;
  const data = entry.data ?? (method === 8 ? deflateRawSync(content) : content);
  return {
    name: entry.name,
    method,
    flags: (entry.flags ?? 0) | (entry.descriptor ? 8 : 0),
    crc32: entry.crc32 ?? crc32(content),
    bytes: entry.bytes ?? content.length,
    compressedBytes: entry.compressedBytes ?? data.length,
    extra: entry.extra ?? Buffer.alloc(0),
    data,
  };
}

function localHeader(entry: CraftedEntry, fields: HeaderFields): Buffer {
  const name = Buffer.from(fields.name);
  const [bytes, compressedBytes] = [fields.bytes, fields.compressedBytes];
  const extra = entry.zip64 ? Buffer.concat([fields.extra, zip64Field([bytes, compressedBytes])]) : fields.extra;
  return Buffer.concat([
    Buffer.from('PK\x03\x04'),
    u16(20, fields.flags, fields.method, 0, 0x21),
    u32(fields.crc32, entry.zip64 ? max32 : compressedBytes, entry.zip64 ? max32 : bytes),
    u16(name.length, extra.length),
    name,
    extra,
  ]);
}

function directoryHeader(entry: CraftedEntry, fields: HeaderFields, at: number): Buffer {
  const name = Buffer.from(fields.name);
  const comment = Buffer.from(entry.comment ?? '');
  const sizes = [fields.bytes, fields.compressedBytes, at];
  const extra = entry.zip64 ? Buffer.concat([fields.extra, zip64Field(sizes)]) : fields.extra;
  const narrow = (value: number) => (entry.zip64 ? max32 : value);
  return Buffer.concat([
    Buffer.from('PK\x01\x02'),
    u16(entry.mode === undefined ? 20 : (3 << 8) | 20, 20, fields.flags, fields.method, 0, 0x21),
    u32(fields.crc32, narrow(fields.compressedBytes), narrow(fields.bytes)),
    u16(name.length, extra.length, comment.length, 0, 0),
    u32(((entry.mode ?? 0) << 16) >>> 0, narrow(at)),
    name,
    extra,
    comment,
  ]);
}

function descriptor(entry: CraftedEntry, fields: HeaderFields): Buffer {
  if (!entry.descriptor) return Buffer.alloc(0);
  const sizes = [fields.compressedBytes, fields.bytes];
  return Buffer.concat([
    entry.descriptor === 'bare' ? Buffer.alloc(0) : Buffer.from('PK\x07\x08'),
    u32(fields.crc32),
    entry.descriptor === 'zip64' ? u64(...sizes) : u32(...sizes),
  ]);
}

function endRecords(count: number, offset: number, bytes: number, end: CraftedEnd): Buffer {
  const comment = Buffer.from(end.comment ?? '');
  const parts: Buffer[] = [];
  if (end.zip64) {
    const count64 = end.entryCount64 ?? count;
    parts.push(Buffer.from('PK\x06\x06'), u64(44), u16(45, 45), u32(0, 0), u64(count64, count64, bytes, offset));
    parts.push(Buffer.from('PK\x06\x07'), u32(0), u64(offset + bytes), u32(end.disks ?? 1));
  }
  const declared = end.entryCount ?? (end.zip64 ? 0xffff : count & 0xffff);
  parts.push(Buffer.from('PK\x05\x06'), u16(0, 0, declared, declared));
  parts.push(
    end.zip64 && end.entryCount === undefined ? u32(max32, max32) : u32(end.directoryBytes ?? bytes, offset),
    u16(comment.length),
    comment,
  );
  return Buffer.concat(parts);
}

const max32 = 0xffffffff;

const zip64Field = (sizes: readonly number[]): Buffer => Buffer.concat([u16(1, sizes.length * 8), u64(...sizes)]);

function numbers(width: 2 | 4, values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(values.length * width);
  values.forEach((value, i) => {
    buffer.writeUIntLE(value, i * width, width);
  });
  return buffer;
}

const u16 = (...values: number[]): Buffer => numbers(2, values);
const u32 = (...values: number[]): Buffer => numbers(4, values);

function u64(...values: number[]): Buffer {
  const buffer = Buffer.alloc(values.length * 8);
  values.forEach((value, i) => {
    buffer.writeBigUInt64LE(BigInt(value), i * 8);
  });
  return buffer;
}
