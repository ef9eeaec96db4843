#!/usr/bin/env node
/** The command line: `modforge` serves, `modforge pack` makes a module zip of a directory. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { describeVariables, InvalidConfig } from '../config.ts';
import { ForgeUnavailable } from '../forge/errors.ts';
import { serve } from '../main.ts';
import { runPack } from './pack.ts';

const help = `modforge: a Go module registry and proxy whose only store is a git forge

  modforge [--config FILE]                             serve
  modforge pack DIR --version v1.2.3 [--out FILE]      make the module zip of a directory
  modforge --version | --help

FILE of --config holds lines of NAME=value; the environment wins over it. Variables [and their defaults]:

${describeVariables()}
`;

/** How this command line was started, for texts to paste: from a checkout or from a package. */
const command = import.meta.filename.endsWith('.ts') ? 'npm run --silent modforge --' : 'npx modforge';

async function main(args: string[]): Promise<number> {
  if (args[0] === 'pack') return await runPack(args.slice(1), process);
  const { values } = parseArgs({
    args,
    options: { config: { type: 'string' }, help: { type: 'boolean', short: 'h' }, version: { type: 'boolean' } },
  });
  if (values.help) process.stdout.write(help);
  else if (values.version) process.stdout.write(`${version()}\n`);
  else await serve({ configFile: values.config, command });
  return 0;
}

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return typeof manifest === 'object' && manifest && 'version' in manifest ? String(manifest.version) : 'unknown';
}

main(process.argv.slice(2)).then(
  code => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`modforge: ${describe(error)}\n`);
    process.exitCode = 1;
  },
);

/** What the operator can mend is told in a line, with what lies behind it; anything else with its stack. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isTheirs = error instanceof InvalidConfig || error instanceof ForgeUnavailable || 'code' in error;
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return isTheirs ? `${error.message}${cause}` : (error.stack ?? error.message);
}
