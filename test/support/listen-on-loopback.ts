import type { Server } from 'node:http';

export interface Listening extends AsyncDisposable {
  readonly port: number;
  /** `http://127.0.0.1:{port}`. */
  readonly url: string;
}

/** Lets the server listen on a free port of this machine; disposing ends it and all its connections. */
export async function listenOnLoopback(server: Server): Promise<Listening> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return {
    port: address.port,
    url: `http://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
}
