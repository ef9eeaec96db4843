/**
 * The form of a go.mod file, without its meaning: tokens, lines, blocks, comments.
 *
 * The rules are those of golang.org/x/mod v0.42.0 modfile/read.go (named in brackets below), which takes more than
 * go.dev/ref/mod#go-mod-file-lexical: what is accepted, the tokens, and the positions of faults are Go's. Two differences:
 * characters that are newer than Go's Unicode tables but known to Node count as printable; and a comment behind a string
 * that a backslash carries over the end of its line is dropped, where Go gives it to some line before.
 *
 * Statements are handed out one by one, and nothing recurses, so that 16 MB of hostile text cost time but not the heap.
 */
import { isUtf8 } from 'node:buffer';
import { InvalidGoMod } from './errors.ts';

/** A place in the file, from 1. Columns count characters, and every byte of broken UTF-8 as one [Position]. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** The head of `verb ( … )`. The lines inside follow it as statements of their own. */
export interface Block {
  readonly kind: 'block';
  readonly start: Position;
  readonly tokens: readonly string[];
  readonly before: readonly string[];
}

/** A line of at least one token. Tokens and comments are as written, with quotes, slashes and the end of the line. */
export interface Line {
  readonly kind: 'line';
  readonly start: Position;
  /** Inside a block without the block's own. */
  readonly tokens: readonly string[];
  /** The whole-line comments right above. Inside a block those above blank lines too, and `''` for the blank lines. */
  readonly before: readonly string[];
  /** The comment that ends the line. */
  readonly suffix: string | undefined;
  readonly block: Block | undefined;
}

/** The statements of a go.mod file. Throws InvalidGoMod with one problem at the first text that can't be one. */
export function* readStatements(content: Uint8Array): Generator<Line | Block, void> {
  const lexer = new Lexer(decodeUtf8(content));
  let before: string[] = [];
  for (;;) {
    switch (lexer.next.kind) {
      case 'end':
        return;
      case 'newline': // a blank line parts a comment from what follows [parseFile]
        lexer.take();
        before = [];
        break;
      case 'comment':
        before.push(lexer.take().text);
        break;
      default:
        yield* readStatement(lexer, before);
        before = [];
    }
  }
}

/** One line, or one block with its lines. `(` opens a block only where nothing, or only `)`, follows it [parseStmt]. */
function* readStatement(lexer: Lexer, before: readonly string[]): Generator<Line | Block, void> {
  const { start } = lexer.next;
  const tokens: string[] = [];
  for (;;) {
    const token = lexer.take();
    if (token.text === '(' && tokens.length > 0) {
      const block: Block = { kind: 'block', start, tokens, before };
      if (endsLine(lexer.next)) {
        yield block;
        yield* readBlockLines(lexer, block);
        return;
      }
      if (lexer.next.text === ')') {
        const close = lexer.take();
        if (endsLine(lexer.next)) {
          lexer.take();
          yield block;
          return;
        }
        tokens.push(token.text, close.text);
        continue;
      }
    }
    tokens.push(token.text);
    if (endsLine(lexer.next)) {
      yield { kind: 'line', start, tokens, before, suffix: takeSuffix(lexer, start, token.end), block: undefined };
      return;
    }
  }
}

/** The lines of a block, from the end of its first line to behind its `)` [parseLineBlock]. */
function* readBlockLines(lexer: Lexer, block: Block): Generator<Line, void> {
  let before: string[] = [];
  let isFirst = true;
  for (;;) {
    const { kind, text, start, end } = lexer.next;
    if (kind === 'end') {
      const { line, column } = block.start;
      throw fault(end, `syntax error (unterminated block started at go.mod:${line}:${column})`);
    } else if (kind === 'suffix') {
      lexer.take();
    } else if (kind === 'newline') {
      lexer.take();
      if (before.length > 0 ? before.at(-1) !== '' : !isFirst) before.push('');
    } else if (kind === 'comment') {
      before.push(lexer.take().text);
    } else if (text === ')') {
      lexer.take();
      if (!endsLine(lexer.next)) throw fault(lexer.next.end, 'syntax error (expected newline after closing paren)');
      lexer.take();
      return;
    } else {
      const tokens: string[] = [];
      let tokensEnd = end;
      while (!endsLine(lexer.next)) {
        const token = lexer.take();
        tokens.push(token.text);
        tokensEnd = token.end;
      }
      yield { kind: 'line', start, tokens, before, suffix: takeSuffix(lexer, start, tokensEnd), block };
      before = [];
      isFirst = false;
    }
  }
}

