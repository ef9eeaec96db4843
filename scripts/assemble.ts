/** `npm run assemble`: makes `src/inflate/inflate-wasm.ts`, which is kept with the source so that nothing has to be made before it runs. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const source = new URL('../src/inflate/assembly/inflate.ts', import.meta.url);
const target = new URL('../src/inflate/inflate-wasm.ts', import.meta.url);

/** The text of `src/inflate/inflate-wasm.ts`. */
export async function assemble(): Promise<string> {
  let code: Uint8Array | undefined;
  const options = ['-O3', '--noAssert', '--runtime', 'stub', '--importMemory', '--zeroFilledMemory'];
  const { error, stderr } = await asc.main([fileURLToPath(source), '--outFile', 'inflate.wasm', ...options], {
    writeFile: (_name, contents) => {
      if (typeof contents !== 'string') code = contents;
    },
  });
  if (error !== null || code === undefined) throw new Error(`it does not compile: ${stderr}`, { cause: error });
  return `/** WebAssembly of \`assembly/inflate.ts\`, made by \`npm run assemble\`. */
export const inflateWasm =
  '${Buffer.from(code).toString('base64')}';
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(target, await assemble());
