import { writeZip } from '../../src/zip/write-zip.ts';

/** The zip of a module with these files, by path inside the module; a go.mod is added if there is none and none is forbidden. */
export async function moduleZip(
  module: string,
  version: string,
  files: Record<string, string | Buffer> = {},
  { goMod = true }: { goMod?: boolean } = {},
): Promise<Buffer> {
  const all = goMod ? { 'go.mod': `module ${module}\n`, ...files } : files;
  async function* entries() {
    for (const [path, content] of Object.entries(all)) {
      yield { name: `${module}@${version}/${path}`, content: Buffer.from(content) };
    }
  }
  return Buffer.concat(await writeZip(entries()).toArray());
}
