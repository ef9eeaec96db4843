/** An upload, checked whole before anything is written: what module and version it is, and its files as git objects. */
import { checkBlob, checkTreePath, isReadByGit } from '../git/fsck.ts';
import type { ObjectId } from '../git/object-id.ts';
import type { PackedObject } from '../git/packed-object.ts';
import { giveWay, inTurns } from '../give-way.ts';
import { InvalidGoMod } from '../gomod/errors.ts';
import { findModulePath, parseGoMod } from '../gomod/go-mod.ts';
import { type H1, type HashedFile, hashFilesInSteps, hashGoMod } from '../gomod/h1.ts';
import { type ModulePath, parseModulePath } from '../gomod/module-path.ts';
import { isPseudoVersion, parsePseudoVersion } from '../gomod/pseudo-version.ts';
import { checkModuleVersion, parseVersion, type Version } from '../gomod/version.ts';
import { maxZipBytes, ZipCheck } from '../gomod/zip-rules.ts';
import type { Bulk, Slice } from '../spool/slice.ts';
import { InvalidZip } from '../zip/errors.ts';
import { isHeld, maxHeldBytes } from '../zip/inflate-entry.ts';
import { readZip, type ZipEntry } from '../zip/read-zip.ts';
import { maxParsedGoMod } from './dependency-go-mod.ts';
import { InvalidUpload, type UploadProblem } from './errors.ts';
import type { HashAhead } from './hash-ahead.ts';
import type { FileHashes, HashedEntry } from './hash-file.ts';
import { type Hashing, hashUpload } from './hash-upload.ts';
import { synthesizeGoMod } from './version-content.ts';

export interface Upload {
  readonly module: ModulePath;
  readonly version: Version;
  /** Each an object in `blobs`, where equal files are one. */
  readonly files: readonly UploadedFile[];
  readonly blobs: readonly PackedObject[];
  /** go.mod as it will be served: the zip's, or the line that stands for a missing one. */
  readonly goMod: Buffer;
  readonly zipHash: H1;
  readonly goModHash: H1;
  /** What `go` takes and a careful author would not: told, not refused. */
  readonly warnings: readonly string[];
}

export interface UploadedFile {
  /** Inside the module. */
  readonly path: string;
  readonly id: ObjectId;
}

export interface UploadTarget {
  readonly module: ModulePath;
  readonly version: Version;
}

export interface UploadListener {
  /** Hears of each file as it is known. */
  readonly onFile: (file: UploadedFile) => void;
  /** Gets the objects of the files before, each once, while nothing is wrong; the upload is read on when it resolves. */
  readonly onBlobs?: (blobs: readonly PackedObject[]) => Promise<void>;
}

export interface UploadToOpen {
  readonly body: Bulk;
  /** What was given the body's bytes as they came. */
  readonly ahead?: HashAhead | undefined;
  /** What the request's path says the zip is, if it says so. */
  readonly expected: UploadTarget | undefined;
}

/** An upload whose module and version are known; its files are being hashed. */
export interface OpenUpload extends AsyncDisposable {
  readonly target: UploadTarget;
  /** Reads the rest. Throws InvalidUpload with everything that is wrong at once. */
  read(listener: UploadListener): Promise<Upload>;
}

/**
 * Opens a module zip. Threads hash while directory and names are looked at.
 * Throws InvalidUpload with everything that is wrong with the zip's form, or with its module and version.
 */
