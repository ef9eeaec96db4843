import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const program = join(root, 'dist/cli/modforge.js');

/** The program as it is built. Throws where that is not of the source as it is now: `npm test` builds it, who runs one test has to. */
export async function builtProgram(): Promise<string> {
  const files = await readdir(join(root, 'src'), { recursive: true });
  const sources = await Promise.all(
    files.filter(file => file.endsWith('.ts')).map(file => stat(join(root, 'src', file))),
  );
  const built = await stat(program).catch(() => undefined);
  if (built === undefined || sources.some(({ mtimeMs }) => mtimeMs > built.mtimeMs)) {
    throw new Error(`${program} is older than its source; run "npm run build"`);
  }
  return program;
}
