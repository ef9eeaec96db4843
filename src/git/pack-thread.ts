/** What runs on the thread that reads packs: a job is a port, over which the pack comes and its objects go back. */
import { on } from 'node:events';
import { type MessagePort, parentPort, type Transferable } from 'node:worker_threads';
import { giveWay } from '../give-way.ts';
import { lowerPriority } from '../lower-priority.ts';
import type { Bulk } from '../spool/slice.ts';
import { SliceStore } from '../spool/slice-store.ts';
import type { SpoolFile } from '../spool/spool.ts';
import type { Digested } from './deflated-blob.ts';
import { type DigestThread, startDigestThread } from './digest-thread.ts';
import { CorruptPack } from './errors.ts';
import type { ObjectId, ObjectKind } from './object-id.ts';
import { digestHere, type ReadObject, type ReadPack, readPack } from './read-pack.ts';

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

/** Bytes of a full batch of contents. */
const minThreadBytes = 1024 * 1024;

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
  try {
    const pack = await readPack(received(port, signal), { ...limits, blobs: store, digest, signal });
    for (const batch of batchesOf(pack, store.bulks)) {
      await giveWay();
      signal.throwIfAborted();
      send(batch);
    }
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

let digestThread: DigestThread | undefined;

/** Large batches on another thread: it needs some time to start, and what it is given is copied. */
async function digest(contents: readonly Buffer[]): Promise<readonly Digested[]> {
  const bytes = contents.reduce((sum, content) => sum + content.byteLength, 0);
  if (bytes < minThreadBytes) return await digestHere(contents);
  digestThread ??= startDigestThread(() => {
    digestThread = undefined;
  });
  return await digestThread.digest(contents);
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

function* batchesOf(pack: ReadPack, bulks: readonly Bulk[]): Generator<PackNews, void> {
  const indexes = new Map(bulks.map((bulk, i) => [bulk, i]));
  let objects: SentObject[] = [];
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  let held = 0;
  const batch = (): PackNews => ({ kind: 'objects', objects, bytes: Buffer.concat(pieces) });
  for (const object of pack.values()) {
    const piece = object.blob?.sha256 ?? object.content();
    objects.push(sentObject(object, indexes));
    pieces.push(piece);
    bytes += piece.byteLength;
    if (object.blob === undefined) held += piece.byteLength;
    if (held > maxHeldBytes) throw new CorruptPack(`the pack holds more than ${maxHeldBytes} bytes beside its files`);
    if (objects.length < batchSize && bytes < batchBytes) continue;
    yield batch();
    objects = [];
    pieces = [];
    bytes = 0;
  }
  yield batch();
}

function sentObject({ id, kind, size, blob }: ReadObject, indexes: ReadonlyMap<Bulk, number>): SentObject {
  if (blob === undefined) return { id, kind, size, blob };
  const { bulk, start, end } = blob.data;
  return { id, kind, size, blob: { crc32: blob.crc32, bulk: indexes.get(bulk) ?? -1, start, end } };
}

if (parentPort) {
  lowerPriority();
  parentPort.on('message', (job: PackJob) => void run(job));
}
