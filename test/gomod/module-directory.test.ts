import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NoModule } from '../../src/gomod/errors.ts';
import { findModuleDirectory, goModPaths, type ModuleLocation } from '../../src/gomod/module-directory.ts';
import { parseModulePath } from '../../src/gomod/module-path.ts';
import { parseVersion } from '../../src/gomod/version.ts';

const at = (module: string, rootPath: string, subdir = ''): ModuleLocation => ({
  module: parseModulePath(module),
  rootPath,
  subdir,
});

const LIB = at('example.com/lib', 'example.com/lib');
const LIB_V2 = at('example.com/lib/v2', 'example.com/lib');
/** A repository of its own for the second major version. */
const ONLY_V2 = at('example.com/lib/v2', 'example.com/lib/v2');
const SUB = at('example.com/lib/a/b', 'example.com/lib', 'a/b');
const SUB_V2 = at('example.com/lib/sub/v2', 'example.com/lib', 'sub');
/** The root of the module path is below that of the repository (the fourth field of go-import). */
const DEEP = at('example.com/lib', 'example.com/lib', 'deep');
const GOPKG = at('gopkg.in/yaml.v3', 'gopkg.in/yaml.v3');
const GOPKG_V1 = at('gopkg.in/yaml.v1', 'gopkg.in/yaml.v1');

const PATHS: [location: ModuleLocation, ...paths: string[]][] = [
  [LIB, 'go.mod'],
  [LIB_V2, 'go.mod', 'v2/go.mod'],
  [ONLY_V2, 'go.mod'],
  [SUB, 'a/b/go.mod'],
  [SUB_V2, 'sub/go.mod', 'sub/v2/go.mod'],
  [DEEP, 'deep/go.mod'],
  [GOPKG, 'go.mod'],
  [at('gopkg.in/acme/yaml.v3', 'gopkg.in/acme', 'yaml'), 'yaml/go.mod'],
];

for (const [location, ...paths] of PATHS) {
  test(`${nameOf(location)} is decided by ${paths.join(' and ')}`, () => {
    assert.deepEqual(goModPaths(location), paths);
  });
}

/** By path, without the `/go.mod`, what the file says; a bare path is that of its `module` line. */
type Files = Readonly<Record<string, string>>;

/** Found in a folder, or refused in the words that the go command prints in direct mode, without the revision. */
const CASES: [location: ModuleLocation, files: Files, found: { in: string; goMod?: false } | string][] = [
  [LIB, { '': 'example.com/lib' }, { in: '' }],
  [LIB, { '': '"example.com/lib" // quoted' }, { in: '' }],
  [LIB, { '': 'example.com/fork' }, { in: '' }],
  [LIB, { '': 'gopkg.in/yaml.v1' }, { in: '' }],
  [LIB, { '': 'gopkg.in/yaml.v3' }, { in: '' }],
  [LIB, { '': 'gopkg.in/yaml' }, { in: '' }],
  [LIB, {}, { in: '', goMod: false }],
  [LIB, { v2: 'example.com/lib/v2' }, { in: '', goMod: false }],
  [LIB, { '': 'example.com/lib/v3' }, 'go.mod has post-v1 module path "example.com/lib/v3"'],
  [LIB, { '': 'example.com/lib/v2.0' }, 'go.mod has malformed module path "example.com/lib/v2.0"'],
  [LIB, { '': '// none' }, 'go.mod is missing module path'],
  [LIB_V2, { '': 'example.com/lib/v2' }, { in: '' }],
  [LIB_V2, { v2: 'example.com/lib/v2' }, { in: 'v2' }],
  [LIB_V2, { '': 'example.com/lib', v2: 'example.com/lib/v2' }, { in: 'v2' }],
  [LIB_V2, { '': 'example.com/fork/v2' }, { in: '' }],
  [LIB_V2, { '': 'gopkg.in/fork.v2' }, { in: '' }],
  [LIB_V2, {}, 'missing example.com/lib/go.mod and .../v2/go.mod'],
  [
    LIB_V2,
    { '': 'example.com/lib/v2', v2: 'example.com/lib/v2' },
    'example.com/lib/go.mod and .../v2/go.mod both have .../v2 module paths',
  ],
  [
    LIB_V2,
    { '': 'example.com/lib' },
    'go.mod has non-.../v2 module path "example.com/lib" (and .../v2/go.mod does not exist)',
  ],
  [
    LIB_V2,
    { '': 'example.com/lib/v20' },
    'go.mod has non-.../v2 module path "example.com/lib/v20" (and .../v2/go.mod does not exist)',
  ],
  [LIB_V2, { '': '// none' }, 'go.mod is missing module path (and .../v2/go.mod does not exist)'],
  [
    LIB_V2,
    { '': 'example.com/lib/v2', v2: 'example.com/lib' },
    'example.com/lib/v2/go.mod has non-.../v2 module path "example.com/lib"',
  ],
  [LIB_V2, { '': 'example.com/lib/v2', v2: '// none' }, 'example.com/lib/v2/go.mod is missing module path'],
  [ONLY_V2, { '': 'example.com/lib/v2' }, { in: '' }],
  [ONLY_V2, { v2: 'example.com/lib/v2' }, 'missing example.com/lib/v2/go.mod'],
  [ONLY_V2, { '': 'example.com/lib' }, 'go.mod has non-.../v2 module path "example.com/lib"'],
  [SUB, { 'a/b': 'example.com/lib/a/b' }, { in: 'a/b' }],
  [SUB, { '': 'example.com/lib' }, 'missing example.com/lib/a/b/go.mod'],
  [SUB, { 'a/b': 'example.com/x/v2' }, 'a/b/go.mod has post-v1 module path "example.com/x/v2"'],
  [SUB_V2, { sub: 'example.com/lib/sub/v2' }, { in: 'sub' }],
  [SUB_V2, { 'sub/v2': 'example.com/lib/sub/v2' }, { in: 'sub/v2' }],
  [SUB_V2, {}, 'missing example.com/lib/sub/go.mod and .../v2/go.mod'],
  [SUB_V2, { 'sub/v2': '// none' }, 'example.com/lib/sub/v2/go.mod is missing module path'],
  [
    SUB_V2,
    { sub: 'example.com/x/v2', 'sub/v2': 'example.com/x/v2' },
    'example.com/lib/sub/sub/go.mod and .../v2/go.mod both have .../v2 module paths',
  ],
  [DEEP, { deep: 'example.com/lib' }, { in: 'deep' }],
  [DEEP, { '': 'example.com/lib' }, 'missing example.com/lib/go.mod'],
  [GOPKG, { '': 'gopkg.in/yaml.v3' }, { in: '' }],
  [GOPKG, { '': 'example.com/yaml/v3' }, { in: '' }],
  [GOPKG, {}, { in: '', goMod: false }],
  [GOPKG, { '': 'gopkg.in/yaml.v2' }, 'go.mod has non-....v3 module path "gopkg.in/yaml.v2"'],
  [GOPKG_V1, { '': 'example.com/yaml' }, 'go.mod has non-....v1 module path "example.com/yaml"'],
];

