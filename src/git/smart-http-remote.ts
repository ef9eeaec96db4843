/**
 * A repository on a git server as a Remote, by protocol v2 and without asking for `info/refs` first. Refs, a snapshot, the history and a push are
 * one request each; files are one where the server combines filters and the files are small and near the root, else two.
 */

import { giveWay } from '../give-way.ts';
import { CorruptPack, GitUnavailable, ObjectMissing } from './errors.ts';
import { commitFilters, type Filter, FilterRefused, fileFilters, type RefusedFilters } from './fetch-filter.ts';
import { type HttpPoster, NoProgress } from './http-post.ts';
import { isObjectId, type ObjectId } from './object-id.ts';
import { parseHistoryCommit } from './parse-history-commit.ts';
import {
  delimiterPacket,
  EmptyAnswer,
  encodeLine,
  flushPacket,
  nextLine,
  type Packets,
  ProtocolError,
  RemoteFault,
  readBands,
  readPackets,
} from './pkt-line.ts';
import { plainText } from './plain-text.ts';
import { encodePush, pushProblem, readPushReport } from './push-report.ts';
import { type ReadPack, readPack } from './read-pack.ts';
import { readPackOnThread } from './read-pack-on-thread.ts';
import { isRefName, type RefName } from './ref-name.ts';
import type { HistoryCommit, Push, Ref, Refs, Remote } from './remote.ts';
import { type GitServer, requestService, type ServiceRequest } from './smart-http-request.ts';
import { commitOf, contentOf, filesOf, findFile } from './walk-pack.ts';

export interface SmartHttpRemoteOptions {
  /** The repository's address, `https://git.acme.dev/acme/lib.git`; credentials in it are dropped. */
  readonly url: string;
  /** Sent with every request, as Basic; undefined for nobody's. */
  readonly credentials: { readonly user: string; readonly password: string } | undefined;
  readonly poster: HttpPoster;
  /** Of the server; what is learned of it goes in. */
  readonly refusedFilters: RefusedFilters;
  readonly userAgent: string;
  /** Longest time in which nothing is sent or received. */
  readonly timeoutMs: number;
  /** Most bytes of an answer; 1 GiB unless given. */
  readonly maxAnswerBytes?: number;
  /** Most bytes of all objects of an answer, inflated; 2 GiB unless given. */
  readonly maxContentBytes?: number;
}

interface Fetch {
  readonly wants: readonly ObjectId[];
  /** Commits that are not to be sent, nor any before them. */
  readonly haves: readonly ObjectId[];
  /** Whether commits come without those before them. */
  readonly isShallow: boolean;
  readonly signal: AbortSignal;
}

interface Fetched {
  readonly pack: ReadPack;
  /** Commits whose parents the server lacks, or was not to send. */
  readonly shallow: ReadonlySet<ObjectId>;
}

