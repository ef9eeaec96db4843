/** Reading a pack on a thread of its own, so that this one can go on: one such thread reads all packs of the process. */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { giveWay } from '../give-way.ts';
import type { Bulk } from '../spool/slice.ts';
import type { SliceStore } from '../spool/slice-store.ts';
import { openSpool, SpoolFault } from '../spool/spool.ts';
import { CorruptPack } from './errors.ts';
import { type ObjectBatch, readObjectBatch } from './object-batch.ts';
import type { ObjectId } from './object-id.ts';
import type { PackBytes, PackJob, PackNews } from './pack-thread.ts';
import type { ReadObject, ReadPack, ReadPackOptions } from './read-pack.ts';

export interface ReadPackOnThreadOptions extends Pick<ReadPackOptions, 'maxBytes' | 'maxContentBytes' | 'signal'> {
  /** Gets the blobs. */
  readonly blobs: SliceStore;
}

/** Bytes of a pack that are sent at once, and how many such parts may wait to be read. */
const partBytes = 128 * 1024;
const maxWaiting = 8;

export interface CheckedPack {
  readonly pack: ReadPack;
  /** The SHA-1 of all before it, which is the pack's trailer. */
  readonly checksum: string;
}

/** As readPack with `blobs`, for packs that are whole. */
export async function readPackOnThread(
  source: AsyncIterable<Uint8Array>,
  { maxBytes, maxContentBytes, blobs, signal }: ReadPackOnThreadOptions,
): Promise<CheckedPack> {
  signal.throwIfAborted();
  const worker = packThread();
  const { port1, port2 } = new MessageChannel();
  const limits = { maxBytes, ...(maxContentBytes !== undefined && { maxContentBytes }) };
  worker.postMessage({ port: port2, limits, spoolAboveBytes: blobs.spoolAboveBytes } satisfies PackJob, [port2]);
  const reading = new Reading(port1, blobs);
  const leave = () => reading.fail(signal.reason);
  const end = () => reading.fail(new Error('the thread that reads packs has ended'));
  signal.addEventListener('abort', leave);
  worker.once('exit', end);
  try {
    await reading.send(source);
    const { bulks, checksum } = await reading.finish();
    return { pack: await objectsOf(reading.batches, bulks), checksum };
  } finally {
    worker.off('exit', end);
    signal.removeEventListener('abort', leave);
    port1.close();
  }
}

let started: Worker | undefined;

function packThread(): Worker {
  if (started !== undefined) return started;
  // The extension is that of this file: `.ts`, or `.js` once it is built.
  const worker = new Worker(new URL(import.meta.url.replace(/read-pack-on-thread(\.[jt]s)$/, 'pack-thread$1')));
  worker.unref();
  // Those who wait for it are told by its exit.
  worker.on('error', () => {});
  worker.once('exit', () => {
    started = undefined;
  });
  started = worker;
  return worker;
}

/** What comes when all objects are there. */
interface PackEnd {
  /** The blobs lie in them. */
  readonly bulks: readonly Bulk[];
  readonly checksum: string;
}

/** What the thread has of one pack, and what came back. */
class Reading {
  readonly batches: ObjectBatch[] = [];
  readonly #port: MessagePort;
  readonly #blobs: SliceStore;
  /** What is being filled, and how far. */
  #part: Uint8Array<ArrayBuffer> | undefined;
  #filled = 0;
  readonly #returned: Uint8Array<ArrayBuffer>[] = [];
  #waiting = 0;
  #end: PackEnd | undefined;
  #failure: { readonly reason: unknown } | undefined;
  #wake = () => {};

  constructor(port: MessagePort, blobs: SliceStore) {
    this.#port = port;
    this.#blobs = blobs;
    port.on('message', (news: PackNews) => this.#hear(news));
  }

  fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.#wake();
  }

  async send(source: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const piece of source) {
      for (let at = 0; at < piece.byteLength; ) {
        await this.#until(() => this.#waiting < maxWaiting || undefined);
        this.#part ??= this.#returned.pop() ?? new Uint8Array(partBytes);
        const some = piece.subarray(at, at + partBytes - this.#filled);
        this.#part.set(some, this.#filled);
        this.#filled += some.byteLength;
        at += some.byteLength;
        if (this.#filled === partBytes) this.#post();
      }
      if (this.#waiting === 0) this.#post();
    }
    this.#post();
    this.#port.postMessage('end' satisfies PackBytes);
  }

  #post(): void {
    const part = this.#part;
    if (part === undefined) return;
    this.#port.postMessage({ part, bytes: this.#filled } satisfies PackBytes, [part.buffer]);
    this.#part = undefined;
    this.#filled = 0;
    this.#waiting += 1;
  }

  finish(): Promise<PackEnd> {
    return this.#until(() => this.#end);
  }

  #hear(news: PackNews): void {
    switch (news.kind) {
      case 'taken':
        this.#waiting -= 1;
        this.#returned.push(news.part);
        break;
      case 'objects':
        this.batches.push(news.batch);
        break;
      case 'done': {
        const bulks = news.bulks.map(bulk =>
          bulk instanceof Uint8Array ? Buffer.from(bulk.buffer, bulk.byteOffset, bulk.byteLength) : openSpool(bulk),
        );
        this.#end = { bulks, checksum: news.checksum };
        this.#blobs.adopt(bulks);
        break;
      }
      case 'failed':
        this.fail(faultOf(news));
    }
    this.#wake();
  }

  /** Waits until `find` finds something. */
  async #until<T>(find: () => T | undefined): Promise<T> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.reason;
      const found = find();
      if (found !== undefined) return found;
      await new Promise<void>(resolve => {
        this.#wake = resolve;
      });
    }
  }
}

/** Errors lose their class on the way. */
function faultOf({ name, error }: Extract<PackNews, { kind: 'failed' }>): unknown {
  if (!(error instanceof Error)) return error;
  if (name === 'CorruptPack') return new CorruptPack(error.message, { cause: error });
  return name === 'SpoolFault' ? new SpoolFault(error.message, { cause: error }) : error;
}

async function objectsOf(batches: readonly ObjectBatch[], bulks: readonly Bulk[]): Promise<ReadPack> {
  const objects = new Map<ObjectId, ReadObject>();
  for (const batch of batches) {
    for (const object of readObjectBatch(batch, bulks)) objects.set(object.id, object);
    await giveWay();
  }
  return objects;
}