for (const [location, files, found] of CASES) {
  const outcome = typeof found === 'string' ? found : `is in "${found.in}"`;
  test(`${nameOf(location)} among ${JSON.stringify(files)}: ${outcome}`, () => {
    const contents = contentsOf(files);
    const find = () =>
      findModuleDirectory({ ...location, revision: 'a-revision', version: parseVersion('v1.2.3') }, contents);
    if (typeof found === 'string') {
      const { module } = location;
      const message = `${found} at revision a-revision`;
      assert.throws(find, { name: 'NoModule', message, module, revision: 'a-revision' });
    } else {
      const goMod = found.goMod === false ? undefined : contents.get(goModIn(found.in));
      assert.deepEqual(find(), { directory: found.in, goMod });
    }
  });
}

test('any files at all lead to one of the folders that were asked about, or to NoModule', () => {
  const path = fc.constantFrom('example.com/lib', 'example.com/lib/v2', 'gopkg.in/yaml.v3', 'gopkg.in/yaml', 'x/v1');
  const line = fc.oneof(path, fc.string({ unit: 'binary' }), fc.constant('// none'));
  const folder = fc.constantFrom('', 'v2', 'sub', 'sub/v2', 'a/b', 'deep');
  const location = fc.constantFrom(...PATHS.map(([first]) => first));
  fc.assert(
    fc.property(location, fc.dictionary(folder, line), (where, files) => {
      const wanted = { ...where, revision: 'v1.2.3', version: parseVersion('v1.2.3') };
      try {
        const { directory, goMod } = findModuleDirectory(wanted, contentsOf(files));
        assert.ok(goModPaths(where).includes(goModIn(directory)));
        assert.deepEqual(goMod, contentsOf(files).get(goModIn(directory)));
      } catch (error) {
        if (!(error instanceof NoModule)) throw error;
      }
    }),
    { seed: 20260115 },
  );
});

function contentsOf(files: Files): Map<string, Buffer> {
  const text = (line: string) => (line.startsWith('//') ? `${line}\n` : `module ${line}\n\ngo 1.20\n`);
  return new Map(Object.entries(files).map(([folder, line]) => [goModIn(folder), Buffer.from(text(line))]));
}

function goModIn(folder: string): string {
  return folder === '' ? 'go.mod' : `${folder}/go.mod`;
}

function nameOf({ module, rootPath, subdir }: ModuleLocation): string {
  return `${module} of ${rootPath}${subdir === '' ? '' : ` in ${subdir}`}`;
}
