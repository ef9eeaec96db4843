import { CorruptObject } from './errors.ts';
import { isObjectId, type ObjectId } from './object-id.ts';
import type { HistoryCommit } from './remote.ts';

const idLength = 40;

/**
 * Reads what the history needs from a commit's content; the result holds no part of it, so that messages can go. A time that
 * makes no sense is 0, as for git itself. Throws CorruptObject where the parents make no sense.
 */
export function parseHistoryCommit(id: ObjectId, content: Buffer): HistoryCommit {
  const text = (start: number, length: number) => content.toString('latin1', start, start + length);
  if (text(0, 'tree '.length) !== 'tree ') throw new CorruptObject(id, 'not a commit that can be read');
  const parents: ObjectId[] = [];
  let at = 'tree \n'.length + idLength;
  while (text(at, 'parent '.length) === 'parent ') {
    const parent = text(at + 'parent '.length, idLength);
    if (!isObjectId(parent)) throw new CorruptObject(id, 'a parent of it is no commit');
    parents.push(parent);
    at += 'parent \n'.length + idLength;
  }
  const headerEnd = content.indexOf('\n\n', at);
  const header = content.toString('latin1', at, headerEnd < 0 ? content.byteLength : headerEnd);
  const time = Number(/^committer [^\n]* (\d+)(?: [+-]\d+)?$/m.exec(header)?.[1]);
  return { id, parents, time: Number.isSafeInteger(time) ? time : 0 };
}
