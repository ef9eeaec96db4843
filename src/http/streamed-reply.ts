import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { giveWay } from '../give-way.ts';
import { readParts, type Slice } from '../spool/slice.ts';

/** A reply whose body is on the disk, and is read as the client takes it. */
export class StreamedReply {
  readonly status: number;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #body: Slice;

  constructor(status: number, headers: Readonly<Record<string, string>>, body: Slice) {
    this.status = status;
    this.#headers = headers;
    this.#body = body;
  }

  text(): undefined {}

  /** Resolves when nothing is left to read. Throws SpoolFault, and what pipeline throws where the client goes away. */
  async send(response: ServerResponse): Promise<void> {
    response.writeHead(this.status, this.#headers);
    await pipeline(Readable.from(partsInTurns(this.#body)), response);
  }
}

/** Of what is still being written much is at hand, and a fast client takes it all in one turn. */
async function* partsInTurns(body: Slice): AsyncGenerator<Buffer, void> {
  for (const part of readParts(body)) {
    await giveWay();
    yield await part;
  }
}
