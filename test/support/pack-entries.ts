import { readFileSync } from 'node:fs';
import { gitBytes } from './git-bytes.ts';

/** An entry of a pack, as gitformat-pack(5) has it. */
export interface PackEntry {
  readonly id: string;
  readonly offset: number;
  /** 1 to 4 whole objects; 6 deltas that name their base by its offset, 7 by its id. */
  readonly type: number;
  /** How many deltas lead to it, and the id of what the last of them builds on; 0 and undefined for a whole object. */
  readonly depth: number;
  readonly base: string | undefined;
  /** With its head. */
  readonly bytes: Buffer;
}

/** The entries of the pack that lies at `path` beside its index, in its order, as git finds them. */
export function packEntries(path: string): PackEntry[] {
  const pack = readFileSync(path);
  const lines = gitBytes('/', ['verify-pack', '-v', path]).toString().split('\n');
  const entries = lines.flatMap(line => {
    const [, id, size, at, depth = '0', base] = form.exec(line) ?? [];
    if (id === undefined) return [];
    const offset = Number(at);
    const bytes = pack.subarray(offset, offset + Number(size));
    return [{ id, offset, type: (bytes.readUInt8(0) >> 4) & 7, depth: Number(depth), base, bytes }];
  });
  return entries.sort((a, b) => a.offset - b.offset);
}

/** Of a line: id, kind, size, size in the pack, offset, and of a delta the depth and the base. */
const form = /^([0-9a-f]{40}) \w+ +\d+ (\d+) (\d+)(?: (\d+) ([0-9a-f]{40}))?$/;
