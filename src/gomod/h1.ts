import { createHash } from 'node:crypto';
import { sortInSteps } from '../sort-in-steps.ts';

/** The hash of a module zip or of a go.mod as go.sum has it: `h1:` and a SHA-256 in base64. golang.org/x/mod/sumdb/dirhash */
export type H1 = string & { readonly __brand: 'H1' };

export interface HashedFile {
  /** As the zip has it, `example.com/lib@v1.2.3/lib.go`. */
  readonly name: string;
  /** Of the content: 32 bytes. */
  readonly sha256: Uint8Array;
}

/** Whether `text` is a hash in the one form that Go writes: the base64 of 32 bytes, padded, no stray bits. */
export function isH1(text: string): text is H1 {
  return /^h1:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(text);
}

/** Parses a hash; throws TypeError for anything that Go does not write, other algorithms included. */
export function parseH1(text: string): H1 {
  if (!isH1(text)) throw new TypeError(`not an h1: hash: ${JSON.stringify(text.slice(0, 60))}`);
  return text;
}

/**
 * The hash of a module zip from the hashes of all its entries, in any order. Throws TypeError for a name with a newline,
 * which would let one list pass for another. golang.org/x/mod/sumdb/dirhash.Hash1
 */
export function hashFiles(files: Iterable<HashedFile>): H1 {
  const steps = hashFilesInSteps(files);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Files of a step. */
const stepFiles = 500;

/** The same, in steps of about a millisecond. */
export function* hashFilesInSteps(files: Iterable<HashedFile>): Generator<void, H1, void> {
  const all = [...files];
  // Go orders strings by their UTF-8 bytes, JavaScript by UTF-16 units: beyond U+FFFF, where surrogates are, the two differ.
  const isBeyond = all.some(({ name }) => surrogate.test(name));
  const byBytes = (a: HashedFile, b: HashedFile) => Buffer.from(a.name).compare(Buffer.from(b.name));
  const sorted = yield* sortInSteps(all, isBeyond ? byBytes : inOrder);
  const hash = createHash('sha256');
  for (let at = 0; at < sorted.length; at += stepFiles) {
    yield;
    hash.update(linesOf(sorted.slice(at, at + stepFiles)));
  }
  return `h1:${hash.digest('base64')}` as H1;
}

function linesOf(files: readonly HashedFile[]): string {
  // All sums in one piece: to make hex of each takes longer than all the rest.
  const sums = Buffer.alloc(files.length * sumBytes);
  files.forEach(({ sha256 }, i) => {
    sums.set(sha256, i * sumBytes);
  });
  const hex = sums.toString('hex');
  const lines = files.map(({ name }, i) => {
    if (name.includes('\n')) throw new TypeError(`a file name with a newline has no h1: hash: ${JSON.stringify(name)}`);
    return `${hex.slice(i * sumBytes * 2, (i + 1) * sumBytes * 2)}  ${name}\n`;
  });
  return lines.join('');
}

/** Bytes of a SHA-256. */
const sumBytes = 32;

const surrogate = /[\ud800-\udfff]/;

const inOrder = (a: HashedFile, b: HashedFile): number => (a.name < b.name ? -1 : Number(a.name > b.name));

/** The hash of a go.mod, as go.sum's `/go.mod` lines have it: that of a list with this one file. cmd/go modfetch, goModSum */
export function hashGoMod(content: Uint8Array): H1 {
  return hashFiles([{ name: 'go.mod', sha256: createHash('sha256').update(content).digest() }]);
}
