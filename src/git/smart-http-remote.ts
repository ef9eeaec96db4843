/** A repository on a git server as a Remote, by protocol v2 and without asking for `info/refs` first: refs, a snapshot and a push are one request each. */
import { type Commit, parseCommit } from './commit.ts';
import { CorruptObject, GitUnavailable, ObjectMissing } from './errors.ts';
import { type HttpPoster, NoProgress } from './http-post.ts';
import { emptyTree, isObjectId, type ObjectId, type ObjectKind } from './object-id.ts';
import { parseTree, type TreeEntry } from './parse-tree.ts';
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
import { CorruptPack, type ReadPack, readPack } from './read-pack.ts';
import { isRefName, type RefName } from './ref-name.ts';
import type { Push, Ref, Refs, Remote, SnapshotFile } from './remote.ts';
import { type GitServer, requestService, type ServiceRequest } from './smart-http-request.ts';

export interface SmartHttpRemoteOptions {
  /** The repository's address, `https://git.acme.dev/acme/lib.git`; credentials in it are dropped. */
  readonly url: string;
  /** Sent with every request, as Basic; undefined for nobody's. */
  readonly credentials: { readonly user: string; readonly password: string } | undefined;
  readonly poster: HttpPoster;
  readonly userAgent: string;
  /** Longest time in which nothing is sent or received. */
  readonly timeoutMs: number;
  /** Most bytes of an answer; 1 GiB unless given. */
  readonly maxAnswerBytes?: number;
  /** Most bytes of all objects of an answer, inflated; 2 GiB unless given. */
  readonly maxContentBytes?: number;
}

type Filter = 'blob:none' | 'tree:0';

/** The server knows no filters, or not this one. */
class FilterRefused extends Error {
  override readonly name = 'FilterRefused';
}

export function createSmartHttpRemote(options: SmartHttpRemoteOptions): Remote {
  const { url, server } = toServer(options);
  const { maxAnswerBytes = 2 ** 30, maxContentBytes } = options;
  let hasFilters = true;

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

  /** Objects from `id` on, of one commit's depth; without the filter where the server has none. */
  const fetchObjects = async (id: ObjectId, filter: Filter | undefined, signal: AbortSignal): Promise<ReadPack> => {
    const used = hasFilters ? filter : undefined;
    const body = encodeCommand('fetch', [
      'no-progress',
      'ofs-delta',
      'deepen 1',
      ...(used === undefined ? [] : [`filter ${used}`]),
      `want ${id}`,
      'done',
    ]);
    try {
      return await ask({ service: 'git-upload-pack', body, signal }, 'fetch from', packets =>
        readFetched(packets, { id, filter: used, read: bands => readPack(bands, packLimits(signal)) }),
      );
    } catch (error) {
      if (!(error instanceof FilterRefused)) throw error;
      hasFilters = false;
      return await fetchObjects(id, undefined, signal);
    }
  };

  const packLimits = (signal: AbortSignal) => ({
    maxBytes: maxAnswerBytes,
    ...(maxContentBytes !== undefined && { maxContentBytes }),
    signal,
  });

  return {
    url,

    refs: ({ prefixes, signal }) => {
      const wanted = ['HEAD', ...prefixes].map(prefix => `ref-prefix ${prefix}`);
      const body = encodeCommand('ls-refs', ['peel', 'symrefs', 'unborn', ...wanted]);
      const request: ServiceRequest = { service: 'git-upload-pack', body, signal };
      return ask(request, 'read refs of', packets => readRefs(packets, prefixes));
    },

    commit: async (id, signal) => commitOf(await fetchObjects(id, 'tree:0', signal), id),

    async file(commit, path, signal) {
      const pack = await fetchObjects(commit, 'blob:none', signal);
      const id = findFile(pack, commitOf(pack, commit).tree, path.split('/'));
      if (id === undefined) return undefined;
      return contentOf(pack.has(id) ? pack : await fetchObjects(id, undefined, signal), id, 'blob');
    },

    async snapshot(id, signal) {
      const pack = await fetchObjects(id, undefined, signal);
      const commit = commitOf(pack, id);
      return { commit, files: walkTree(pack, commit.tree, '', signal) };
    },

    async push({ objects, updates, signal }: Push) {
      const request: ServiceRequest = { service: 'git-receive-pack', body: encodePush({ objects, updates }), signal };
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
  let head: RefName | undefined;
  for (;;) {
    const { kind, text } = await nextLine(packets);
    if (kind === 'flush') return { byName, head };
    const [id = '', name = '', ...attributes] = text.split(' ');
    const attribute = (key: string) => attributes.find(text => text.startsWith(key))?.slice(key.length);
    if (name === 'HEAD') {
      const target = attribute('symref-target:');
      if (target !== undefined && isRefName(target)) head = target;
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

/** gitprotocol-v2(5), "fetch": sections, of which the pack is the last. */
async function readFetched(
  packets: Packets,
  {
    id,
    filter,
    read,
  }: { id: ObjectId; filter: Filter | undefined; read: (pack: AsyncIterable<Buffer>) => Promise<ReadPack> },
): Promise<ReadPack> {
  try {
    let line = await nextLine(packets);
    while (line.text !== 'packfile') {
      if (line.kind === 'flush') throw new ProtocolError('the answer holds no pack');
      line = await nextLine(packets);
    }
  } catch (error) {
    if (!(error instanceof RemoteFault || error instanceof EmptyAnswer)) throw error;
    const isOfFilter = error instanceof EmptyAnswer || /filter/.test(error.message);
    if (filter !== undefined && isOfFilter) throw new FilterRefused(error.message, { cause: error });
    if (/not our ref/.test(error.message)) throw new ObjectMissing(id, { cause: error });
    throw error;
  }
  return await read(readBands(packets, () => {}));
}

function contentOf(pack: ReadPack, id: ObjectId, kind: ObjectKind): Buffer {
  const object = pack.get(id);
  if (object === undefined && id === emptyTree) return Buffer.alloc(0);
  if (object === undefined) throw new GitUnavailable(`the server left out the ${kind} ${id}`);
  if (object.kind !== kind) throw new CorruptObject(id, `it is a ${object.kind}, not a ${kind}`);
  return object.content();
}

const commitOf = (pack: ReadPack, id: ObjectId): Commit => parseCommit(id, contentOf(pack, id, 'commit'));

const treeOf = (pack: ReadPack, id: ObjectId): TreeEntry[] => parseTree(id, contentOf(pack, id, 'tree'));

function findFile(pack: ReadPack, tree: ObjectId, [name, ...rest]: readonly string[]): ObjectId | undefined {
  const entry = treeOf(pack, tree).find(entry => entry.name === name);
  if (entry === undefined || entry.mode === '160000') return undefined;
  if (entry.mode === '40000') return rest.length > 0 ? findFile(pack, entry.id, rest) : undefined;
  return rest.length > 0 ? undefined : entry.id;
}

async function* walkTree(
  pack: ReadPack,
  tree: ObjectId,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<SnapshotFile> {
  for (const { name, mode, id } of treeOf(pack, tree)) {
    signal.throwIfAborted();
    const path = `${prefix}${name}`;
    if (mode === '40000') yield* walkTree(pack, id, `${path}/`, signal);
    else yield { path, mode, id, content: mode === '160000' ? Buffer.alloc(0) : contentOf(pack, id, 'blob') };
  }
}
