/**
 * Files in a part of a zip whose directory is not there yet, by the headers in front of their data and the descriptors behind it. Anything may look
 * like a file: what is found is none until the directory says the same of it (`read-zip`).
 */
import { type CompressedFile, methods } from './inflate-entry.ts';
import { localHeaderBytes, signatures } from './zip-records.ts';

/** What is looked through. */
export interface ZipPart {
  readonly bytes: Buffer;
  /** Only files whose headers begin before this are looked for. */
  readonly headersBefore: number;
  /** Of all contents together, as declared: no more files are looked for then. */
  readonly maxContentBytes: number;
  readonly maxFiles: number;
}

/** Deflated files that are whole in the part, in their order and without their names. It takes one way through the bytes, whatever they are. */
export function findFiles({ bytes, headersBefore, maxContentBytes, maxFiles }: ZipPart): CompressedFile[] {
  const found: CompressedFile[] = [];
  let contentBytes = 0;
  for (let at = bytes.indexOf(localSignature); at >= 0 && at < headersBefore && found.length < maxFiles; ) {
    const file = readFile(bytes, at);
    // What begins in a file, or behind it, can't be in the part when its end is not.
    if (file === undefined) break;
    contentBytes += file.bytes;
    if (contentBytes > maxContentBytes) break;
    if (file.method === methods.deflated) found.push(file);
    at = bytes.indexOf(localSignature, file.data.end);
  }
  return found;
}

const localSignature = signatureBytes(signatures.local);
const descriptorSignature = signatureBytes(signatures.descriptor);
/** With a signature, and without zip64's long sizes (4.3.9). */
const descriptorBytes = 16;

function signatureBytes(signature: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(signature);
  return bytes;
}

/** The file whose header is at `at`; undefined where its data ends beyond the part, or can't be seen to end. */
function readFile(bytes: Buffer, at: number): CompressedFile | undefined {
  if (at + localHeaderBytes > bytes.length) return undefined;
  const method = bytes.readUInt16LE(at + 8);
  const start = at + localHeaderBytes + bytes.readUInt16LE(at + 26) + bytes.readUInt16LE(at + 28);
  const hasDescriptor = (bytes.readUInt16LE(at + 6) & 8) !== 0;
  const end = hasDescriptor ? findDescriptor(bytes, start) : start + bytes.readUInt32LE(at + 18);
  if (end === undefined || end > bytes.length) return undefined;
  const crc32 = bytes.readUInt32LE(hasDescriptor ? end + 4 : at + 14);
  const declared = bytes.readUInt32LE(hasDescriptor ? end + 12 : at + 22);
  return { name: '', method, bytes: declared, crc32, data: { bulk: bytes, start, end } };
}

/** Where the data that begins at `start` has a descriptor behind it that says how long it is. */
function findDescriptor(bytes: Buffer, start: number): number | undefined {
  let at = bytes.indexOf(descriptorSignature, start);
  while (at >= 0 && at + descriptorBytes <= bytes.length) {
    if (bytes.readUInt32LE(at + 8) === at - start) return at;
    at = bytes.indexOf(descriptorSignature, at + 1);
  }
  return undefined;
}
