/**
 * Repositories as people push them, one for each thing that `go` looks at when it reads a module from git, and what to ask of each.
 * Queries are separated by white space; what `fillIds` fills in stands for commits: `<b/12>`, `v1.2.4-0.<b/time>-<b/12>`.
 */
import { annotated } from './make-bare-repository.ts';
import { goMod, moduleAt, type SourceRepository, withoutGoMod } from './source-repository.ts';
import { sourceRepositoryContents } from './source-repository-contents.ts';

const versionsAndRefs: Readonly<Record<string, SourceRepository>> = {
  'git.acme.dev/tags': {
    commits: {
      one: { files: moduleAt('git.acme.dev/tags') },
      two: {},
      three: {},
      four: {},
      five: {},
      six: {},
      other: { parents: ['three'] },
    },
    branches: { main: 'six', develop: 'other', 'feature/slash': 'other', release: 'five' },
    tags: {
      'v0.1.0': 'one',
      'v1.0.0': 'two',
      'v1.1.0': annotated('three'),
      'v1.1.1': annotated(annotated('three')),
      'v1.2.0-rc.1': 'four',
      'v1.2.0-RC.2': 'four',
      'v1.2.0': annotated('five'),
      'v2.0.0': 'six',
      stable: 'five',
      nightly: annotated('six'),
    },
    modules: {
      '': `v0.1.0 v1.0.0 v1.1.0 v1.1.1 v1.2.0-rc.1 v1.2.0-RC.2 v1.2.0 v2.0.0 v2.0.0+incompatible v9.9.9 v1.0.0+incompatible
        latest main develop release feature/slash HEAD stable nightly nowhere refs/heads/main refs/tags/v1.0.0
        v0 v1 v1.1 v1.2 v1.3 v2 v3 <v1.1.0 <=v1.1.0 >v1.1.0 >=v1.2.0 >v1.2.0 <v0.1.0 <v1.0 v1.2.0-rc v1.2.0+meta
        <two> <two/12> <two/8> <two/7> <two/6> <six> <six/12> <other/10> <other>
        0123456789abcdef0123456789abcdef01234567 0123456789ab 0123456 V1.0.0 1.0.0 v1.0.0.0`,
      '/v2': 'v2.0.0 v1.0.0 latest main v2 <six>',
      '/v1': 'v1.0.0 latest',
      '/sub': 'latest v1.0.0 main <six/12>',
    },
  },

  // Pseudo-versions, made and checked.
  'git.acme.dev/pseudo': {
    commits: {
      first: { files: moduleAt('git.acme.dev/pseudo') },
      a: {},
      b: { date: '1700010000 -0830' },
      c: {},
      d: { date: '1700085599 +0530' },
      aside: { parents: ['first'] },
      lost: { parents: ['d'] },
      pulled: { parents: ['d'] },
    },
    branches: { main: 'd', side: 'aside' },
    tags: { 'v1.2.3': 'a', 'v1.3.0-rc.1': 'c', 'v1.9.0': 'aside' },
    otherRefs: { 'refs/pull/1/head': 'pulled' },
    modules: {
      '': `main v1.9.0 v1.2.3 v1.3.0-rc.1 side latest <b> <b/12> <b/7> <first> <first/9> <d>
        v0.0.0-<first/time>-<first/12> v1.2.4-0.<b/time>-<b/12> v1.3.0-rc.1.0.<d/time>-<d/12>
        v0.0.0-<b/time>-<b/12> v1.2.4-0.<d/time>-<d/12> v0.0.0-<a/time>-<a/12>
        v1.2.4-0.<a/time>-<a/12> v1.3.0-rc.1.0.<c/time>-<c/12> v1.9.1-0.<aside/time>-<aside/12>
        v1.9.1-0.<d/time>-<d/12> v1.2.4-0.<first/time>-<first/12> v1.5.1-0.<d/time>-<d/12> v1.2.3-0.<b/time>-<b/12>
        v1.0.0-<d/time>-<d/12> v2.0.0-<d/time>-<d/12> v2.0.0-<d/time>-<d/12>+incompatible
        v0.0.0-20200101000000-<d/12> v1.2.4-0.20231399000000-<d/12> v0.0.0-<b/time>-<d/12>
        v0.0.0-<d/time>-<d/11> v0.0.0-<d/time>-<d/7> v0.0.0-<d/time>-<d/13> v0.0.0-<d/time>-<d>
        v0.0.0-<d/time>-abcdefabcdef v0.0.0-<d/time>-main v0.0.0-<d/time>-v1 v0.0.0-<d/time>-<d/6>
        v0.0.0-<lost/time>-<lost/12> <lost> <lost/12> v0.0.0-<pulled/time>-<pulled/12> <pulled> refs/pull/1/head
        v1.2.4-0.<b/time>-<b/12>+incompatible v1.2.4-<b/time>-<b/12> v1.2.0-0.<b/time>-<b/12>
        v1.3.0-0.<d/time>-<d/12> v1.3.1-0.<d/time>-<d/12>`,
    },
  },
  'git.acme.dev/no-tags': {
    commits: { one: { files: moduleAt('git.acme.dev/no-tags') }, two: {}, three: {} },
    branches: { main: 'three', old: 'one' },
    modules: {
      '': `latest main old HEAD <two/12> v1 v0 v1.0.0 v0.0.0-<three/time>-<three/12> v0.0.0-<two/time>-<three/12>
        v0.0.1-0.<two/time>-<two/12> >v0.0.0 <v1.0.0 v0.0.0`,
      '/v2': 'latest main v2.0.0-<three/time>-<three/12>',
    },
  },
  'git.acme.dev/zones': {
    commits: {
      old: { files: moduleAt('git.acme.dev/zones'), date: '100000 +0000' },
      east: { date: '1699999200 +1400' },
      west: { date: '1700006399 -1130' },
      newyear: { date: '1704067199 -0001' },
      far: { date: '4000000000 +0900' },
    },
    branches: { main: 'far', east: 'east', west: 'west', newyear: 'newyear', old: 'old' },
    tags: { 'v1.0.0': 'west', 'v1.1.0': annotated('newyear') },
    modules: {
      '': 'v1.0.0 v1.1.0 old east west newyear main latest v0.0.0-<east/time>-<east/12> v0.0.0-19700102034640-<old/12>',
    },
  },
  'git.acme.dev/merges': {
    commits: {
      root: { files: moduleAt('git.acme.dev/merges') },
      line: {},
      high: { parents: ['root'] },
      higher: { parents: ['high'] },
      merge: { parents: ['line', 'higher'] },
      after: {},
      apart: { parents: [], files: moduleAt('git.acme.dev/merges') },
      octopus: { parents: ['after', 'apart', 'line'] },
      unmerged: { parents: ['root'] },
    },
    branches: { main: 'after', octopus: 'octopus', unmerged: 'unmerged', line: 'line' },
    tags: { 'v1.0.0': 'root', 'v1.1.0': 'line', 'v1.5.0': 'high', 'v1.6.0': 'apart', 'v1.7.0-beta': 'unmerged' },
    modules: {
      '': `v1.6.0 v1.7.0-beta main octopus unmerged line latest <merge> <higher/12> <after/12> v1.5.1-0.<after/time>-<after/12>
        v1.1.1-0.<after/time>-<after/12> v1.6.1-0.<after/time>-<after/12> v1.6.1-0.<octopus/time>-<octopus/12>`,
    },
  },
  'git.acme.dev/long': {
    commits: {
      c0: { files: moduleAt('git.acme.dev/long') },
      ...Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`c${i + 1}`, {}])),
    },
    branches: { main: 'c150' },
    tags: { 'v0.3.0': 'c3', 'v0.4.0-alpha': 'c90' },
    modules: {
      '': 'main latest <c50/12> <c1> <c100/7> v0.3.1-0.<c80/time>-<c80/12> v0.4.0-alpha.0.<c80/time>-<c80/12>',
    },
  },

  // Major versions.
  'git.acme.dev/major-directory': {
    commits: {
      one: { files: moduleAt('git.acme.dev/major-directory') },
      two: { files: moduleAt('git.acme.dev/major-directory/v2', 'v2/') },
      three: { files: moduleAt('git.acme.dev/major-directory/v3', 'v3/') },
    },
    branches: { main: 'three' },
    tags: { 'v1.0.0': 'one', 'v1.1.0': 'two', 'v2.0.0': 'two', 'v2.1.0': 'three', 'v3.0.0-pre': 'three' },
    modules: {
      '': 'v1.0.0 v1.1.0 v2.0.0 v2.0.0+incompatible latest main <two>',
      '/v2':
        'v2.0.0 v2.1.0 v1.1.0 latest main <two> <one> v2 v2.2 v2.0.0-<one/time>-<one/12> v2.0.1-0.<three/time>-<three/12>',
      '/v3': 'v3.0.0-pre latest main <two/12>',
      '/v4': 'latest v4.0.0 main',
    },
  },
  'git.acme.dev/major-branch': {
    commits: {
      one: { files: moduleAt('git.acme.dev/major-branch') },
      two: {},
      v2one: { parents: ['one'], files: moduleAt('git.acme.dev/major-branch/v2') },
      v2two: {},
      v2three: {},
    },
    branches: { main: 'two', v2: 'v2three' },
    tags: { 'v1.0.0': 'one', 'v2.0.0': 'v2one', 'v2.1.0': annotated('v2two') },
    modules: {
      '': 'v1.0.0 v2.0.0 v2.1.0+incompatible latest main v2 <v2two>',
      '/v2':
        'v2.0.0 v2.1.0 v1.0.0 latest v2 main <v2three> <v2two> <one> v2.1.1-0.<v2three/time>-<v2three/12> v2.0.0-<v2three/time>-<v2three/12>',
    },
  },
  'git.acme.dev/major-twice': {
    commits: {
      one: { files: { ...moduleAt('git.acme.dev/major-twice/v2'), ...moduleAt('git.acme.dev/major-twice/v2', 'v2/') } },
    },
    branches: { main: 'one' },
    tags: { 'v1.0.0': 'one', 'v2.0.0': 'one' },
    modules: { '': 'v1.0.0 v2.0.0 latest main', '/v2': 'v2.0.0 latest main <one>' },
  },
  'git.acme.dev/major-disagrees': {
    commits: {
      plain: { files: moduleAt('git.acme.dev/major-disagrees') },
      three: { files: moduleAt('git.acme.dev/major-disagrees/v3') },
      folder: {
        files: { ...moduleAt('git.acme.dev/major-disagrees'), ...moduleAt('git.acme.dev/major-disagrees/v5', 'v2/') },
      },
      nameless: { files: { 'v2/go.mod': 'go 1.21\n' } },
      rootless: { files: { 'go.mod': null, 'v2/go.mod': null, 'v2/lib.go': 'package lib\n' } },
      other: { files: { 'v2/go.mod': goMod('git.acme.dev/another/v2') } },
    },
    branches: { main: 'plain' },
    tags: {
      'v1.0.0': 'three',
      'v1.1.0': 'other',
      'v2.0.0': 'plain',
      'v2.1.0': 'three',
      'v2.2.0': 'folder',
      'v2.3.0': 'nameless',
      'v2.4.0': 'rootless',
      'v2.5.0': 'other',
    },
    modules: {
      '': 'v1.0.0 v1.1.0 v2.0.0 v2.4.0 v2.5.0 latest main',
      '/v2': 'v2.0.0 v2.1.0 v2.2.0 v2.3.0 v2.4.0 v2.5.0 latest main <rootless> <other>',
      '/v3': 'latest <three> v3.0.0-<three/time>-<three/12>',
    },
  },
  'git.acme.dev/incompatible': {
    commits: {
      one: { files: withoutGoMod },
      two: {},
      three: {},
      four: { files: { 'v4/go.mod': goMod('git.acme.dev/incompatible/v4'), 'v4/lib.go': 'package lib\n' } },
      five: { files: { 'v4/go.mod': null, ...moduleAt('git.acme.dev/incompatible/v5') } },
      six: { files: { 'go.mod': null } },
    },
    branches: { main: 'three', last: 'six', four: 'four' },
    tags: {
      'v1.0.0': 'one',
      'v2.0.0': 'two',
      'v2.1.0-pre': 'three',
      'v3.0.0': 'two',
      'v4.0.0': 'four',
      'v5.0.0': 'five',
      'v6.0.0-beta': 'six',
      'v7.0.0+incompatible': 'six',
    },
    modules: {
      '': `v1.0.0 v1.0.0+incompatible v2.0.0 v2.0.0+incompatible v2.1.0-pre v2.1.0-pre+incompatible v3.0.0 v4.0.0 v4.0.0+incompatible
        v5.0.0 v5.0.0+incompatible v6.0.0-beta v7.0.0 v7.0.0+incompatible latest v2 v3 v4 v5 main last four <two> <four> <six/12>
        v2.0.1-0.<three/time>-<three/12>+incompatible v2.0.1-0.<three/time>-<three/12> v0.0.0-<three/time>-<three/12> >v1.0.0`,
      '/v2': 'v2.0.0 latest main',
      '/v4': 'v4.0.0 latest',
      '/v5': 'v5.0.0 latest main',
    },
  },
  'git.acme.dev/incompatible-ended': {
    commits: {
      one: { files: withoutGoMod },
      two: {},
      three: { files: { 'go.mod': goMod('git.acme.dev/incompatible-ended') } },
      four: {},
    },
    branches: { main: 'four' },
    tags: { 'v1.0.0': 'one', 'v2.0.0': 'two', 'v1.1.0': 'three' },
    modules: { '': 'v2.0.0 v2.0.0+incompatible v1.1.0 v1.0.0 latest main v2 <two>' },
  },
  'git.acme.dev/incompatible-only': {
    commits: { one: { files: withoutGoMod }, two: {} },
    branches: { main: 'two' },
    tags: { 'v2.0.0-rc.1': 'one', 'v3.1.0-rc.1': 'one' },
    modules: { '': 'latest main v2.0.0-rc.1 v2.0.0-rc.1+incompatible v3 <two/12>' },
  },

  // gopkg.in, where the major version is part of the last element.
  'gopkg.in/yaml.v2': {
    commits: {
      one: { files: withoutGoMod },
      two: {},
      three: { files: { 'go.mod': goMod('gopkg.in/yaml.v2') } },
      four: { files: { 'go.mod': goMod('gopkg.in/yaml.v3') } },
      five: { files: { 'go.mod': goMod('git.acme.dev/yaml/v2') } },
      six: { files: { 'go.mod': goMod('git.acme.dev/yaml') } },
    },
    branches: { main: 'three', v2: 'two', next: 'four' },
    tags: {
      'v1.0.0': 'one',
      'v2.0.0': 'two',
      'v2.1.0': 'three',
      'v2.2.0-bad': 'four',
      'v2.2.1-bad': 'five',
      'v2.2.2-bad': 'six',
      'v3.0.0': 'four',
    },
    modules: {
      '': `v1.0.0 v2.0.0 v2.1.0 v2.2.0-bad v2.2.1-bad v2.2.2-bad v3.0.0 v2.0.0+incompatible latest main v2 next <two/12> <one>
        v2.0.1-0.<three/time>-<three/12> v2.0.0-<one/time>-<one/12> v0.0.0-<one/time>-<one/12> v1`,
    },
  },
  'gopkg.in/check.v1': {
    commits: { one: { files: withoutGoMod }, two: {}, three: {} },
    branches: { v1: 'three' },
    head: 'v1',
    tags: { 'v0.9.0': 'one', 'v1.0.0': 'two', 'v2.0.0': 'three' },
    modules: {
      '': 'v0.9.0 v1.0.0 v2.0.0 latest v1 HEAD <one> <three/12> v1.0.1-0.<three/time>-<three/12> v0.0.0-<one/time>-<one/12>',
    },
  },
  'gopkg.in/x.v3-unstable': {
    commits: { one: { files: withoutGoMod }, two: {} },
    branches: { main: 'two' },
    tags: { 'v3.0.0': 'one', 'v2.0.0': 'one' },
    modules: { '': 'latest main v3.0.0 <one> v3.0.0-<two/time>-<two/12>' },
  },
  'git.acme.dev/was-gopkg': {
    commits: { one: { files: moduleAt('gopkg.in/yaml.v2') }, two: {} },
    branches: { main: 'two' },
    tags: { 'v1.0.0': 'one', 'v2.0.0': 'one' },
    modules: { '': 'v1.0.0 v2.0.0 v2.0.0+incompatible latest main' },
  },

  // Modules below the root.
  'git.acme.dev/nested': {
    commits: {
      one: {
        files: {
          ...moduleAt('git.acme.dev/nested'),
          LICENSE: 'of the root\r\n',
          ...moduleAt('git.acme.dev/nested/sub', 'sub/'),
          'sub/inner/code.go': 'package inner\n',
          ...moduleAt('git.acme.dev/nested/sub/deep', 'sub/deep/'),
          'sub/deep/LICENSE': 'of deep\n',
          'plain/plain.go': 'package plain\n',
          ...moduleAt('git.acme.dev/nested/odd', 'odd/'),
          'odd/LICENSE/text.md': 'a folder\n',
          ...moduleAt('git.acme.dev/nested/lower', 'lower/'),
          'lower/license': 'in lower case\n',
        },
      },
      two: { files: moduleAt('git.acme.dev/nested/sub/v2', 'sub/') },
      three: {
        files: { ...moduleAt('git.acme.dev/nested/sub', 'sub/'), ...moduleAt('git.acme.dev/nested/sub/v3', 'sub/v3/') },
      },
      four: { files: { LICENSE: null } },
    },
    branches: { main: 'four' },
    tags: {
      'v1.0.0': 'one',
      'sub/v0.1.0': 'one',
      'sub/v0.2.0': annotated('three'),
      'sub/v2.0.0': 'two',
      'sub/v3.0.0': 'three',
      'sub/deep/v1.0.0': 'one',
      'sub/deep/v1.1.0-rc.1': 'four',
      'plain/v1.0.0': 'one',
      'odd/v0.1.0': 'one',
      'lower/v0.1.0': 'one',
      'gone/v1.0.0': 'one',
      'sub/release': 'three',
    },
    modules: {
      '': 'v1.0.0 latest main sub/v0.1.0',
      '/sub':
        'v0.1.0 v0.2.0 v2.0.0 v1.0.0 latest main <one> <three> <two> sub/v0.1.0 sub/release v0.2.1-0.<four/time>-<four/12> v0.0.0-<one/time>-<one/12>',
      '/sub/v2': 'v2.0.0 latest main <two> <three>',
      '/sub/v3': 'v3.0.0 latest main v3.0.0-<three/time>-<three/12>',
      '/sub/deep': 'v1.0.0 v1.1.0-rc.1 latest main',
      '/sub/inner': 'latest v1.0.0',
      '/plain': 'v1.0.0 latest main',
      '/odd': 'v0.1.0 latest',
      '/lower': 'v0.1.0',
      '/gone': 'v1.0.0 latest',
    },
  },
  'git.acme.dev/mono': {
    commits: {
      one: { files: { 'README.md': 'no module here\n', ...moduleAt('git.acme.dev/mono/service', 'service/') } },
      two: { files: { LICENSE: { symlink: 'README.md' }, ...moduleAt('git.acme.dev/mono/lib/v2', 'lib/v2/') } },
    },
    branches: { main: 'two' },
    tags: {
      'service/v0.1.0': 'one',
      'service/v0.2.0': 'two',
      'lib/v2.0.0': 'two',
      'lib/v1.0.0': 'two',
      'v0.1.0': 'one',
    },
    modules: {
      '': 'v0.1.0 latest main',
      '/service': 'v0.1.0 v0.2.0 latest main <one>',
      '/lib/v2': 'v2.0.0 latest main',
      '/lib': 'v1.0.0 latest',
    },
  },
  'git.acme.dev/Upper': {
    commits: {
      one: { files: { ...moduleAt('git.acme.dev/Upper'), ...moduleAt('git.acme.dev/Upper/SubDir', 'SubDir/') } },
      two: {},
    },
    branches: { main: 'one', Develop: 'two' },
    tags: { 'v1.0.0': 'one', 'v1.1.0-Beta.1': 'two', 'SubDir/v0.1.0': 'one' },
    modules: {
      '': 'v1.0.0 v1.1.0-Beta.1 v1.1.0-beta.1 latest main Develop develop',
      '/SubDir': 'v0.1.0 latest Develop <two/12>',
      '/subdir': 'v0.1.0 latest',
    },
  },

  // What stands in a go.mod.
  'git.acme.dev/retracted': {
    commits: {
      one: { files: moduleAt('git.acme.dev/retracted') },
      two: {},
      three: {},
      four: {
        files: {
          'go.mod': [
            '// Deprecated: use git.acme.dev/tags',
            'module git.acme.dev/retracted',
            'retract (',
            '\t// eats data',
            '\tv1.0.0',
            '\t[v1.1.0, v1.1.9] // never worked',
            '\tv1.3.0',
            ')',
            '',
          ].join('\n'),
        },
      },
      five: {},
      six: { files: moduleAt('git.acme.dev/retracted') },
    },
    branches: { main: 'five', two: 'two', six: 'six' },
    tags: {
      'v1.0.0': 'one',
      'v1.0.1': 'two',
      'v1.1.0': 'two',
      'v1.1.5': 'three',
      'v1.2.0': 'three',
      'v1.3.0': 'four',
      'v1.4.0-rc.1': 'six',
    },
    modules: {
      '': `v1.0.0 v1.0.1 v1.1.0 v1.1.5 v1.2.0 v1.3.0 v1.4.0-rc.1 latest main two six v1 v1.1 v1.0 <two> <three/12> <four> <five>
        v1.3.1-0.<five/time>-<five/12> v1.2.1-0.<five/time>-<five/12> >v1.2.0 <v1.1.0`,
    },
  },
  'git.acme.dev/retracted-whole': {
    commits: {
      one: { files: moduleAt('git.acme.dev/retracted-whole') },
      two: { files: { 'go.mod': goMod('git.acme.dev/retracted-whole', 'retract [v0.0.0, v1.99.99]') } },
      three: {},
    },
    branches: { main: 'three' },
    tags: { 'v1.0.0': 'one', 'v1.1.0': 'two' },
    modules: { '': 'v1.0.0 v1.1.0 latest main v1 <two> <one>' },
  },
  'git.acme.dev/odd-go-mod': {
    commits: {
      crlf: { files: { 'go.mod': 'module git.acme.dev/odd-go-mod\r\n\r\ngo 1.21\r\n' } },
      block: {
        files: { 'go.mod': '// About.\nmodule (\n\t"git.acme.dev/odd-go-mod" // here\n)\nunknown directive\n' },
      },
      raw: { files: { 'go.mod': 'module `git.acme.dev/odd-go-mod`' } },
      bom: { files: { 'go.mod': '\uFEFFmodule git.acme.dev/odd-go-mod\n' } },
      garbage: { files: { 'go.mod': '<<<<<<< HEAD\nmodule git.acme.dev/odd-go-mod\n' } },
      nameless: { files: { 'go.mod': 'go 1.21\n' } },
      empty: { files: { 'go.mod': '' } },
      link: { files: { 'go.mod': { symlink: 'other.mod' }, 'other.mod': goMod('git.acme.dev/odd-go-mod') } },
      wellLinked: { files: { 'go.mod': { symlink: 'module git.acme.dev/odd-go-mod' } } },
      folder: { files: { 'go.mod': null, 'go.mod/file': 'x\n' } },
      submodule: { files: { 'go.mod/file': null, 'go.mod': { submodule: '1'.repeat(40) } } },
      malformed: { files: { 'go.mod': 'module git.acme.dev/odd-go-mod/v1\n' } },
      fork: { files: { 'go.mod': goMod('example.com/other/path') } },
      forkTwo: { files: { 'go.mod': goMod('example.com/other/path/v2') } },
      twoWords: { files: { 'go.mod': 'module git.acme.dev/odd-go-mod other\n' } },
      upper: { files: { 'go.mod': null, 'GO.MOD': goMod('git.acme.dev/odd-go-mod') } },
      tooNew: { files: { 'GO.MOD': null, 'go.mod': goMod('git.acme.dev/odd-go-mod', 'go 1.999') } },
      executable: { files: { 'go.mod': { executable: goMod('git.acme.dev/odd-go-mod') } } },
      last: { files: { 'go.mod': goMod('git.acme.dev/odd-go-mod') } },
    },
    branches: { main: 'last', garbage: 'garbage' },
    tags: {
      'v1.0.0': 'crlf',
      'v1.1.0': 'block',
      'v1.2.0': 'raw',
      'v1.3.0': 'bom',
      'v1.4.0': 'garbage',
      'v1.5.0': 'nameless',
      'v1.6.0': 'empty',
      'v1.7.0': 'link',
      'v1.8.0': 'wellLinked',
      'v1.9.0': 'folder',
      'v1.10.0': 'submodule',
      'v1.11.0': 'malformed',
      'v1.12.0': 'fork',
      'v1.13.0': 'forkTwo',
      'v1.14.0': 'twoWords',
      'v1.15.0': 'upper',
      'v1.16.0': 'tooNew',
      'v1.17.0': 'executable',
      'v1.18.0': 'last',
    },
    modules: {
      '': `v1.0.0 v1.1.0 v1.2.0 v1.3.0 v1.4.0 v1.5.0 v1.6.0 v1.7.0 v1.8.0 v1.9.0 v1.10.0 v1.11.0 v1.12.0 v1.13.0 v1.14.0 v1.15.0
        v1.16.0 v1.17.0 v1.18.0 latest garbage`,
    },
  },

  // Names of refs that can be taken for something else.
  'git.acme.dev/odd-tags': {
    commits: {
      one: { files: moduleAt('git.acme.dev/odd-tags') },
      two: {},
      three: {},
      four: {},
      five: {},
      six: {},
      seven: {},
    },
    branches: { main: 'seven' },
    tags: {
      'v1.0.0': 'one',
      'v1.1.0+meta': 'two',
      'v1.1.0+other': 'three',
      'v1.2.0+incompatible': 'four',
      'v01.3.0': 'one',
      'v1.4': 'four',
      'v1.4.0-': 'one',
      'v1.5.0-01': 'one',
      'V1.6.0': 'one',
      '1.7.0': 'five',
      'release-1.8.0': 'five',
      'v0.0.0-20200101000000-abcdefabcdef': 'five',
      'v1.0.1-0.20200101000000-abcdefabcdef': 'six',
      'v1.9.0-a+b': 'six',
    },
    modules: {
      '': `v1.0.0 v1.1.0 v1.1.0+meta v1.1.0+other v1.2.0 v1.2.0+incompatible v01.3.0 v1.4 v1.4.0 v1.4.0- v1.5.0-01 V1.6.0 1.7.0 release-1.8.0
        v0.0.0-20200101000000-abcdefabcdef v1.0.1-0.20200101000000-abcdefabcdef v1.9.0-a v1.9.0-a+b
        latest main <two> <three> <four> <five> <six> v1.1.1-0.<two/time>-<two/12> v1.1.1-0.<three/time>-<three/12>
        v1.0.1-0.<two/time>-<two/12> v1.9.0-a.0.<six/time>-<six/12>`,
    },
  },
  'git.acme.dev/odd-branches': {
    commits: {
      one: { files: moduleAt('git.acme.dev/odd-branches') },
      two: {},
      three: {},
      four: {},
      five: {},
    },
    branches: {
      main: 'five',
      'v1.0.0': 'two',
      'v1.5.0': 'three',
      v1: 'two',
      'v1.0': 'three',
      v2: 'three',
      both: 'two',
      latest: 'two',
      deadbeef: 'two',
      '<three/7>': 'one',
      'v0.0.0-20200101000000-abcdefabcdef': 'two',
      abcdefabcdef: 'three',
    },
    tags: { 'v1.0.0': 'one', both: 'four', HEAD: 'one', '<two/8>': 'three', master: 'two' },
    modules: {
      '': `v1.0.0 v1.5.0 v1 v1.0 v2 both latest deadbeef <three/7> HEAD <two/8> <two/7> <three/8> <five/12> main master
        v0.0.0-20200101000000-abcdefabcdef v0.0.0-<three/time>-abcdefabcdef v1.5.1-0.<five/time>-<five/12>`,
      '/v2': 'v2 latest',
    },
  },
  'git.acme.dev/odd-objects': {
    commits: { one: { files: moduleAt('git.acme.dev/odd-objects') }, two: {} },
    branches: { main: 'two' },
    tags: {
      'v1.0.0': { blob: 'one' },
      'v1.1.0': { tree: 'one' },
      'v1.2.0': annotated({ blob: 'one' }),
      'v1.3.0': annotated({ tree: 'one' }),
      'v1.4.0': 'one',
      picture: { blob: 'one' },
    },
    modules: { '': 'v1.0.0 v1.1.0 v1.2.0 v1.3.0 v1.4.0 picture latest main <one> v1.1 v1' },
  },
  'git.acme.dev/odd-latest': {
    commits: { one: { files: moduleAt('git.acme.dev/odd-latest') }, two: {} },
    branches: { main: 'two' },
    tags: { 'v1.0.0': 'one', 'v1.1.0': { blob: 'one' } },
    modules: { '': 'v1.0.0 v1.1.0 latest main v1 v1.0' },
  },

  // Repositories as a whole.
  'git.acme.dev/renamed': {
    commits: { one: { files: moduleAt('git.acme.dev/renamed') }, two: {} },
    branches: { main: 'two' },
    tags: { 'v1.0.0': 'one' },
    modules: { '': 'v1.0.0 main latest' },
  },
  'git.acme.dev/no-go-mod': {
    commits: { one: { files: withoutGoMod }, two: { files: { 'sub/x.go': 'package sub\n' } } },
    branches: { 'trunk/übung': 'two' },
    head: 'trunk/übung',
    modules: { '': 'latest HEAD main <one> v1', '/sub': 'latest', '/v2': 'latest <one>' },
  },
  'git.acme.dev/empty': {
    commits: {},
    modules: { '': 'latest v1.0.0 main HEAD v1', '/v2': 'latest', '/sub': 'latest' },
  },
  'git.acme.dev/unborn-head': {
    commits: { one: { files: moduleAt('git.acme.dev/unborn-head') }, two: {} },
    branches: { develop: 'two' },
    head: 'nowhere',
    modules: { '': 'latest develop HEAD main <one>' },
  },
  'git.acme.dev/unborn-head-tags': {
    commits: { one: { files: moduleAt('git.acme.dev/unborn-head-tags') }, two: {} },
    tags: { 'v1.0.0': 'two' },
    head: 'nowhere',
    modules: { '': 'v1.0.0 latest HEAD main <one>', '/v2': 'latest' },
  },
  'git.acme.dev/detached-head': {
    commits: { one: { files: moduleAt('git.acme.dev/detached-head') }, two: {}, three: {} },
    branches: { main: 'three' },
    detachedHead: 'two',
    modules: { '': 'latest HEAD main <two> <one>' },
  },
  'git.acme.dev/pre-releases': {
    commits: { one: { files: moduleAt('git.acme.dev/pre-releases') }, two: {}, three: {} },
    branches: { main: 'three' },
    tags: { 'v0.1.0-alpha': 'one', 'v0.1.0-beta.2': 'two', 'v0.1.0-beta.11': 'one' },
    modules: { '': 'latest main v0 v0.1 v0.1.0 <v0.1.0-beta.11 v0.1.0-beta.2 v0.1.0-beta <two>' },
  },
};

/** By the module path of the root. */
export const sourceRepositories: ReadonlyMap<string, SourceRepository> = new Map(
  Object.entries({ ...versionsAndRefs, ...sourceRepositoryContents }),
);
