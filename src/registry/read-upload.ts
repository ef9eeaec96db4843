/** An upload, checked whole before anything is written: what module and version it is, and its files as git objects. */
import { createHash } from 'node:crypto';
import { checkBlob, checkTreePath, isReadByGit } from '../git/fsck.ts';
import { beginObjectHash, type ObjectId } from '../git/object-id.ts';
import type { PackedObject } from '../git/packed-object.ts';
import { InvalidGoMod } from '../gomod/errors.ts';
import { findModulePath, parseGoMod } from '../gomod/go-mod.ts';
import { type H1, hashFiles, hashGoMod } from '../gomod/h1.ts';
import { type ModulePath, parseModulePath } from '../gomod/module-path.ts';
import { isPseudoVersion, parsePseudoVersion } from '../gomod/pseudo-version.ts';
import { checkModuleVersion, parseVersion, type Version } from '../gomod/version.ts';
import { checkZipEntries } from '../gomod/zip-rules.ts';
import { adler32 } from '../zip/adler32.ts';
import { InvalidZip } from '../zip/errors.ts';
import { inflateEntry, inflatePieces, maxHeldBytes, readZip, type ZipEntry } from '../zip/read-zip.ts';
import { maxParsedGoMod } from './dependency-go-mod.ts';
import { InvalidUpload, type UploadProblem } from './errors.ts';
import { synthesizeGoMod } from './version-content.ts';

export interface Upload {
  readonly module: ModulePath;
  readonly version: Version;
  /** The files, by path inside the module; each an object in `blobs`, where equal files are one. */
  readonly files: readonly { readonly path: string; readonly id: ObjectId }[];
  readonly blobs: readonly PackedObject[];
  /** go.mod as it will be served: the zip's, or the line that stands for a missing one. */
  readonly goMod: Buffer;
  readonly zipHash: H1;
  readonly goModHash: H1;
  /** What `go` takes and a careful author would not: told, not refused. */
  readonly warnings: readonly string[];
}

export interface UploadTarget {
  readonly module: ModulePath;
  readonly version: Version;
}

/**
 * Reads a module zip. `expected` is what the request's path says it is, if it says so.
 * Throws InvalidUpload with everything that is wrong with it at once.
 */
export async function readUpload(
  body: Buffer,
  expected: UploadTarget | undefined,
  signal: AbortSignal,
): Promise<Upload> {
  const entries = await readEntries(body);
  const target = readTarget(entries, expected);
  const problems: UploadProblem[] = checkZipEntries({ ...target, entries });
  if (problems.length > 0) throw invalid(target, problems);

  const prefix = `${target.module}@${target.version}/`;
  const files: { path: string; id: ObjectId }[] = [];
  const blobs = new Map<ObjectId, PackedObject>();
  const hashes: { name: string; sha256: Buffer }[] = [];
  let uploadedGoMod: Buffer | undefined;
  for (const entry of entries) {
    if (entry.isDirectory) continue;
    signal.throwIfAborted();
    const path = entry.name.slice(prefix.length);
    try {
      const refusal = checkTreePath(path) ?? checkSize(entry, path);
      if (refusal !== undefined) {
        problems.push({ code: 'git', file: path, reason: refusal });
        continue;
      }
      const { blob, sha256, content } = await readFile(entry);
      hashes.push({ name: entry.name, sha256 });
      files.push({ path, id: blob.id });
      if (!blobs.has(blob.id)) blobs.set(blob.id, blob);
      if (path === 'go.mod') uploadedGoMod = content;
      const unreadable = content && checkBlob(path, content);
      if (unreadable !== undefined) problems.push({ code: 'git', file: path, reason: unreadable });
    } catch (error) {
      if (!(error instanceof InvalidZip)) throw error;
      problems.push(...error.problems);
    }
  }
  const read = uploadedGoMod && readGoMod(uploadedGoMod, target);
  problems.push(...(read?.problems ?? []));
  if (problems.length > 0) throw invalid(target, problems);
  const goMod = uploadedGoMod ?? synthesizeGoMod(target.module);
  return {
    ...target,
    files,
    blobs: [...blobs.values()],
    goMod,
    zipHash: hashFiles(hashes),
    goModHash: hashGoMod(goMod),
    warnings: read?.warnings ?? [],
  };
}

const invalid = (target: UploadTarget, problems: readonly UploadProblem[]): InvalidUpload =>
  new InvalidUpload(`cannot publish ${target.module} ${target.version}`, problems);

async function readEntries(body: Buffer): Promise<readonly ZipEntry[]> {
  try {
    return await readZip(body);
  } catch (error) {
    if (!(error instanceof InvalidZip)) throw error;
    throw new InvalidUpload('cannot read the module zip', error.problems, { cause: error });
  }
}

