/** Bytes of a chunk. */
const chunkBytes = 256 * 1024;

/**
 * Puts small pieces together into chunks, since each piece that is hashed, written or sent alone costs a call. A piece that is as large as a
 * chunk is one by itself, without a copy.
 */
export class Chunks {
  /** Of all pieces. */
  byteLength = 0;
  /** Chunks that nothing more has room in. */
  #full: Uint8Array[] = [];
  #chunk = Buffer.alloc(0);
  #filled = 0;

  put(piece: Uint8Array): void {
    this.byteLength += piece.byteLength;
    if (this.#filled + piece.byteLength > this.#chunk.byteLength) this.#endChunk();
    if (piece.byteLength >= chunkBytes) {
      this.#full.push(piece);
      return;
    }
    if (piece.byteLength === 0) return;
    if (this.#filled === 0) this.#chunk = Buffer.allocUnsafeSlow(chunkBytes);
    this.#chunk.set(piece, this.#filled);
    this.#filled += piece.byteLength;
  }

  get hasFull(): boolean {
    return this.#full.length > 0;
  }

  /** The chunks that are full; they are the caller's from now on. */
  takeFull(): Uint8Array[] {
    const full = this.#full;
    this.#full = [];
    return full;
  }

  /** All that is left. */
  takeRest(): Uint8Array[] {
    this.#endChunk();
    return this.takeFull();
  }

  #endChunk(): void {
    if (this.#filled > 0) this.#full.push(this.#chunk.subarray(0, this.#filled));
    this.#filled = 0;
  }
}
