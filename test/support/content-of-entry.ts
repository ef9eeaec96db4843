import { type CompressedFile, inflateEntry } from '../../src/zip/inflate-entry.ts';

/** A copy of what a zip's file holds. */
export async function contentOfEntry(file: CompressedFile): Promise<Buffer> {
  return await inflateEntry(file, content => Buffer.from(content));
}
