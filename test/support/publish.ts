/** Publishing over HTTP, as `curl -T` does it. */
import { moduleZip } from './module-zip.ts';
import { publisher } from './test-app.ts';

export interface Reply {
  readonly status: number;
  readonly text: string;
}

/** Uploads a module zip to the proxy at `proxyUrl`. */
export async function upload({ proxyUrl }: { proxyUrl: string }, zip: Buffer): Promise<Reply> {
  const headers = { Authorization: publisher.basic };
  const response = await fetch(`${proxyUrl}/upload`, { method: 'PUT', body: zip, headers });
  return { status: response.status, text: await response.text() };
}

/** Uploads a module zip that must be taken; gives the `h1:` of the reply. */
export async function publish(app: { proxyUrl: string }, zip: Buffer): Promise<string> {
  const { status, text } = await upload(app, zip);
  const h1 = text.split('\n')[1] ?? '';
  if (status !== 201 || !h1.startsWith('h1:')) throw new Error(`not published: ${status} ${text}`);
  return h1;
}

/** Publishes a module made of `files`; gives its `h1:`. */
export async function publishModule(
  app: { proxyUrl: string },
  module: string,
  version: string,
  files: Record<string, string | Buffer> = {},
  options: { goMod?: boolean } = {},
): Promise<string> {
  return publish(app, await moduleZip(module, version, { 'lib.go': `package lib\n`, ...files }, options));
}
