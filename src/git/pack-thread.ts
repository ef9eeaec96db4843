/** What runs on the thread that reads packs: a job is a port, over which the pack comes and its objects go back. */
import { on } from 'node:events';
import { type MessagePort, parentPort, type Transferable } from 'node:worker_threads';
import { lowerPriority } from '../lower-priority.ts';
import { SliceStore } from '../spool/slice-store.ts';
import type { SpoolFile } from '../spool/spool.ts';
import type { DeflatedBlob } from './deflated-blob.ts';
import { type DigestThread, startDigestThread } from './digest-thread.ts';
import { CorruptPack } from './errors.ts';
import type { ObjectId, ObjectKind } from './object-id.ts';
import { type ReadObject, readPack } from './read-pack.ts';

export interface PackJob {
  readonly port: MessagePort;
  readonly limits: { readonly maxBytes: number; readonly maxContentBytes?: number };
  /** Blobs of more bytes together are kept on the disk. */
  readonly spoolAboveBytes: number;
}

/** Over a job's port to the thread: the beginning of a part is of the pack, or there is no more of it. To close the port stops the job. */
export type PackBytes = { readonly part: Uint8Array<ArrayBuffer>; readonly bytes: number } | 'end';

/** Over a job's port from the thread. */
export type PackNews =
  | { readonly kind: 'taken'; readonly part: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'objects'; readonly objects: readonly SentObject[]; readonly bytes: Uint8Array }
  | { readonly kind: 'done'; readonly bulks: readonly (Uint8Array | SpoolFile)[] }
  | { readonly kind: 'failed'; readonly error: unknown; readonly name: string };

/** Of a blob the SHA-256 of its content is among the bytes that are sent with it, of all else the content. */
export interface SentObject {
  readonly id: ObjectId;
  readonly kind: ObjectKind;
  readonly size: number;
  /** Where a blob's deflate data is: which of the bulks, from where to where. */
  readonly blob:
    | { readonly crc32: number; readonly bulk: number; readonly start: number; readonly end: number }
    | undefined;
}

/** Objects that are sent at once, and bytes of those that are no blobs: a millisecond's work for who gets them. */
const batchSize = 500;
const batchBytes = 1024 * 1024;
/** Bytes of all of those, which are held as they are: the trees of a repository with as many files as are read take some tens of MB. */
const maxHeldBytes = 256 * 1024 * 1024;

async function run({ port, limits, spoolAboveBytes }: PackJob): Promise<void> {
  const controller = new AbortController();
  const { signal } = controller;
  port.once('close', () => controller.abort());
  const send = (news: PackNews, moved: Transferable[] = []) => port.postMessage(news, moved);
  const store = new SliceStore(spoolAboveBytes);
  const sender = new ObjectSender(store, send);
  try {
    await readPack(received(port, signal), {
      ...limits,
      blobs: store,
      digestThread: digestThread(),
      onObject: object => sender.add(object),
      signal,
    });
    sender.flush();
    const bulks = await store.detach();
    send(
      { kind: 'done', bulks },
      bulks.flatMap(bulk => ('file' in bulk ? bulk.file : bulk.buffer instanceof ArrayBuffer ? bulk.buffer : [])),
    );
  } catch (error) {
    send({ kind: 'failed', error, name: error instanceof Error ? error.name : '' });
    await store[Symbol.asyncDispose]();
  }
}

let startedDigestThread: DigestThread | undefined;

function digestThread(): DigestThread {
  startedDigestThread ??= startDigestThread(() => {
    startedDigestThread = undefined;
  });
  return startedDigestThread;
}

async function* received(port: MessagePort, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
  for await (const [message] of on(port, 'message', { signal }) as AsyncIterable<[PackBytes]>) {
    if (message === 'end') return;
    const { part, bytes } = message;
    yield part.subarray(0, bytes);
    // It goes back, to be filled again.
    port.postMessage({ kind: 'taken', part } satisfies PackNews, [part.buffer]);
  }
}

/** Sends objects in batches. */
class ObjectSender {
  readonly #store: SliceStore;
  readonly #send: (news: PackNews) => void;
  #objects: SentObject[] = [];
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #heldBytes = 0;

  constructor(store: SliceStore, send: (news: PackNews) => void) {
    this.#store = store;
    this.#send = send;
  }

  add(object: ReadObject): void {
    const { id, kind, size, blob } = object;
    const piece = blob?.sha256 ?? object.content();
    this.#objects.push({ id, kind, size, blob: blob && this.#place(blob) });
    this.#pieces.push(piece);
    this.#bytes += piece.byteLength;
    if (blob === undefined) this.#heldBytes += piece.byteLength;
    if (this.#heldBytes > maxHeldBytes)
      throw new CorruptPack(`the pack holds more than ${maxHeldBytes} bytes beside its files`);
    if (this.#objects.length === batchSize || this.#bytes >= batchBytes) this.flush();
  }

  flush(): void {
    this.#send({ kind: 'objects', objects: this.#objects, bytes: Buffer.concat(this.#pieces) });
    this.#objects = [];
    this.#pieces = [];
    this.#bytes = 0;
  }

  #place({ crc32, data: { bulk, start, end } }: DeflatedBlob): SentObject['blob'] {
    return { crc32, bulk: this.#store.bulks.lastIndexOf(bulk), start, end };
  }
}

if (parentPort) {
  lowerPriority();
  parentPort.on('message', (job: PackJob) => void run(job));
}
