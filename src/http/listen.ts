/** Node's server around the handler: timeouts for a registry behind a balancer, and uploads that ask before they send. */
import { once } from 'node:events';
import { createServer as createHttpServer, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { answerAhead } from './answer-ahead.ts';
import type { Handler } from './create-handler.ts';
import { originForm } from './parse-target.ts';
import { keepAliveMs } from './prepared-reply.ts';

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  /** Certificate and key, PEM; undefined serves plain HTTP. */
  readonly tls: { readonly cert: Buffer; readonly key: Buffer } | undefined;
}

export interface Listener extends AsyncDisposable {
  /** Without a slash at the end. */
  readonly url: string;
}

/** So large that a path which is too long gets an answer that says so, from us. */
const maxHeaderBytes = 64 * 1024;

/** Requests that are under way when the server stops may take so long. */
const stopMs = 30_000;

/** A connection on which nothing moves, in either direction. */
const idleMs = 300_000;

/** Starts to listen; disposing stops it, and waits half a minute for the requests under way. */
export async function listen({ handle, readyText }: Handler, { host, port, tls }: ListenOptions): Promise<Listener> {
  const limits = { maxHeaderSize: maxHeaderBytes };
  const server: Server = tls ? createHttpsServer({ ...limits, ...tls }) : createHttpServer(limits);
  // Uploads take as long as they take, as long as they make progress: read-body.ts watches over that.
  server.requestTimeout = 0;
  server.keepAliveTimeout = keepAliveMs;
  server.timeout = idleMs;
  /** The newest response on each open connection. */
  const newest = new Map<Socket, ServerResponse | undefined>();
  let isStopping = false;
  server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    newest.set(socket, undefined);
    socket.once('close', () => newest.delete(socket));
    answerAhead(socket, () => newest.get(socket), readyText);
  });
  const endAfter = (response: ServerResponse, socket: Socket) => response.once('close', () => socket.destroySoon());
  server.on('request', (request, response) => {
    newest.set(request.socket, response);
    if (isStopping) endAfter(response, request.socket);
    request.url = originForm(request.url ?? '/');
    handle(request, response);
  });
  // Who expects "100 Continue" gets it after the checks that need no body; who is refused before must not be waited for.
  server.on('checkContinue', (request, response) => {
    response.shouldKeepAlive = false;
    server.emit('request', request, response);
  });
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return {
    url: `${tls ? 'https' : 'http'}://${name}:${address.port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      isStopping = true;
      server.close();
      for (const [socket, response] of newest) {
        if (response === undefined || response.destroyed) socket.destroy();
        else endAfter(response, socket);
      }
      const deadline = setTimeout(() => server.closeAllConnections(), stopMs);
      await closed;
      clearTimeout(deadline);
    },
  };
}