/** Module and version, by the `module@version/` in front of every entry. */
function readTarget(entries: readonly ZipEntry[], expected: UploadTarget | undefined): UploadTarget {
  const refuse = (code: string, file: string, reason: string): never => {
    throw new InvalidUpload('cannot tell which module and version the zip is', [{ code, file, reason }]);
  };
  const first = entries[0]?.name ?? refuse('empty', '', 'the zip has no entries; make one with "modforge pack"');
  const prefix = /^([^@]+)@([^/]+)\//.exec(first);
  if (!prefix)
    return refuse('prefix', first, 'every entry must begin with module@version/, as "modforge pack" makes it');
  let target: UploadTarget;
  try {
    target = { module: parseModulePath(prefix[1] ?? ''), version: parseVersion(prefix[2] ?? '') };
    // One that looks like a pseudo-version must be one: its name says its time.
    if (isPseudoVersion(target.version)) parsePseudoVersion(target.version);
  } catch (error) {
    return refuse('prefix', first, error instanceof Error ? error.message : String(error));
  }
  const mismatch = checkModuleVersion(target.module, target.version);
  if (mismatch !== undefined) refuse('version', '', mismatch);
  if (expected && (expected.module !== target.module || expected.version !== target.version)) {
    const asked = `${expected.module}@${expected.version}`;
    refuse('path', '', `the request is for ${asked}, the zip is ${target.module}@${target.version}`);
  }
  return target;
}

const maxWarnings = 8;

function readGoMod(content: Buffer, { module, version }: UploadTarget) {
  const problems: UploadProblem[] = [];
  const warnings: string[] = [];
  const problem = (reason: string) => problems.push({ code: 'go-mod', file: 'go.mod', reason });
  const isLarge = content.byteLength > maxParsedGoMod;
  try {
    const declared = isLarge ? findModulePath(content) : parseGoMod(content, { mode: 'lax' }).module?.path;
    if (declared === undefined) problem(`it has no module line; add "module ${module}"`);
    else if (declared !== module) problem(`it says module ${declared}, the zip says ${module}`);
  } catch (error) {
    if (!(error instanceof InvalidGoMod)) throw error;
    for (const { line, column, reason } of error.problems) problem(`${line}:${column}: ${reason}`);
    return { problems, warnings };
  }
  if (version.endsWith('+incompatible'))
    problem('a +incompatible version has no go.mod; use the path with /vN instead');
  if (isLarge) {
    warnings.push(`go.mod: only its module line was read, since it has more than ${maxParsedGoMod} bytes`);
    return { problems, warnings };
  }
  try {
    parseGoMod(content, { mode: 'strict' });
  } catch (error) {
    if (!(error instanceof InvalidGoMod)) throw error;
    for (const { line, column, reason } of error.problems.slice(0, maxWarnings)) {
      warnings.push(`go.mod:${line}:${column}: ${reason.slice(0, 200)}`);
    }
  }
  return { problems, warnings };
}

/** A file that git reads is held whole to be checked, so it can't be larger than what is held. */
const checkSize = (entry: ZipEntry, path: string): string | undefined =>
  entry.bytes > maxHeldBytes && isReadByGit(path) ? `git reads no such file of over ${maxHeldBytes} bytes` : undefined;

interface UploadedFile {
  readonly blob: PackedObject;
  readonly sha256: Buffer;
  /** Undefined for a large file, which is never held whole. */
  readonly content: Buffer | undefined;
}

/** Inflates a file once, for its hashes; its blob keeps the zip's own deflate data. */
async function readFile(entry: ZipEntry): Promise<UploadedFile> {
  const sha256 = createHash('sha256');
  const blobHash = beginObjectHash('blob', entry.bytes);
  let checksum = 1;
  const take = (piece: Buffer) => {
    sha256.update(piece);
    blobHash.update(piece);
    checksum = adler32(piece, checksum);
  };
  let content: Buffer | undefined;
  let deflated: Buffer;
  if (entry.bytes > maxHeldBytes) {
    deflated = await inflatePieces(entry, take);
  } else {
    ({ content, deflated } = await inflateEntry(entry));
    take(content);
  }
  const blob: PackedObject = {
    kind: 'blob',
    id: blobHash.digest(),
    size: entry.bytes,
    zlib: asZlib(deflated, checksum),
  };
  return { blob, sha256: sha256.digest(), content };
}

/** A zip's deflate data as the zlib stream that git stores (RFC 1950): header, the very same data, checksum. */
function asZlib(deflated: Uint8Array, adler: number): Uint8Array[] {
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(adler);
  return [zlibHeader, deflated, checksum];
}

const zlibHeader = Buffer.from([0x78, 0x01]);
