/** `npm run assemble`: makes `src/inflate/*-wasm.ts`, which are kept with the source so that nothing has to be made before it runs. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const folder = new URL('../src/inflate/', import.meta.url);

/** What lies in `src/inflate/assembly`. */
export const assemblies = ['adler32', 'inflate'] as const;

/** The text of `src/inflate/<name>-wasm.ts`. */
export async function assemble(name: (typeof assemblies)[number]): Promise<string> {
  const source = fileURLToPath(new URL(`assembly/${name}.ts`, folder));
  let code: Uint8Array | undefined;
  const options = '-O3 --noAssert --runtime stub --importMemory --zeroFilledMemory --enable simd'.split(' ');
  const { error, stderr } = await asc.main([source, '--outFile', `${name}.wasm`, ...options], {
    writeFile: (_name, contents) => {
      if (typeof contents !== 'string') code = contents;
    },
  });
  if (error !== null || code === undefined) throw new Error(`it does not compile: ${stderr}`, { cause: error });
  return `/** WebAssembly of \`assembly/${name}.ts\`, made by \`npm run assemble\`. */
export const ${name}Wasm =
  '${Buffer.from(code).toString('base64')}';
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const name of assemblies) writeFileSync(new URL(`${name}-wasm.ts`, folder), await assemble(name));
}
