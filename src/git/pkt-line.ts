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
  let rest: Buffer = Buffer.alloc(0);
  let isEmpty = true;
  for await (const piece of stream) {
    isEmpty &&= piece.byteLength === 0;
    rest =
      rest.byteLength === 0
        ? Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
        : Buffer.concat([rest, piece]);
    while (rest.byteLength >= 4) {
      const head = rest.toString('latin1', 0, 4);
      const length = Number.parseInt(head, 16);
      const special = specials[length];
      if (!/^[0-9a-f]{4}$/i.test(head) || length === 3) throw new ProtocolError('the answer is not in the form of git');
      if (special === undefined && rest.byteLength < length) break;
      yield special === undefined ? { kind: 'line', bytes: rest.subarray(4, length) } : { kind: special };
      rest = rest.subarray(special === undefined ? length : 4);
    }
  }
  if (isEmpty) throw new EmptyAnswer('the answer is empty');
  if (rest.byteLength > 0) throw cutOff();
}

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
