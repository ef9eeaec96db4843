import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Commit } from '../../src/git/commit.ts';
import { emptyTree } from '../../src/git/object-id.ts';
import { parseH1 } from '../../src/gomod/h1.ts';
import { DamagedRecord } from '../../src/registry/errors.ts';
import { formatRecord, parseRecord, publisher } from '../../src/registry/version-record.ts';

const h1 = (letter: string) => parseH1(`h1:${letter.repeat(43)}=`);
const record = { module: 'example.com/lib', version: 'v1.2.3', zipHash: h1('A'), goModHash: h1('E') };

function commit(message: string): Commit {
  const person = { name: 'a', email: 'a@b', time: 0 };
  return { id: emptyTree, tree: emptyTree, parents: [], author: person, committer: person, message };
}

describe('the record of a published version', () => {
  it('comes back from the message as it went in', () => {
    assert.deepEqual(parseRecord(commit(formatRecord(record))), record);
  });

  for (const [name, message] of [
    ['a message of people', 'fix a bug\n\nIt was there.\n'],
    ['trailers that are not ours', 'fix\n\nModule: x\nSigned-off-by: me\n'],
    ['hashes above the last paragraph', `${formatRecord(record)}\nSigned-off-by: me\n`],
    ['no message', ''],
  ] as const) {
    it(`is not seen in ${name}`, () => assert.equal(parseRecord(commit(message)), undefined));
  }

  for (const [name, message] of [
    ['twice', `${formatRecord(record)}Zip-Hash: ${h1('I')}\n`],
    ['without its module', formatRecord(record).replace(/^Module: .*\n/m, '')],
    ['without one hash', formatRecord(record).replace(/^Go-Mod-Hash: .*\n/m, '')],
    ['with a hash cut off', formatRecord(record).replace('AAAA=', '')],
  ] as const) {
    it(`is damaged if a part stands in it ${name}`, () => {
      assert.throws(() => parseRecord(commit(message)), DamagedRecord);
    });
  }
});

describe('publisher', () => {
  it('keeps out of the commit what git refuses in a name', () => {
    assert.deepEqual(publisher('ann <x>\n', 'git.acme.dev/forge', 7), {
      name: 'ann x',
      email: 'ann x@users.noreply.git.acme.dev',
      time: 7,
    });
    assert.equal(publisher('<>', undefined, 7).name, 'unknown');
  });
});