function endsLine({ kind }: Token): boolean {
  return kind === 'newline' || kind === 'suffix' || kind === 'end';
}

/** Takes the end of a line; the comment there is the line's if it begins and ends on one [assignComments]. */
function takeSuffix(lexer: Lexer, start: Position, end: Position): string | undefined {
  const { kind, text } = lexer.take();
  return kind === 'suffix' && start.line === end.line ? text : undefined;
}

interface Token {
  /** A `comment` has its line to itself, a `suffix` stands behind other tokens; both include the end of the line. */
  readonly kind: 'text' | 'newline' | 'comment' | 'suffix' | 'end';
  readonly text: string;
  readonly start: Position;
  readonly end: Position;
}

/** Cuts text into tokens [readToken], one ahead of the reader: so the first of two faults is the one that Go meets first. */
class Lexer {
  readonly #text: string;
  #index = 0;
  #here: Position = { line: 1, column: 1 };
  #lineHasTokens = false;
  /** The token that `take` gives next. */
  next: Token;

  constructor(text: string) {
    this.#text = text;
    this.next = this.#read();
  }

  take(): Token {
    const token = this.next;
    this.next = this.#read();
    return token;
  }

  #read(): Token {
    const text = this.#text;
    let begin = this.#index;
    while (text[begin] === ' ' || text[begin] === '\t' || text[begin] === '\r') begin++;
    this.#moveTo(begin);

