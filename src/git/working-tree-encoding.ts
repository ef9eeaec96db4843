import { isUtf8 } from 'node:buffer';
import iconv from 'iconv-lite';

/** A `working-tree-encoding` that git refuses, or for which our bytes need not be git's. */
export class UnknownEncoding extends Error {
  override readonly name = 'UnknownEncoding';
  readonly encoding: string;
  constructor(encoding: string) {
    super(`cannot encode a file as .gitattributes asks: the working-tree-encoding ${encoding} is not known here`);
    this.encoding = encoding;
  }
}

/**
 * Encodes UTF-8 as git does with glibc: content that is no UTF-8, or has a character that the encoding lacks, is the same Buffer again, of which git
 * only warns. Throws UnknownEncoding.
 */
export function encodeForWorkingTree(content: Buffer, encoding: string): Buffer {
  const encode = encoders.get(encoding.toUpperCase().replace(/^UTF-?/, 'UTF-'));
  if (encode === undefined) throw new UnknownEncoding(encoding);
  return isUtf8(content) ? (encode(content.toString()) ?? content) : content;
}

/** Gives undefined for text that can't be encoded. */
type Encoder = (text: string) => Buffer | undefined;

const utf =
  (codec: string, addBOM: boolean): Encoder =>
  text =>
    iconv.encode(text, codec, { addBOM });

const charset =
  (codec: string): Encoder =>
  text => {
    // Tags, which have no form of their own, are left out by glibc.
    const visible = text.replace(/[\u{e0000}-\u{e007f}]/gu, '');
    const encoded = iconv.encode(visible, codec);
    // For iconv-lite U+FFFD is any byte that is no character.
    return !visible.includes('\ufffd') && iconv.decode(encoded, codec) === visible ? encoded : undefined;
  };

/** Glibc's names of those character sets of which iconv-lite has the same table. It has others of SHIFT-JIS, EUC-JP, GB18030 and Big5. */
const charsets = [
  ...['ASCII', 'US-ASCII', 'LATIN1', 'LATIN-1', 'KOI8-R', 'KOI8-U', 'TIS-620'],
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16].flatMap(part => [`ISO-8859-${part}`, `ISO8859-${part}`]),
  ...[1250, 1251, 1252, 1253, 1254, 1256, 1257].flatMap(page => [`CP${page}`, `WINDOWS-${page}`]),
  ...[437, 850, 852, 855, 858, 866, 874, 936, 949].map(page => `CP${page}`),
];

/** By name in capitals. Where the name leaves the order of bytes open, it is that of the machine: x86's and ARM's. */
const encoders: ReadonlyMap<string, Encoder> = new Map([
  ['UTF-16', utf('utf-16le', true)],
  ['UTF-16LE-BOM', utf('utf-16le', true)],
  ['UTF-16BE-BOM', utf('utf-16be', true)],
  ['UTF-16LE', utf('utf-16le', false)],
  ['UTF-16BE', utf('utf-16be', false)],
  ['UTF-32', utf('utf-32le', true)],
  ['UTF-32LE', utf('utf-32le', false)],
  ['UTF-32BE', utf('utf-32be', false)],
  ...charsets.map(name => [name, charset(name)] as const),
  ['GBK', charset('CP936')],
]);
