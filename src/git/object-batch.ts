/** Objects of a pack on their way from one thread to another: numbers in a row, since as many objects take several times as long to send. */
import type { Bulk } from '../spool/slice.ts';
import type { ObjectId } from './object-id.ts';
import { objectKinds } from './pack.ts';
import type { ReadObject } from './read-pack.ts';

export interface ObjectBatch {
  /** One behind the other. */
  readonly ids: string;
  /** For each object `numbersEach`: its kind, its size, and for a blob its CRC-32 and where its deflate data is: in which bulk, from where to where. */
  readonly numbers: Float64Array;
  /** One behind the other: of a blob that is kept the SHA-256 of its content, of all else the content. */
  readonly bytes: Uint8Array;
}

const idLength = 40;
const numbersEach = 6;
const sha256Bytes = 32;
/** In place of the bulk, where the content itself is sent. */
const noBulk = -1;

/** Collects objects for a batch. `bulkOf` says which of the bulks is one. */
export class ObjectBatchWriter {
  readonly #bulkOf: (bulk: Bulk) => number;
  #ids: ObjectId[] = [];
  #numbers: number[] = [];
  #pieces: Uint8Array[] = [];
  /** Of those that are sent. */
  byteLength = 0;

  constructor(bulkOf: (bulk: Bulk) => number) {
    this.#bulkOf = bulkOf;
  }

  get size(): number {
    return this.#ids.length;
  }

  add({ id, kind, size, blob, content }: ReadObject): void {
    const piece = blob?.sha256 ?? content();
    this.#ids.push(id);
    this.#numbers.push(objectKinds.indexOf(kind), size);
    if (blob === undefined) this.#numbers.push(0, noBulk, 0, 0);
    else this.#numbers.push(blob.crc32, this.#numberOf(blob.data.bulk), blob.data.start, blob.data.end);
    this.#pieces.push(piece);
    this.byteLength += piece.byteLength;
  }

  #numberOf(bulk: Bulk): number {
    const number = this.#bulkOf(bulk);
    if (number < 0) throw new TypeError('a blob is kept in no bulk that is known');
    return number;
  }

  /** All that was added since the last call. */
  take(): ObjectBatch {
    const batch = {
      ids: this.#ids.join(''),
      numbers: Float64Array.from(this.#numbers),
      bytes: Buffer.concat(this.#pieces),
    };
    this.#ids = [];
    this.#numbers = [];
    this.#pieces = [];
    this.byteLength = 0;
    return batch;
  }
}

/** The objects of a batch; the contents of blobs that are kept are not to be had. */
export function* readObjectBatch(
  { ids, numbers, bytes }: ObjectBatch,
  bulks: readonly Bulk[],
): Generator<ReadObject, void> {
  let at = bytes.byteOffset;
  for (let i = 0; i * idLength < ids.length; i++) {
    const id = ids.slice(i * idLength, (i + 1) * idLength) as ObjectId;
    const number = (place: number) => numbers[i * numbersEach + place] ?? 0;
    const kind = objectKinds[number(0)];
    const size = number(1);
    const bulkNumber = number(3);
    if (kind === undefined) throw new TypeError('the thread names an unknown kind of object');
    if (bulkNumber === noBulk) {
      const content = Buffer.from(bytes.buffer, at, size);
      at += size;
      yield { id, kind, size, blob: undefined, content: () => content };
      continue;
    }
    const bulk = bulks[bulkNumber];
    if (bulk === undefined) throw new TypeError(`the thread names bulk ${bulkNumber} of ${bulks.length}`);
    const data = { bulk, start: number(4), end: number(5) };
    const blob = { data, size, crc32: number(2), sha256: Buffer.from(bytes.buffer, at, sha256Bytes) };
    at += sha256Bytes;
    yield { id, kind, size, blob, content: noContent };
  }
}

function noContent(): never {
  throw new TypeError('a blob that is kept is not read here');
}
