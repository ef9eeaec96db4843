/** Any number of bytes within a part of a path, or of whole parts. */
const any = Symbol('any');

/** What matches a part of a path: for each byte those that may stand there. */
type PartPattern = readonly (string | typeof any)[];

const allBytes = String.fromCharCode(...Array(256).keys());
const allButSlash = allBytes.replace('/', '');

/** `[:name:]` inside of `[…]`: git's own ctype, which knows ASCII alone. */
const namedSets: ReadonlyMap<string, RegExp> = new Map([
  ['alnum', /[0-9A-Za-z]/],
  ['alpha', /[A-Za-z]/],
  ['blank', /[ \t]/],
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it names
  ['cntrl', /[\x00-\x1f\x7f]/],
  ['digit', /[0-9]/],
  ['graph', /[!-~]/],
  ['lower', /[a-z]/],
  ['print', /[ -~]/],
  ['punct', /[!-/:-@[-`{-~]/],
  ['space', /[ \t\n\r]/],
  ['upper', /[A-Z]/],
  ['xdigit', /[0-9A-Fa-f]/],
]);

/**
 * Compiles a pattern that matches as git's wildmatch does with WM_PATHNAME: gitignore(5), "PATTERN FORMAT". Pattern and text have one character
 * a byte. No text takes longer than its length times that of the pattern.
 */
export function compileWildmatch(pattern: string): (text: string) => boolean {
  const parts = parseParts(pattern);
  if (parts === undefined) return () => false;
  const matchesPart = (part: PartPattern, text: string) => matchAll(part, text, (bytes, byte) => bytes.includes(byte));
  return text => matchAll(parts, text.split('/'), matchesPart);
}

/** Whether the items fit the patterns, one by one. Where one does not, the last `any` takes an item more; no other needs to be tried again. */
function matchAll<P, T>(
  patterns: readonly (P | typeof any)[],
  items: ArrayLike<T>,
  matches: (pattern: P, item: T) => boolean,
): boolean {
  let at = 0;
  let afterAny = -1;
  let taken = 0;
  for (let i = 0; i < items.length; ) {
    const pattern = patterns[at];
    const item = items[i];
    if (pattern === any) {
      at += 1;
      afterAny = at;
      taken = i;
    } else if (pattern !== undefined && item !== undefined && matches(pattern, item)) {
      at += 1;
      i += 1;
    } else if (afterAny >= 0) {
      at = afterAny;
      taken += 1;
      i = taken;
    } else {
      return false;
    }
  }
  while (patterns[at] === any) at += 1;
  return at === patterns.length;
}

/** The parts of a pattern; undefined for one that is cut off, which matches nothing. */
function parseParts(pattern: string): (PartPattern | typeof any)[] | undefined {
  const parts: (PartPattern | typeof any)[] = [];
  let part: (string | typeof any)[] = [];
  for (let at = 0; at < pattern.length; ) {
    const isEscaped = pattern[at] === '\\';
    if (isEscaped) at += 1;
    const char = pattern[at];
    if (char === undefined) return undefined;
    at += 1;
    if (char === '/') {
      parts.push(part);
      part = [];
    } else if (isEscaped) {
      part.push(char);
    } else if (char === '*') {
      const more = /^\**/.exec(pattern.slice(at))?.[0].length ?? 0;
      at += more;
      const rest = pattern.slice(at);
      const isWholePart = more > 0 && part.length === 0 && /^($|\\?\/)/.test(rest);
      if (isWholePart) parts.push(any);
      // `**/` may stand for nothing, `**` at the end for no less than a part.
      if (isWholePart && rest.startsWith('/')) at += 1;
      else part.push(any);
    } else if (char === '[') {
      const set = parseSet(pattern, at);
      if (set === undefined) return undefined;
      part.push(set.of);
      at = set.end;
    } else {
      part.push(char === '?' ? allButSlash : char);
    }
  }
  parts.push(part);
  return parts;
}

/** What `[…]` matches, from after its bracket on; undefined if it is not closed or names a set that does not exist. */
function parseSet(pattern: string, from: number): { of: string; end: number } | undefined {
  const isNegated = pattern[from] === '!' || pattern[from] === '^';
  const name = /\[:([^\]]*):\]/y;
  const members = new Set<string>();
  /** Where a range may begin. */
  let previous = '';
  let at = isNegated ? from + 1 : from;
  // A closing bracket that comes first is a member.
  do {
    const isRange = pattern[at] === '-' && previous !== '' && (pattern[at + 1] ?? ']') !== ']';
    name.lastIndex = at;
    const named = isRange ? null : name.exec(pattern);
    if (named !== null) {
      const set = namedSets.get(named[1] ?? '');
      if (set === undefined) return undefined;
      for (const byte of allBytes) if (set.test(byte)) members.add(byte);
      previous = '';
      at = name.lastIndex;
    } else {
      if (isRange) at += 1;
      if (pattern[at] === '\\') at += 1;
      const last = pattern[at];
      if (last === undefined) return undefined;
      const first = isRange ? previous : last;
      for (const byte of allBytes) if (byte >= first && byte <= last) members.add(byte);
      previous = isRange ? '' : last;
      at += 1;
    }
  } while (pattern[at] !== ']');
  return { of: [...allButSlash].filter(byte => members.has(byte) !== isNegated).join(''), end: at + 1 };
}
