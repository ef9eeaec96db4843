/** What runs on the thread that reads packs: a job is a port, over which the pack comes and its objects go back. */
import { on } from 'node:events';
import { type MessagePort, parentPort, type Transferable } from 'node:worker_threads';
import { lowerPriority } from '../lower-priority.ts';
import { SliceStore } from '../spool/slice-store.ts';
import type { SpoolFile } from '../spool/spool.ts';
import { type DigestThread, startDigestThread } from './digest-thread.ts';
import { CorruptPack } from './errors.ts';
import { type ObjectBatch, ObjectBatchWriter } from './object-batch.ts';
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
  | { readonly kind: 'objects'; readonly batch: ObjectBatch }
  | { readonly kind: 'done'; readonly bulks: readonly (Uint8Array | SpoolFile)[]; readonly checksum: string }
  | { readonly kind: 'failed'; readonly error: unknown; readonly name: string };

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
  let checksum = '';
  try {
    await readPack(received(port, signal), {
      ...limits,
      blobs: store,
      digestThread: digestThread(),
      onObject: object => sender.add(object),
      onChecksum: found => {
        checksum = found.toString('hex');
      },
      signal,
    });
    sender.flush();
    const bulks = await store.detach();
    send(
      { kind: 'done', bulks, checksum },
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
  readonly #batch: ObjectBatchWriter;
  readonly #send: (news: PackNews) => void;
  #heldBytes = 0;

  constructor(store: SliceStore, send: (news: PackNews) => void) {
    this.#batch = new ObjectBatchWriter(bulk => store.bulks.lastIndexOf(bulk));
    this.#send = send;
  }

  add(object: ReadObject): void {
    if (object.blob === undefined) this.#heldBytes += object.size;
    if (this.#heldBytes > maxHeldBytes)
      throw new CorruptPack(`the pack holds more than ${maxHeldBytes} bytes beside its files`);
    this.#batch.add(object);
    if (this.#batch.size === batchSize || this.#batch.byteLength >= batchBytes) this.flush();
  }

  flush(): void {
    this.#send({ kind: 'objects', batch: this.#batch.take() });
  }
}

if (parentPort) {
  lowerPriority();
  parentPort.on('message', (job: PackJob) => void run(job));
}
