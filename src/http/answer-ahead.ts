import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type PlainRead, PlainReads } from './plain-reads.ts';

/**
 * Answers a connection's reads ahead of Node's parser, which with its request and response takes several times what the reply does.
 * To be called when Node's server has taken the connection. The first request is always Node's, which is what starts and ends its clocks; so
 * is whatever has no ready text, and all that follows a request in any other form than the most common one.
 */
export function answerAhead(
  socket: Socket,
  newest: () => ServerResponse | undefined,
  readyText: (read: PlainRead) => string | undefined,
): void {
  // Node's server has one listener, by which its parser gets what comes; a Node that does otherwise is left alone.
  const [parse, ...others] = socket.listeners('data') as ((bytes: Buffer) => void)[];
  if (parse === undefined || others.length > 0) return;
  const reads = new PlainReads();
  const answer = (bytes: Buffer): void => {
    const read = reads.parse(bytes);
    const isAnswered = newest()?.destroyed === true && socket.writable && socket.writableLength === 0;
    const text = read && isAnswered ? readyText(read) : undefined;
    if (text !== undefined) {
      socket.write(text, 'latin1');
      return;
    }
    if (read === undefined) socket.off('data', answer).on('data', parse);
    parse(bytes);
  };
  socket.on('data', answer).off('data', parse);
}
