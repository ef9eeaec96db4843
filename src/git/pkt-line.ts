/**
 * Git's framing: gitprotocol-common(5), "pkt-line Format", and the bands of gitprotocol-pack(5).
 * A stream that ends within a line, or before the flush that closes what is read, is an error: what is cut off never looks complete.
 */

/** The other side does not speak the protocol as it is written, or stopped in the middle. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** There is nothing at all in the answer: so git behind HTTP tells that it does not understand, its complaint goes to a log. */
export class EmptyAnswer extends ProtocolError {}

/** The other side says by the protocol itself that it can't go on. */
export class RemoteFault extends Error {
  override readonly name = 'RemoteFault';
}

/** A line's bytes, or one of the special lines `0000`, `0001`, `0002`. */
export type Packet =
  | { readonly kind: 'line'; readonly bytes: Buffer }
  | { readonly kind: 'flush' | 'delimiter' | 'end'; readonly bytes?: undefined };

/** Lines as they arrive. */
export type Packets = AsyncGenerator<Packet, void>;

const maxLineBytes = 65_520;

/** A line as it is sent; text gets the line feed that git expects at its end. */
export function encodeLine(text: string): Buffer {
  const line = Buffer.from(`0000${text}\n`);
  line.write(line.byteLength.toString(16).padStart(4, '0'), 'latin1');
  if (line.byteLength > maxLineBytes) throw new RangeError(`a line of ${line.byteLength} bytes is too long for git`);
  return line;
}

export const flushPacket: Buffer = Buffer.from('0000');
export const delimiterPacket: Buffer = Buffer.from('0001');

/** Reads lines to the end of the stream; throws ProtocolError where it ends within one, EmptyAnswer where it ends before the first. */
export async function* readPackets(stream: AsyncIterable<Uint8Array>): Packets {
  const specials = ['flush', 'delimiter', 'end'] as const;
  let isEmpty = true;
  /** What is left of a piece: less than says how long a line is. */
  let rest: Buffer = Buffer.alloc(0);
  /** A line of which more is to come: long ones mostly end in the next piece, and are copied once. */
  let line: Buffer | undefined;
  let filled = 0;
  for await (const piece of stream) {
    isEmpty &&= piece.byteLength === 0;
    const received = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    const bytes = rest.byteLength === 0 ? received : Buffer.concat([rest, received]);
    let at = 0;
    if (line !== undefined) {
      at = bytes.copy(line, filled);
      filled += at;
      if (filled < line.byteLength) continue;
      yield { kind: 'line', bytes: line.subarray(headBytes) };
      line = undefined;
    }
    while (bytes.byteLength - at >= headBytes) {
      const head = bytes.toString('latin1', at, at + headBytes);
      const length = Number.parseInt(head, 16);
      const special = specials[length];
      if (!/^[0-9a-f]{4}$/i.test(head) || length === 3) throw new ProtocolError('the answer is not in the form of git');
      const end = at + (special === undefined ? length : headBytes);
      if (end > bytes.byteLength) {
        line = Buffer.allocUnsafe(length);
        filled = bytes.copy(line, 0, at);
        at = bytes.byteLength;
        break;
      }
      yield special === undefined ? { kind: 'line', bytes: bytes.subarray(at + headBytes, end) } : { kind: special };
      at = end;
    }
    rest = bytes.subarray(at);
  }
  if (isEmpty) throw new EmptyAnswer('the answer is empty');
  if (rest.byteLength > 0 || line !== undefined) throw cutOff();
}

/** A line's length in hexadecimal, these four included. */
const headBytes = 4;

/** The text of the next line, without its line feed, or the name of a special one. Throws ProtocolError at the stream's end, RemoteFault for an `ERR` line. */
export async function nextLine(packets: Packets): Promise<{ kind: Packet['kind']; text: string }> {
  const packet = await nextPacket(packets);
  return { kind: packet.kind, text: textOf(packet.bytes) };
}

/** The bytes of band 1, up to the flush; what band 2 says goes to `onText`, band 3 is thrown as RemoteFault. */
export async function* readBands(packets: Packets, onText: (text: string) => void): AsyncGenerator<Buffer, void> {
  for (;;) {
    const { kind, bytes } = await nextPacket(packets);
    if (kind === 'flush') return;
    switch (bytes?.at(0)) {
      case 1:
        yield bytes.subarray(1);
        break;
      case 2:
        onText(bytes.toString('utf8', 1));
        break;
      case 3:
        throw new RemoteFault(bytes.toString('utf8', 1));
      default:
        textOf(bytes);
        throw new ProtocolError('the answer has a line that belongs to no band');
    }
  }
}

async function nextPacket(packets: Packets): Promise<Packet> {
  const { value } = await packets.next();
  if (value === undefined) throw cutOff();
  return value;
}

const cutOff = () => new ProtocolError('the answer is cut off');

function textOf(line: Buffer | undefined): string {
  const text = line?.toString('utf8').replace(/\n$/, '') ?? '';
  if (text.startsWith('ERR ')) throw new RemoteFault(text.slice('ERR '.length));
  return text;
}
