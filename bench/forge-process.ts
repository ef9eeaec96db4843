import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { ada } from '../test/support/doubles/hosted-app.ts';

/** What the forge's process says first. */
export interface ForgeStarted {
  readonly url: string;
  /** Holds the bare repositories, `acme/lib.git`. */
  readonly directory: string;
}

/** From now on every request waits so long before it is looked at. The answer is the requests since the last order. */
export interface ForgeOrder {
  readonly delayMs: number;
}

/** A request that the forge has answered; the times are by the forge's own clock. */
export interface ForgeRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly startMs: number;
  readonly endMs: number;
}

export interface ForgeProcess extends AsyncDisposable {
  readonly url: string;
  /** The address of a repository of acme, with credentials that may push. */
  remoteUrl(repository: string): string;
  /** The folder of a repository of acme. */
  gitdir(repository: string): string;
  /** Makes a public one in acme. */
  createRepository(name: string): Promise<void>;
  setDelay(ms: number): Promise<void>;
  /** The requests since the last call. */
  takeRequests(): Promise<readonly ForgeRequest[]>;
}

/** Starts `forge-server.ts`, in which ada owns the organisation acme. */
export async function startForgeProcess(): Promise<ForgeProcess> {
  const child = fork(join(import.meta.dirname, 'forge-server.ts'), {
    execArgv: ['--import', './scripts/typescript.mjs'],
  });
  const ended = once(child, 'exit');
  const failed = ended.then(() => Promise.reject(new Error('the forge has ended')));
  failed.catch(() => {});
  const nextMessage = async <Message>(): Promise<Message> => (await Promise.race([once(child, 'message'), failed]))[0];

  const { url, directory } = await nextMessage<ForgeStarted>();
  let requests: ForgeRequest[] = [];
  let delayMs = 0;
  const order = async (): Promise<void> => {
    const answer = nextMessage<readonly ForgeRequest[]>();
    const order: ForgeOrder = { delayMs };
    child.send(order);
    requests.push(...(await answer));
  };
  return {
    url,
    remoteUrl: repository => `${url.replace('//', `//${ada.name}:${ada.token}@`)}/acme/${repository}.git`,
    gitdir: repository => join(directory, 'acme', `${repository}.git`),
    async createRepository(name) {
      const response = await fetch(`${url}/api/v1/orgs/acme/repos`, {
        method: 'POST',
        headers: { Authorization: `token ${ada.token}`, 'Content-Type': 'application/json' },
        body: JSON.stringify({ name }),
      });
      if (response.status !== 201) throw new Error(`cannot create ${name}: ${await response.text()}`);
    },
    async setDelay(ms) {
      delayMs = ms;
      await order();
    },
    async takeRequests() {
      await order();
      const taken = requests;
      requests = [];
      return taken;
    },
    async [Symbol.asyncDispose]() {
      child.disconnect();
      await ended;
    },
  };
}
