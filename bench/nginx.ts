/** nginx before a folder of files, with the same bytes and headers that modforge answers with. */
import { chmod, mkdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { findFreePort, startServer } from './server-process.ts';
import type { Modforge } from './testbed.ts';
import { type Downloaded, download } from './transfer.ts';

export interface Nginx extends AsyncDisposable {
  readonly url: string;
}

export interface NginxOptions {
  /** What is asked of it: raw paths of modforge's, which answers them first. */
  readonly paths: readonly string[];
  readonly modforge: Modforge;
  /** Empty. */
  readonly folder: string;
}

export async function startNginx({ paths, modforge, folder }: NginxOptions): Promise<Nginx> {
  // Started by root, its worker is somebody else.
  await chmod(dirname(folder), 0o755);
  await chmod(folder, 0o755);
  const locations: string[] = [];
  for (const path of paths) {
    const answer = await download(`${modforge.url}${path}`);
    await writeAnswer(join(folder, 'root', path), answer);
    locations.push(locationOf(path, answer));
  }
  const port = await findFreePort();
  const template = await readFile(join(import.meta.dirname, 'nginx.conf'), 'utf8');
  await writeFile(join(folder, 'headers.conf'), locations.join('\n'));
  await writeFile(
    join(folder, 'nginx.conf'),
    template.replaceAll('@FOLDER@', folder).replaceAll('@PORT@', String(port)),
  );
  const url = `http://127.0.0.1:${port}`;
  const server = await startServer({
    command: 'nginx',
    args: ['-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log')],
    logFile: join(folder, 'output.log'),
    url,
  });
  return { ...server, url };
}

/** nginx takes Last-Modified from the file. */
async function writeAnswer(file: string, { bytes, headers }: Downloaded): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, bytes);
  const modified = new Date(headers['last-modified'] ?? 0);
  await utimes(file, modified, modified);
}

const copiedHeaders = ['Vary', 'X-Content-Type-Options', 'Cache-Control', 'ETag'];

function locationOf(path: string, { headers }: Downloaded): string {
  const lines = copiedHeaders.map(name => `add_header ${name} '${headers[name.toLowerCase()]}';`);
  return `location = ${path} { default_type '${headers['content-type']}'; ${lines.join(' ')} }`;
}
