import { buffer } from 'node:stream/consumers';
import { writePack } from '../../src/git/pack.ts';
import type { PackedObject } from '../../src/git/packed-object.ts';

/** The bytes of a pack with these objects. */
export const packOf = (objects: readonly PackedObject[]): Promise<Buffer> => buffer(writePack(objects));