export async function openUpload({ body, ahead, expected }: UploadToOpen, signal: AbortSignal): Promise<OpenUpload> {
  const isContentWanted = (entry: ZipEntry) => isRead(pathOf(entry));
  const hashing = hashUpload({ archive: body, ahead, isContentWanted, signal });
  let declaredBytes = 0;
  const hash = (entry: ZipEntry) => {
    declaredBytes += entry.bytes;
    // Nothing of what will be refused for its size.
    if (!entry.isDirectory && declaredBytes <= maxZipBytes) hashing.add(entry);
  };
  const dispose = () => hashing[Symbol.asyncDispose]();
  try {
    const entries = await readEntries(body, signal, hash);
    const target = readTarget(entries, expected);
    const read: OpenUpload['read'] = listener => readFiles({ entries, target, hashing, ...listener });
    return { target, read, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

interface FilesToRead extends UploadListener {
  readonly entries: readonly ZipEntry[];
  readonly target: UploadTarget;
  readonly hashing: Hashing<ZipEntry>;
}

async function readFiles({ entries, target, hashing, onFile, onBlobs }: FilesToRead): Promise<Upload> {
  // V8 optimizes what waits for nothing: so what is done with each file is a function of its own.
  const check = new ZipCheck(target);
  const problems: UploadProblem[] = [];
  const checkEntry = (entry: ZipEntry) => {
    check.add(entry);
    if (entry.isDirectory) return;
    const path = pathOf(entry);
    const refusal = checkTreePath(path) ?? checkSize(entry, path);
    if (refusal !== undefined) problems.push({ code: 'git', file: path, reason: refusal });
  };
  for (const entry of entries) {
    const turn = giveWay();
    if (turn !== undefined) await turn;
    checkEntry(entry);
  }
  const invalidNames = check.problems();
  if (invalidNames.length > 0) throw invalid(target, invalidNames);

  const files: UploadedFile[] = [];
  const ids = new Set<ObjectId>();
  const blobs: PackedObject[] = [];
  const hashed: HashedFile[] = [];
  let uploadedGoMod: Buffer | undefined;
  const take = ({ file, hashes }: HashedEntry<ZipEntry>) => {
    if (hashes instanceof InvalidZip) {
      problems.push(...hashes.problems);
      return;
    }
    const path = pathOf(file);
    const { id, sha256, content } = hashes;
    const uploaded = { path, id };
    hashed.push({ name: file.name, sha256 });
    files.push(uploaded);
    onFile(uploaded);
    if (!ids.has(id)) {
      ids.add(id);
      blobs.push({ kind: 'blob', id, size: file.bytes, zlib: asZlib(hashes) });
    }
    if (path === 'go.mod') uploadedGoMod = content;
    const unreadable = content && checkBlob(path, content);
    if (unreadable !== undefined) problems.push({ code: 'git', file: path, reason: unreadable });
  };
  let told = 0;
  for await (const batch of hashing.finish()) {
    for (const each of batch) {
      const turn = giveWay();
      if (turn !== undefined) await turn;
      take(each);
    }
    if (problems.length > 0) continue;
    await onBlobs?.(blobs.slice(told));
    told = blobs.length;
  }
  const read = uploadedGoMod && readGoMod(uploadedGoMod, target);
  problems.push(...(read?.problems ?? []));
  if (problems.length > 0) throw invalid(target, problems);
  const goMod = uploadedGoMod ?? synthesizeGoMod(target.module);
  return {
    ...target,
    files,
    blobs,
    goMod,
    zipHash: await inTurns(hashFilesInSteps(hashed)),
    goModHash: hashGoMod(goMod),
    warnings: read?.warnings ?? [],
  };
}

const invalid = (target: UploadTarget, problems: readonly UploadProblem[]): InvalidUpload =>
  new InvalidUpload(`cannot publish ${target.module} ${target.version}`, problems);

async function readEntries(
  body: Bulk,
  signal: AbortSignal,
  onEntry: (entry: ZipEntry) => void,
): Promise<readonly ZipEntry[]> {
  try {
    return await readZip(body, signal, onEntry);
  } catch (error) {
    if (!(error instanceof InvalidZip)) throw error;
    throw new InvalidUpload('cannot read the module zip', error.problems, { cause: error });
  }
}

/** Behind the `module@version/` that every entry begins with. */
const pathOf = ({ name }: ZipEntry): string => name.slice(name.indexOf('/', name.indexOf('@')) + 1);

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

/** Whether the file is looked into, here or by git. */
const isRead = (path: string): boolean => path === 'go.mod' || isReadByGit(path);

/** What is looked into is held whole, so it can't be larger than what is held. */
const checkSize = (entry: ZipEntry, path: string): string | undefined =>
  isHeld(entry) || !isRead(path) ? undefined : `no such file of over ${maxHeldBytes} bytes is read`;

/** A zip's deflate data as the zlib stream that git stores (RFC 1950): header, the very same data, checksum. */
function asZlib({ deflated, adler32 }: Pick<FileHashes, 'deflated' | 'adler32'>): (Uint8Array | Slice)[] {
  const checksum = Buffer.allocUnsafe(4);
  checksum.writeUInt32BE(adler32);
  const { bulk, start, end } = deflated;
  return [zlibHeader, Buffer.isBuffer(bulk) ? bulk.subarray(start, end) : deflated, checksum];
}

const zlibHeader = Buffer.from([0x78, 0x01]);
