import type { Spool } from './spool.ts';

/** Many bytes: in memory, or on the disk. */
export type Bulk = Buffer | Spool;

/** Adds an owner to bytes on the disk; see Spool. */
export function retain(bulk: Bulk): void {
  if (!Buffer.isBuffer(bulk)) bulk.retain();
}

export async function release(bulk: Bulk): Promise<void> {
  if (!Buffer.isBuffer(bulk)) await bulk[Symbol.asyncDispose]();
}

/** Some of them, from `start` up to `end`. */
export interface Slice {
  readonly bulk: Bulk;
  readonly start: number;
  readonly end: number;
}

/** The whole. */
export const sliceOf = (bulk: Bulk): Slice => ({ bulk, start: 0, end: bulk.byteLength });

export const sliceBytes = ({ start, end }: Slice): number => end - start;

/** The part of a slice that its own offsets name, as far as it goes. */
export const subslice = (slice: Slice, start: number, end: number): Slice => ({
  bulk: slice.bulk,
  start: Math.min(slice.start + start, slice.end),
  end: Math.min(slice.start + end, slice.end),
});

/** At once and without a copy where they are in memory; throws SpoolFault. */
export const readSlice = ({ bulk, start, end }: Slice): Buffer | Promise<Buffer> =>
  Buffer.isBuffer(bulk) ? bulk.subarray(start, end) : bulk.read(start, end);

const partBytes = 256 * 1024;

/** The bytes of a slice that may be too large to be held whole. */
export function* readParts(slice: Slice): Generator<Buffer | Promise<Buffer>, void> {
  for (let at = 0; slice.start + at < slice.end; at += partBytes) yield readSlice(subslice(slice, at, at + partBytes));
}

/** Keeps bytes where others are: behind them on the disk, or in memory. The calls must wait for each other. */
export async function appendTo(bulk: Bulk, parts: Iterable<Buffer> | AsyncIterable<Buffer>): Promise<Slice> {
  if (Buffer.isBuffer(bulk)) {
    const kept: Buffer[] = [];
    for await (const part of parts) kept.push(part);
    return sliceOf(Buffer.concat(kept));
  }
  const start = bulk.byteLength;
  for await (const part of parts) await bulk.append(part);
  return { bulk, start, end: bulk.byteLength };
}
