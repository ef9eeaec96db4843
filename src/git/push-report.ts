/** What a push sends and what it is told: gitprotocol-pack(5), "Pushing Data To a Server", report-status on a side band. */
import { GitUnavailable, PushRefused, RefMoved, WriteRefused } from './errors.ts';
import { writePack } from './pack.ts';
import { type PackedObject, packedBytes } from './packed-object.ts';
import { encodeLine, flushPacket, nextLine, type Packets, ProtocolError, readBands, readPackets } from './pkt-line.ts';
import { plainText } from './plain-text.ts';
import type { Push, RefUpdate } from './remote.ts';

const noObject = '0'.repeat(40);
/** What is smaller is sent whole, as git does (`http.postBuffer`). */
const wholeBytes = 2 ** 20;

/** The body of a push; a large one is produced as it is sent. */
export async function encodePush({
  objects,
  updates,
}: Pick<Push, 'objects' | 'updates'>): Promise<Buffer | (() => AsyncIterable<Uint8Array>)> {
  if (isLarge(objects)) return () => pushChunks(objects, updates);
  const chunks: Uint8Array[] = [];
  for await (const chunk of pushChunks(objects, updates)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function isLarge(objects: readonly PackedObject[]): boolean {
  let bytes = 0;
  return objects.some(object => {
    bytes += packedBytes(object);
    return bytes >= wholeBytes;
  });
}

async function* pushChunks(
  objects: readonly PackedObject[],
  updates: readonly RefUpdate[],
): AsyncGenerator<Uint8Array, void> {
  const capabilities = ['report-status-v2', 'report-status', 'side-band-64k', 'quiet', 'delete-refs', 'ofs-delta'];
  if (updates.length > 1) capabilities.push('atomic');
  const commands = updates.map(({ name, from = noObject, to = noObject }, i) =>
    encodeLine(`${from} ${to} ${name}${i === 0 ? `\0${capabilities.join(' ')}` : ''}`),
  );
  yield Buffer.concat([...commands, flushPacket]);
  if (updates.some(({ to }) => to !== undefined)) yield* writePack(objects);
}

export interface PushReport {
  /** `ok`, or why the objects were not taken. */
  readonly unpack: string;
  /** Why a ref was not updated, by its name. */
  readonly refused: ReadonlyMap<string, string>;
  /** What the server and its hooks said to people. */
  readonly text: string;
}

/** Throws ProtocolError unless the report is whole and says something of every update. */
export async function readPushReport(packets: Packets, updates: readonly RefUpdate[]): Promise<PushReport> {
  let text = '';
  const report = readPackets(
    readBands(packets, more => {
      if (text.length < 100_000) text += more;
    }),
  );
  const { text: first } = await nextLine(report);
  if (!first.startsWith('unpack ')) throw new ProtocolError('the answer is no report of a push');
  const taken = new Set<string>();
  const refused = new Map<string, string>();
  for (;;) {
    const { kind, text: line } = await nextLine(report);
    if (kind === 'flush') break;
    const [, verdict, name = '', reason = ''] = /^(ok|ng|option) (\S+) ?(.*)$/s.exec(line) ?? [];
    if (verdict === 'ok') taken.add(name);
    else if (verdict === 'ng') refused.set(name, reason);
    else if (verdict === undefined) throw new ProtocolError('the report of the push makes no sense');
  }
  for await (const _ of report);
  const unpack = first.slice('unpack '.length);
  if (!updates.every(({ name }) => taken.has(name) || refused.has(name)) && unpack === 'ok') {
    throw new ProtocolError('the report of the push leaves out a ref');
  }
  return { unpack, refused, text };
}

/**
 * What a report means, undefined where all is done. Nothing in the protocol tells the cases apart but the words of git
 * (builtin/receive-pack.c, refs/files-backend.c), of Gitea's hooks and of GitHub (its GH… codes):
 * where they are of a race, RefMoved, also where an object is missing that the push built on: refs are to be read again.
 */
export function pushProblem(
  url: string,
  { unpack, refused, text }: PushReport,
  updates: readonly RefUpdate[],
): Error | undefined {
  if (unpack === 'ok' && refused.size === 0) return undefined;
  const reasons = [...refused.values()];
  // In an atomic push all are refused with one, which alone has a reason of its own.
  const ownReason = [...refused].find(([, reason]) => !/^atomic |transaction/.test(reason));
  const [name, reason] = ownReason ?? [...refused][0] ?? [updates[0]?.name, unpack];
  const said = plainText(text);
  const words = [said, unpack === 'ok' ? reason : unpack].filter(part => part !== '').join('\n');
  const all = [unpack, ...reasons, text].join('\n');
  const message = `${url} refuses the push: ${words}`;
  const moved = updates.find(update => update.name === name) ?? updates[0];

  if (serverFault.test(all)) return new GitUnavailable(`${url} could not take the push: ${words}`);
  if (moved && missingObject.test(all)) return new RefMoved(moved.name, { cause: new Error(message) });
  if (unpack !== 'ok' || contentFault.test(all)) return new PushRefused(message);
  if (moved && race.test(reason)) return new RefMoved(moved.name, { cause: new Error(message) });
  return new WriteRefused(message);
}

const serverFault =
  /no space left|disk quota|read-only file system|out of memory|cannot allocate|temporary object directory|insufficient permission for adding|unable to migrate objects|internal (server )?(connection )?error|early EOF|unexpected disconnect/i;
const missingObject =
  /missing necessary objects|unresolved deltas|did not receive expected object|object of unexpected type/i;
/** Names that can't be had, files over a limit (GH001), private addresses (GH007), secrets (GH013). */
const contentFault =
  /' exists; cannot create '|funny refname|GH001|GH007|exceeds .* (file )?size limit|maximum allowed size|email privacy|contains? secrets|push protection|shallow update/i;
const race =
  /failed to update ref|already exists|atomic (transaction|push) fail|transaction failed|old value|cannot lock ref|fetch first|non-fast-forward|stale info/i;
