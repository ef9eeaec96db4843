/** Configured rules from module paths to repositories, `go.acme.dev/{repo}=acme/{repo}`: row 1 of the mapping. */

import { isModulePath, splitPathVersion } from '../gomod/module-path.ts';
import { isPlainName } from './repository-name.ts';

/** `{repo}` in `prefix{repo}suffix`; a pattern without it is `prefix` alone and has no suffix. */
export interface Pattern {
  readonly prefix: string;
  readonly suffix: string | undefined;
}

export interface PathRule {
  readonly text: string;
  /** Matches whole leading elements of a module path. */
  readonly path: Pattern;
  readonly owner: string;
  readonly repo: Pattern;
}

function parsePattern(text: string): Pattern {
  const [prefix = '', suffix, more] = text.split('{repo}');
  if (more !== undefined || /[{}]/.test(`${prefix}${suffix ?? ''}`)) {
    throw new Error(`${JSON.stringify(text)} may hold {repo} once and no other braces`);
  }
  return { prefix, suffix };
}

/** Parses one rule; throws an Error that says what is wrong with it. */
export function parsePathRule(text: string): PathRule {
  const match = /^([^=]+)=([^=/]+)\/([^=/]+)$/.exec(text);
  if (!match) throw new Error(`the rule ${JSON.stringify(text)} has not the form path/{repo}=owner/{repo}`);
  const [, path = '', owner = '', repo = ''] = match;
  const rule = { text, path: parsePattern(path), owner, repo: parsePattern(repo) };
  if ((rule.path.suffix === undefined) !== (rule.repo.suffix === undefined)) {
    throw new Error(`the rule ${JSON.stringify(text)} needs {repo} on both sides or on neither`);
  }
  if (path.startsWith('/') || path.endsWith('/') || path.includes('//')) {
    throw new Error(`the rule ${JSON.stringify(text)} has an empty element in its path`);
  }
  return rule;
}

/** The rules that no single reading makes sense of: a repository that two of them name, an owner that is not served. */
export function checkPathRules(rules: readonly PathRule[], owners: readonly string[]): string[] {
  const problems: string[] = [];
  const served = new Set(owners.map(owner => owner.toLowerCase()));
  for (const [i, rule] of rules.entries()) {
    // `{repo}` may stand for `yaml.v3` as well.
    if (!['x', 'x.v1'].some(name => isModulePath(fillPattern(rule.path, name))))
      problems.push(`no module path can match ${rule.text}`);
    if (splitPathVersion(fillPattern(rule.path, 'x'))?.pathMajor.startsWith('/'))
      problems.push(
        `the path of ${rule.text} ends in a major version, which belongs to the module and not to the rule`,
      );
    if (!isPlainName(fillPattern(rule.repo, 'x')))
      problems.push(`the repository of ${rule.text} has a name that no rule may name`);
    if (!served.has(rule.owner.toLowerCase())) {
      problems.push(`the owner of ${rule.text} is not served; add ${rule.owner} to MODFORGE_OWNERS`);
    }
    for (const other of rules.slice(0, i)) {
      const sameOwner = other.owner.toLowerCase() === rule.owner.toLowerCase();
      if (sameOwner && overlaps(other.repo, rule.repo)) {
        problems.push(`${other.text} and ${rule.text} name the same repository; a repository belongs to one rule`);
      } else if (overlaps(other.path, rule.path)) {
        problems.push(`${other.text} and ${rule.text} match the same module path`);
      }
    }
  }
  return problems;
}

/** Whether one text can match both patterns; case is ignored, since forges ignore it. */
function overlaps(a: Pattern, b: Pattern): boolean {
  const [aPrefix, bPrefix] = [a.prefix.toLowerCase(), b.prefix.toLowerCase()];
  if (a.suffix === undefined && b.suffix === undefined) return aPrefix === bPrefix;
  if (a.suffix === undefined) return matchPattern(b, a.prefix, 'fold') !== undefined;
  if (b.suffix === undefined) return matchPattern(a, b.prefix, 'fold') !== undefined;
  const [aSuffix, bSuffix] = [a.suffix.toLowerCase(), b.suffix.toLowerCase()];
  return (
    (aPrefix.startsWith(bPrefix) || bPrefix.startsWith(aPrefix)) &&
    (aSuffix.endsWith(bSuffix) || bSuffix.endsWith(aSuffix))
  );
}

/** What `{repo}` stands for in `text`, '' for a pattern without it, undefined where it does not match. */
export function matchPattern(pattern: Pattern, text: string, compare: 'exact' | 'fold' = 'exact'): string | undefined {
  const fold = (s: string) => (compare === 'fold' ? s.toLowerCase() : s);
  const prefix = fold(pattern.prefix);
  const whole = fold(text);
  if (pattern.suffix === undefined) return whole === prefix ? '' : undefined;
  const suffix = fold(pattern.suffix);
  const long = whole.length > prefix.length + suffix.length;
  if (!long || !whole.startsWith(prefix) || !whole.endsWith(suffix)) return undefined;
  const repo = text.slice(prefix.length, text.length - suffix.length);
  return repo.includes('/') ? undefined : repo;
}

export const fillPattern = (pattern: Pattern, repo: string): string =>
  pattern.suffix === undefined ? pattern.prefix : `${pattern.prefix}${repo}${pattern.suffix}`;
