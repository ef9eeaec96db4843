import { outputOf } from '../test/support/run-command.ts';

export interface Throughput {
  readonly requestsPerSecond: number;
  readonly bytesPerSecond: number;
}

const seconds = 2;
const connections = 32;

/** What `wrk` gets out of a server with one address. Throws unless every request was answered, with 200. */
export async function loadWithWrk(url: string, headers: readonly string[] = []): Promise<Throughput> {
  const options = ['--threads', '1', '--connections', String(connections), '--duration', `${seconds}s`];
  // Of connections that take 10 MB at a time one may wait for long while the others are served.
  options.push('--timeout', '10s');
  const report = await outputOf('wrk', [...options, ...headers.flatMap(header => ['--header', header]), url]);
  if (/Non-2xx|Socket errors/.test(report)) throw new Error(`wrk ${url}:\n${report}`);
  return {
    requestsPerSecond: Number(/Requests\/sec: +([\d.]+)/.exec(report)?.[1]),
    bytesPerSecond: parseBytes(/Transfer\/sec: +([\d.]+\w*B)/.exec(report)?.[1] ?? ''),
  };
}

const units = ['B', 'KB', 'MB', 'GB'];

/** As wrk writes it, `1.25GB`, in powers of 1,024. */
function parseBytes(text: string): number {
  const [, number, unit = ''] = /^([\d.]+)(\w+)$/.exec(text) ?? [];
  return Number(number) * 1024 ** units.indexOf(unit);
}
