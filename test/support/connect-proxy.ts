/** A proxy as HTTPS_PROXY names one, which leads every host to one port of this machine: so `go` reaches names that nobody resolves. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { pipeline } from 'node:stream';

export interface ConnectProxy extends AsyncDisposable {
  readonly url: string;
  /** What clients wanted to reach, `host:port` each. */
  readonly targets: readonly string[];
}

export async function startConnectProxy(port: number): Promise<ConnectProxy> {
  const targets: string[] = [];
  const server = createServer((_request, response) => response.writeHead(501).end());
  server.on('connect', ({ url = '' }, client, head) => {
    targets.push(url);
    const tunnel = connect(port, '127.0.0.1');
    client.write('HTTP/1.1 200 OK\r\n\r\n');
    tunnel.write(head);
    // Either side may go away at any time, which ends the other one too.
    pipeline(client, tunnel, client, () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${address.port}`,
    targets,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, 'close');
    },
  };
}
