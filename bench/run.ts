/**
 * `npm run bench [-- --only NAME]…`: measures modforge against other ways to do the same, and prints one table. Ends with 1
 * where a row misses its limit by more than its noise. docs/performance.md says what the rows mean.
 */
import { spawnSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { seed } from './corpus.ts';
import { judge, type Row } from './row.ts';
import { benchRows } from './rows.ts';
import { tableHead, tableRow } from './table.ts';
import { startTestbed } from './testbed.ts';

const { values } = parseArgs({ options: { only: { type: 'string', multiple: true } } });

const missing = ['git', 'go', 'wrk', 'nginx'].filter(command => spawnSync(command, ['-v']).error !== undefined);
if (missing.length > 0) {
  throw new Error(`the bench needs ${missing.join(', ')}; on Debian: apt-get install git golang wrk nginx-light`);
}

const say = (text: string) => process.stdout.write(`${text}\n`);
say(`${describeMachine()}\n\n${tableHead}`);
await using testbed = await startTestbed();
for (const row of chooseRows(benchRows(testbed), values.only)) {
  try {
    const measured = { ...row, samples: await row.measure() };
    say(tableRow(measured));
    if (judge(measured) === 'missed') process.exitCode = 1;
  } catch (error) {
    // The rows after it can be measured all the same.
    process.stderr.write(`${row.name}: ${error instanceof Error ? error.stack : error}\n`);
    process.exitCode = 1;
  }
}

/** The rows whose names hold one of `parts`; all unless there are any. */
function chooseRows(all: readonly Row[], parts: readonly string[] | undefined): readonly Row[] {
  if (parts === undefined) return all;
  const chosen = all.filter(({ name }) => parts.some(part => name.includes(part)));
  if (chosen.length > 0) return chosen;
  throw new Error(
    `--only ${parts.join(' --only ')} is in the name of no row:\n${all.map(({ name }) => name).join('\n')}`,
  );
}

function describeMachine(): string {
  const answer = (command: string, ...args: string[]) => spawnSync(command, args, { encoding: 'utf8' }).stdout.trim();
  const commit = answer('git', 'describe', '--always', '--dirty');
  const processors = cpus();
  return [
    `modforge ${commit}, seed ${seed}, ${new Date().toISOString().slice(0, 10)}`,
    `${processors.length} × ${processors[0]?.model}, load ${loadavg()[0]?.toFixed(1)} at the start`,
    `Node ${process.version}, ${answer('git', 'version')}, ${answer('go', 'version')}`,
  ].join('\n');
}