    const char = text[begin];
    if (char === undefined) return this.#token('end', begin);
    if (char === '\n') return this.#token('newline', begin + 1);
    if ('()[]{},'.includes(char)) return this.#token('text', begin + 1);
    if (char === '"' || char === '`') return this.#token('text', this.#endOfString(char));
    if (text.startsWith('//', begin)) {
      const newline = text.indexOf('\n', begin);
      return this.#token(this.#lineHasTokens ? 'suffix' : 'comment', newline < 0 ? text.length : newline + 1);
    }
    return this.#token('text', this.#endOfWord());
  }

  #token(kind: Token['kind'], endIndex: number): Token {
    const start = this.#here;
    const text = this.#text.slice(this.#index, endIndex);
    this.#moveTo(endIndex);
    this.#lineHasTokens = kind === 'text';
    return { kind, text, start, end: this.#here };
  }

  /** A string ends on the line it begins on, but in `"…"` a backslash takes whatever follows it, a line feed too. */
  #endOfString(quote: '"' | '`'): number {
    let index = this.#index + 1;
    for (;;) {
      const char = this.#text[index];
      if (char === undefined) throw fault(this.#here, 'unexpected EOF in string');
      if (char === '\n') throw this.#faultAt(index, 'unexpected newline in string');
      if (char === quote) return index + 1;
      index += char === '\\' && quote === '"' ? 2 : 1;
    }
  }

  /** A word is anything printable [isIdent], inner quotes too, up to a comment. */
  #endOfWord(): number {
    const begin = this.#index;
    const printable = /[^\p{C}\p{Z}()[\]{},]{1,1000}/uy; // no longer, as V8 keeps a stack of the characters it took
    printable.lastIndex = begin;
    let end = begin;
    while (printable.test(this.#text)) end = printable.lastIndex;

    const word = this.#text.slice(begin, end);
    if (word === '') {
      const rune = String.fromCodePoint(this.#text.codePointAt(begin) ?? 0);
      throw fault(this.#here, `unexpected input character ${quoteGo(rune, "'")}`);
    }
    const comment = word.search(/\/[/*]/);
    if (comment < 0) return end;
    if (word[comment + 1] === '/') return begin + comment;
    throw this.#faultAt(begin + comment, 'mod files must use // comments (not /* */ comments)');
  }

  #faultAt(index: number, reason: string): InvalidGoMod {
    this.#moveTo(index);
    return fault(this.#here, reason);
  }

  #moveTo(index: number): void {
    let { line, column } = this.#here;
    for (let i = this.#index; i < index; i++) {
      const unit = this.#text.charCodeAt(i);
      if (unit === 0x0a) {
        line++;
        column = 1;
      } else if (unit < 0xd800 || unit > 0xdbff) {
        column++; // the second half of a surrogate pair counts for both
      }
    }
    this.#here = { line, column };
    this.#index = index;
  }
}

function fault({ line, column }: Position, reason: string): InvalidGoMod {
  return new InvalidGoMod([{ line, column, reason }]);
}

const escapes = new Map([
  ['a', '\x07'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['v', '\v'],
]);
const escapeNames = new Map(Array.from(escapes, ([name, char]) => [char, name]));

/** Text in quotes, as Go's `%q` writes it (strconv.Quote, strconv.QuoteRune). */
export function quoteGo(text: string, quote: '"' | "'" = '"'): string {
  const quoted = text.replace(/["'\\]|(?! )[\p{C}\p{Z}]/gu, char => {
    if (char === '\\' || char === quote) return `\\${char}`;
    if (char === '"' || char === "'") return char;
    const name = escapeNames.get(char);
    if (name !== undefined) return `\\${name}`;
    const code = char.codePointAt(0) ?? 0;
    const hex = code.toString(16);
    if (code < 0x20 || code === 0x7f) return `\\x${hex.padStart(2, '0')}`;
    return code < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
  });
  return quote + quoted + quote;
}

/** What a `"…"` token means; undefined if a backslash begins no escape of Go's (strconv.Unquote). */
export function unquoteGo(token: string): string | undefined {
  const pieces = /[^\\]+|\\(?:[abfnrtv\\"]|x[\da-fA-F]{2}|[0-3][0-7]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8})|\\/gu;
  let bytes = ''; // one a character, since \x and octal escapes may spell out UTF-8
  for (const [piece] of token.slice(1, -1).matchAll(pieces)) {
    if (piece === '\\') return undefined;
    const kind = piece[0] === '\\' ? piece.charAt(1) : undefined;
    if (kind === undefined) {
      bytes += utf8Bytes(piece);
    } else if (kind === 'u' || kind === 'U') {
      const code = Number.parseInt(piece.slice(2), 16);
      if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined;
      bytes += utf8Bytes(String.fromCodePoint(code));
    } else if (kind === 'x') {
      bytes += String.fromCharCode(Number.parseInt(piece.slice(2), 16));
    } else if (/[0-7]/.test(kind)) {
      bytes += String.fromCharCode(Number.parseInt(piece.slice(1), 8));
    } else {
      bytes += escapes.get(kind) ?? kind;
    }
  }
  return decodeUtf8(Buffer.from(bytes, 'latin1'));
}

function utf8Bytes(text: string): string {
  return Buffer.from(text).toString('latin1');
}

/** Decodes as Go ranges over a string: each byte outside of a well-formed sequence is a U+FFFD. A BOM stays. */
function decodeUtf8(content: Uint8Array): string {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  if (isUtf8(bytes)) return bytes.toString();
  const mended = Buffer.from(bytes);
  let index = 0;
  for (let lead = mended[index]; lead !== undefined; lead = mended[index]) {
    const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (length === 1 || isUtf8(mended.subarray(index, index + length))) {
      index += length;
    } else {
      mended[index++] = 0xff; // never part of a sequence: toString makes one U+FFFD of it
    }
  }
  return mended.toString();
}
