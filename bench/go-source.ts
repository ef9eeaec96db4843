/** Text that looks to a compressor as Go source does: a few words often, many seldom, and punctuation that repeats. */
import { pick } from './random.ts';

const words =
  'add addr all append arg args base batch block body bound buf build bytes cache call case check child class clean client close code ' +
  'col cond config conn content context copy count cur data date decode default delta depth dir done dst edge encode end entry err event ' +
  'expr field file filter find first flag format frame func get group hash head header host id index info init input item iter job key kind ' +
  'label last layer left len level limit line link list load local lock log look main make map mark mask match max merge meta min mode ' +
  'module name new next node note num object offset open option order out output owner page parent parse part path peer pending pool pos ' +
  'prefix prev proto queue range rank rate read ready record ref reg remote reply req reset result right root route row rule run scan scope ' +
  'score seen seq server set shape shard shift sign size skip slot sort source span spec split stack start state step store stream sub sum ' +
  'table tag target task text tick time token top total trace tree type unit update user val value vector verify view visit wait walk width word write zone';

const vocabulary = words.split(' ');

interface Slots {
  /** A name of the file's own choosing; the first ones come most often. */
  readonly name: () => string;
  readonly type: () => string;
  readonly number: () => number;
}

const lines: readonly [(s: Slots) => string, ...((s: Slots) => string)[]] = [
  s => `\tif err := ${s.name()}.${s.type()}(${s.name()}); err != nil {\n\t\treturn nil, err\n\t}\n`,
  s => `\t${s.name()} := ${s.name()}.${s.name()}[${s.name()}]\n`,
  s => `\tfor _, ${s.name()} := range ${s.name()} {\n\t\t${s.name()} += ${s.number()}\n\t}\n`,
  s => `\treturn ${s.name()}\n}\n\nfunc (${s.name()} *${s.type()}) ${s.type()}(${s.name()} string) error {\n`,
  s =>
    `// ${s.type()} reports whether the ${s.name()} of a ${s.name()} is a ${s.name()} with ${s.name()} and ${s.name()}.\n`,
  s => `\t${s.name()}.${s.name()} = append(${s.name()}.${s.name()}, ${s.name()}...)\n`,
  s => `\t{${s.number()}, "${s.name()}/${s.name()}-${s.number()}", ${s.type()}},\n`,
  s => `\tcase ${s.type()}:\n\t\treturn fmt.Errorf("${s.name()} %q: ${s.name()} ${s.name()}: %w", ${s.name()}, err)\n`,
  s => `\tif len(${s.name()}) > ${s.number()} && ${s.name()} != nil {\n\t\t${s.name()}.${s.type()}()\n\t}\n`,
  s => `type ${s.type()} struct {\n\t${s.type()} ${s.type()}\n\t${s.name()} map[string]*${s.type()}\n}\n\n`,
  s => `\tdefer ${s.name()}.Unlock()\n\t${s.name()}, ok := ${s.name()}.(*${s.type()})\n`,
  s =>
    `\tif got, want := ${s.name()}, ${s.name()}; got != want {\n\t\tt.Errorf("${s.name()}: got %v, want %v", got, want)\n\t}\n`,
  s => `const ${s.type()} = 0x${s.number().toString(16)}${s.number().toString(16)}\n`,
];

/** So many bytes of it; the last line may be cut. */
export function goSource(random: () => number, packageName: string, bytes: number): Buffer {
  const own = Array.from({ length: 60 }, () => makeName(random));
  // The power makes early names frequent, as a file's own subject is.
  const name = () => own[Math.floor(random() ** 3 * own.length)] ?? packageName;
  const slots: Slots = {
    name,
    type() {
      const lower = name();
      return lower.charAt(0).toUpperCase() + lower.slice(1);
    },
    number: () => Math.floor(random() ** 3 * 65_536),
  };
  const parts = [`package ${packageName}\n\n`];
  let length = parts[0]?.length ?? 0;
  while (length < bytes) {
    const line = pick(random, lines)(slots);
    parts.push(line);
    length += line.length;
  }
  return Buffer.from(parts.join('').slice(0, bytes), 'latin1');
}

function makeName(random: () => number): string {
  const word = () => vocabulary[Math.floor(random() * vocabulary.length)] ?? '';
  const first = word();
  if (random() < 0.4) return first;
  const second = word();
  return `${first}${second.charAt(0).toUpperCase()}${second.slice(1)}`;
}