export function createSmartHttpRemote(options: SmartHttpRemoteOptions): Remote {
  const { url, server } = toServer(options);
  const { refusedFilters, maxAnswerBytes = 2 ** 30, maxContentBytes } = options;
  const packLimits = { maxBytes: maxAnswerBytes, ...(maxContentBytes !== undefined && { maxContentBytes }) };

  const ask = async <T>(request: ServiceRequest, doing: string, read: (packets: Packets) => Promise<T>): Promise<T> => {
    request.signal.throwIfAborted();
    let packets: Packets | undefined;
    try {
      packets = readPackets(limit(await requestService(server, request), maxAnswerBytes));
      const result = await read(packets);
      await readOut(packets);
      return result;
    } catch (error) {
      request.signal.throwIfAborted();
      throw unavailable(error, `cannot ${doing} ${url}`);
    } finally {
      await packets?.return();
    }
  };

  const fetchWith = (filter: Filter | undefined, fetch: Fetch): Promise<Fetched> =>
    ask(fetchRequest(fetch, filter), 'fetch from', async packets => {
      const shallow = await readSections(packets, filter);
      const pack = await readPack(
        readBands(packets, () => {}),
        { ...packLimits, signal: fetch.signal },
      );
      return { shallow, pack };
    });

  /** Fetches with the first of the filters that the server takes; undefined, as the last of them, is none. */
  const fetchFiltered = async (fetch: Fetch, filters: readonly (Filter | undefined)[]): Promise<Fetched> => {
    const refusals: { filter: Filter; error: FilterRefused }[] = [];
    for (const filter of filters) {
      if (filter !== undefined && refusedFilters.has(filter)) continue;
      try {
        const fetched = await fetchWith(filter, fetch);
        // Not before: what looks like a refusal may be an outage, and must not be taken for one by later requests.
        for (const refusal of refusals) refusedFilters.set(refusal.filter, true);
        return fetched;
      } catch (error) {
        if (filter === undefined || !(error instanceof FilterRefused)) throw error;
        refusals.push({ filter, error });
      }
    }
    throw new GitUnavailable(
      `cannot fetch from ${url}: the server refuses the filter ${filters.join(', ')}, without which it would send every file ` +
        'of every commit; let it allow filters (uploadpack.allowFilter)',
      { cause: refusals.at(-1)?.error },
    );
  };

  /** Objects, of commits none before them; more than the filters say where the server takes none. */
  const fetchObjects = async (
    wants: readonly ObjectId[],
    filters: readonly Filter[],
    signal: AbortSignal,
  ): Promise<ReadPack> => {
    const { pack } = await fetchFiltered({ wants, haves: [], isShallow: true, signal }, [...filters, undefined]);
    return pack;
  };

  return {
    url,

    refs: ({ prefixes, signal }) => {
      const wanted = ['HEAD', ...prefixes].map(prefix => `ref-prefix ${prefix}`);
      const body = encodeCommand('ls-refs', ['peel', 'symrefs', 'unborn', ...wanted]);
      const request: ServiceRequest = { service: 'git-upload-pack', body, signal };
      return ask(request, 'read refs of', packets => readRefs(packets, prefixes));
    },

    commit: async (id, signal) => commitOf(await fetchObjects([id], commitFilters, signal), id),

    async files(id, paths, signal) {
      const pack = await fetchObjects([id], fileFilters(paths), signal);
      const commit = commitOf(pack, id);
      const blobs = paths.flatMap(path => {
        const blob = findFile(pack, commit.tree, path.split('/'));
        return blob === undefined ? [] : [{ path, blob }];
      });
      const missing = new Set(blobs.flatMap(({ blob }) => (pack.has(blob) ? [] : [blob])));
      const rest: ReadPack = missing.size === 0 ? new Map() : await fetchObjects([...missing], [], signal);
      const files = blobs.map(({ path, blob }): [string, Buffer] => {
        return [path, contentOf(pack.has(blob) ? pack : rest, blob, 'blob')];
      });
      return { commit, files: new Map(files) };
    },

    async snapshot(id, blobs, signal) {
      const request = fetchRequest({ wants: [id], haves: [], isShallow: true, signal });
      const { pack, checksum } = await ask(request, 'fetch from', async packets => {
        await readSections(packets);
        return await readPackOnThread(
          readBands(packets, () => {}),
          { ...packLimits, blobs, signal },
        );
      });
      const commit = commitOf(pack, id);
      return { commit, files: filesOf(pack, commit, signal), dataHash: () => checksum };
    },

    async history({ tips, known, signal }) {
      if (tips.length === 0) return [];
      return await historyOf(await fetchFiltered({ wants: tips, haves: known, isShallow: false, signal }, ['tree:0']));
    },

    async push({ objects, updates, signal }: Push) {
      const request: ServiceRequest = {
        service: 'git-receive-pack',
        body: await encodePush({ objects, updates }),
        signal,
      };
      const report = await ask(request, 'push to', packets => readPushReport(packets, updates));
      const problem = pushProblem(url, report, updates);
      if (problem !== undefined) throw problem;
    },
  };
}

function toServer(options: SmartHttpRemoteOptions): { url: string; server: GitServer } {
  const url = new URL(options.url);
  url.username = '';
  url.password = '';
  const { credentials, poster, userAgent, timeoutMs } = options;
  return { url: url.href, server: { url, credentials, poster, userAgent, timeoutMs } };
}

const encodeCommand = (command: string, args: readonly string[]): Buffer =>
  Buffer.concat([encodeLine(`command=${command}`), delimiterPacket, ...args.map(encodeLine), flushPacket]);

