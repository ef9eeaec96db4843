import { SliceStore } from '../../src/spool/slice-store.ts';

/** Keeps everything as it is. */
export const inMemory = new SliceStore(Number.POSITIVE_INFINITY);
