import type { Conversion } from './attributes.ts';
import type { ObjectId } from './object-id.ts';
import { encodeForWorkingTree } from './working-tree-encoding.ts';

const lf = 0x0a;
const cr = 0x0d;

/**
 * A blob's content as `git archive` writes it (convert.c, convert_to_working_tree): the same Buffer where nothing changes.
 * Throws UnknownEncoding.
 */
export function toWorktreeContent(
  blob: { readonly id: ObjectId; readonly content: Buffer },
  conversion: Conversion | undefined,
): Buffer {
  let { content } = blob;
  if (conversion === undefined) return content;
  const { ident, crlf, encoding } = conversion;
  if (ident) content = expandIds(content, blob.id);
  if (crlf === 'any' || (crlf === 'text' && isTextWithoutCr(content))) content = toCrlf(content);
  if (encoding !== undefined && content.byteLength > 0) content = encodeForWorkingTree(content, encoding);
  return content;
}

/** `$Id$` and `$Id: …$` become the blob's id; a blank within shows that another version control system wrote it, and it stays. */
function expandIds(content: Buffer, id: ObjectId): Buffer {
  if (!content.includes('$Id')) return content;
  const bytes = content.toString('latin1');
  const expanded = bytes.replace(/\$Id(?::[^$\n]?[^$\n ]*[^$\n]?)?\$/g, `$$Id: ${id} $$`);
  return expanded === bytes ? content : Buffer.from(expanded, 'latin1');
}

function toCrlf(content: Buffer): Buffer {
  let loneLfs = 0;
  for (let at = content.indexOf(lf); at >= 0; at = content.indexOf(lf, at + 1))
    if (content[at - 1] !== cr) loneLfs += 1;
  if (loneLfs === 0) return content;
  const converted = Buffer.allocUnsafe(content.byteLength + loneLfs);
  let end = 0;
  for (const byte of content) {
    if (byte === lf && converted[end - 1] !== cr) converted[end++] = cr;
    converted[end++] = byte;
  }
  return converted;
}

/** What `text=auto` lets git convert: nothing with a CR or a NUL, or with more than one control character to 128 others. */
function isTextWithoutCr(content: Buffer): boolean {
  let printable = 0;
  let control = 0;
  for (const byte of content) {
    if (byte === 0x00 || byte === cr) return false;
    if (byte === lf) continue;
    // Backspace, tab, form feed and escape are in text.
    if (byte === 0x7f || (byte < 0x20 && ![0x08, 0x09, 0x0c, 0x1b].includes(byte))) control += 1;
    else printable += 1;
  }
  // The end-of-file mark of DOS.
  if (content.at(-1) === 0x1a) control -= 1;
  return control <= Math.floor(printable / 128);
}
