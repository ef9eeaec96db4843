/** What is used of it: its types are those of browsers. */
declare const WebAssembly: {
  readonly Module: new (code: Uint8Array) => object;
  readonly Memory: new (pages: {
    readonly initial: number;
  }) => { readonly buffer: ArrayBuffer; grow(pages: number): void };
  readonly Instance: new <Exports>(module: object, imports: object) => { readonly exports: Exports };
};
