import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { builtProgram } from '../support/built-program.ts';

const root = join(import.meta.dirname, '../..');

async function start(args: string[], env: Record<string, string> = {}, imports: string[] = []) {
  const command = [...imports.flatMap(module => ['--import', module]), await builtProgram(), ...args];
  return spawn(process.execPath, command, { cwd: root, env: { PATH: process.env.PATH, ...env } });
}

async function run(...args: Parameters<typeof start>) {
  const child = await start(...args);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { stdout, stderr, code };
}

describe('modforge', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'modforge-cli-'));
  });
  after(() => rm(folder, { recursive: true }));

  it('explains itself', async () => {
    const { stdout, code } = await run(['--help']);
    assert.equal(code, 0);
    assert.match(stdout, /modforge pack DIR --version v1\.2\.3/);
    assert.match(stdout, /MODFORGE_DATA +folder of the local forge \[\.\/data\]/);
  });

  it('says its version', async () => {
    assert.match((await run(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/);
  });

  it('names every problem of its configuration and does not start', async () => {
    const { stderr, code } = await run([], { PORT: 'x', MODFORGE_OWNERS: 'api' });
    assert.equal(code, 1);
    assert.match(stderr, /PORT must be a port number/);
    assert.match(stderr, /MODFORGE_OWNERS must not hold api/);
    assert.doesNotMatch(stderr, /\n +at /);
  });

  for (const [name, args] of [
    ['an option that it does not know', ['--prot', '80']],
    ['an argument that it does not know', ['server']],
  ] as const) {
    it(`refuses ${name} in a line`, async () => {
      const { stderr, code } = await run([...args]);
      assert.equal(code, 1);
      assert.match(stderr, /^modforge: .+\n$/);
    });
  }

  it('names a configuration file that it cannot read', async () => {
    const { stderr, code } = await run(['--config', 'no/such/file']);
    assert.equal(code, 1);
    assert.match(stderr, /^modforge: .+\n {2}cannot read the file of --config: ENOENT.*'no\/such\/file'\n$/);
  });

  it('does not start where its store cannot be used, and says why', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    const { stderr, code } = await run([], { MODFORGE_DATA: join(file, 'data'), PORT: '0' });
    assert.equal(code, 1);
    assert.match(stderr, /^modforge: cannot use the folder \S+: ENOTDIR.*\n$/);
  });

  it('does not go on where what was put in does not come back', async () => {
    const env = { PORT: '0', MODFORGE_FORGE: 'memory' };
    const { stdout, code } = await run([], env, ['./test/support/break-hashes.mjs']);
    assert.equal(code, 1);
    assert.match(stdout, /"msg":"the self-test failed/);
    assert.match(stdout, /was put in as h1:\S+ came back as h1:/);
  });

  it('starts with a file of variables, prints what to paste next, and stops when told', async () => {
    const config = join(folder, 'modforge.env');
    await writeFile(config, `PORT=0\nMODFORGE_OWNERS=acme\nMODFORGE_DATA=${join(folder, 'data')}\n`);
    const child = await start(['--config', config]);
    let printed = '';
    child.stderr.on('data', data => {
      printed += data;
    });
    while (!printed.includes('go install')) await once(child.stderr, 'data');
    assert.match(printed, /modforge listens on http:\/\/127\.0\.0\.1:\d+\./);
    assert.match(printed, /curl -u publisher:\S{20} -T module\.zip http:\S+\/api\/packages\/acme\/go\/upload\n/);
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'close'), [0, null]);
  });
});
