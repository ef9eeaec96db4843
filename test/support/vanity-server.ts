/** The web servers of module paths, as an HTTP proxy: whatever host is asked, `?go-get=1` is answered with where its repository is. */
import { createServer } from 'node:http';
import { listenOnLoopback } from './listen-on-loopback.ts';

export interface ImportRoot {
  /** The module path at the repository's root: `git.acme.dev/lib`. */
  readonly path: string;
  /** Where git clones it from. */
  readonly url: string;
}

export interface VanityServer extends AsyncDisposable {
  /** `http://127.0.0.1:{port}`, for HTTP_PROXY and HTTPS_PROXY: requests for TLS end at once. */
  readonly url: string;
}

/** Starts it on a free port; `findRoot` is asked with module paths and what lies below them. */
export async function startVanityServer(findRoot: (path: string) => ImportRoot | undefined): Promise<VanityServer> {
  const server = createServer((request, response) => {
    const { host, pathname } = new URL(request.url ?? '', 'http://not-a-proxy-request');
    const root = findRoot(`${host}${pathname}`);
    if (root === undefined) return void response.writeHead(404).end();
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.end(`<meta name="go-import" content="${root.path} git ${root.url}">`);
  });
  return await listenOnLoopback(server);
}