function fetchRequest({ wants, haves, isShallow, signal }: Fetch, filter?: Filter): ServiceRequest {
  const body = encodeCommand('fetch', [
    'no-progress',
    'ofs-delta',
    ...(isShallow ? ['deepen 1'] : []),
    ...(filter === undefined ? [] : [`filter ${filter}`]),
    ...wants.map(id => `want ${id}`),
    ...haves.map(id => `have ${id}`),
    'done',
  ]);
  return { service: 'git-upload-pack', body, signal };
}

/** Reads an answer to its end, so that the connection can be used again; what becomes of it changes nothing of what was said. */
async function readOut(packets: Packets): Promise<void> {
  try {
    for await (const _ of packets);
  } catch {
    // The answer was whole: above all, a push that is done is not to look undone.
  }
}

async function* limit(body: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Buffer, void> {
  let size = 0;
  for await (const piece of body) {
    size += piece.byteLength;
    if (size > maxBytes) throw new ProtocolError(`the answer is larger than ${maxBytes} bytes`);
    yield piece;
  }
}

/** What says that there was no answer, or none that can be believed, becomes GitUnavailable. */
function unavailable(error: unknown, doing: string): unknown {
  if (!(error instanceof Error)) return error;
  if (error instanceof RemoteFault) {
    return new GitUnavailable(`${doing}: the server says: ${plainText(error.message)}`, { cause: error });
  }
  const isOfNetwork = 'code' in error && !(error instanceof TypeError) && !(error instanceof RangeError);
  const isNoAnswer = error instanceof ProtocolError || error instanceof CorruptPack || error instanceof NoProgress;
  return isNoAnswer || isOfNetwork ? new GitUnavailable(`${doing}: ${error.message}`, { cause: error }) : error;
}

/** gitprotocol-v2(5), "ls-refs". */
async function readRefs(packets: Packets, prefixes: readonly string[]): Promise<Refs> {
  const byName = new Map<RefName, Ref>();
  let head: Refs['head'];
  for (;;) {
    const { kind, text } = await nextLine(packets);
    if (kind === 'flush') return { byName, head };
    const [id = '', name = '', ...attributes] = text.split(' ');
    const attribute = (key: string) => attributes.find(text => text.startsWith(key))?.slice(key.length);
    if (name === 'HEAD') {
      const target = attribute('symref-target:');
      const named = target ?? id;
      if (isRefName(named) || isObjectId(named)) head = named;
      continue;
    }
    const peeled = attribute('peeled:');
    if (!isObjectId(id) || !isRefName(name) || (peeled !== undefined && !isObjectId(peeled))) {
      throw new ProtocolError('the list of refs makes no sense');
    }
    if (!prefixes.some(prefix => name.startsWith(prefix))) continue;
    byName.set(name, peeled === undefined ? { name, id } : { name, id, peeled });
  }
}

/** The sections of gitprotocol-v2(5), "fetch", up to the pack, which is the last: the commits that are cut off from their parents. */
async function readSections(packets: Packets, filter?: Filter): Promise<ReadonlySet<ObjectId>> {
  const shallow = new Set<ObjectId>();
  try {
    for (;;) {
      const { kind, text } = await nextLine(packets);
      if (text === 'packfile') return shallow;
      if (kind === 'flush') throw new ProtocolError('the answer holds no pack');
      const [keyword, id = ''] = text.split(' ');
      if (keyword === 'shallow' && isObjectId(id)) shallow.add(id);
    }
  } catch (error) {
    if (!(error instanceof RemoteFault || error instanceof EmptyAnswer)) throw error;
    const isOfFilter = error instanceof EmptyAnswer || /filter/.test(error.message);
    if (filter !== undefined && isOfFilter) throw new FilterRefused(error.message, { cause: error });
    const [, missing = ''] = /not our ref ([0-9a-f]+)/.exec(error.message) ?? [];
    if (isObjectId(missing)) throw new ObjectMissing(missing, { cause: error });
    throw error;
  }
}

async function historyOf({ pack, shallow }: Fetched): Promise<HistoryCommit[]> {
  const commits: HistoryCommit[] = [];
  for (const { id, kind, content } of pack.values()) {
    if (kind !== 'commit') continue;
    await giveWay();
    const commit = parseHistoryCommit(id, content());
    commits.push(shallow.has(id) ? { ...commit, parents: [] } : commit);
  }
  return commits;
}
