import { adler32Wasm } from './adler32-wasm.ts';

/** The checksum that ends a zlib stream (RFC 1950, section 8.2). Node computes it, but never shows it. `before` is that of what came before. */
export function adler32(content: Uint8Array, before = 1): number {
  let checksum = before;
  for (let at = 0; at < content.length; at += scratch.length) {
    const part = content.length <= scratch.length ? content : content.subarray(at, at + scratch.length);
    scratch.set(part);
    checksum = wasm.adler32(part.length, checksum);
  }
  // WebAssembly gives numbers with a sign.
  return checksum >>> 0;
}

interface Adler32Exports {
  readonly scratch: { readonly value: number };
  readonly scratchBytes: { readonly value: number };
  adler32(bytes: number, before: number): number;
}

const memory = new WebAssembly.Memory({ initial: 2 });
const module = new WebAssembly.Module(Buffer.from(adler32Wasm, 'base64'));
const wasm = new WebAssembly.Instance<Adler32Exports>(module, { env: { memory } }).exports;
const scratch = Buffer.from(memory.buffer, wasm.scratch.value, wasm.scratchBytes.value);
