import { InvalidGoMod } from '../gomod/errors.ts';
import { type GoMod, parseGoMod } from '../gomod/go-mod.ts';

/** Bytes. Parsing holds the event loop for some seconds a megabyte; a go.mod that people wrote has some kilobytes. */
export const maxParsedGoMod = 256 * 1024;

/** A go.mod read as that of a dependency; undefined where it can't be, or is too large, and so says nothing. */
export function readDependencyGoMod(content: Buffer | undefined): GoMod | undefined {
  if (content === undefined || content.byteLength > maxParsedGoMod) return undefined;
  try {
    return parseGoMod(content, { mode: 'lax' });
  } catch (error) {
    if (!(error instanceof InvalidGoMod)) throw error;
    return undefined;
  }
}
