/** A full ref name, `refs/tags/v1.2.3`, in the form that git accepts (git-check-ref-format(1)). */
export type RefName = string & { readonly __brand: 'RefName' };

/** Whether git accepts `name` as a full ref name: git-check-ref-format(1), and `refs/` in front. */
export function isRefName(name: string): name is RefName {
  if (!name.startsWith('refs/') || name.endsWith('.') || name.includes('..') || name.includes('@{')) return false;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the rule forbids control characters
  if (/[\x00-\x20\x7f~^:?*[\\]/.test(name)) return false;
  return name.split('/').every(part => part !== '' && !part.startsWith('.') && !part.endsWith('.lock'));
}

/** Parses a full ref name; throws TypeError for one that git would refuse. */
export function parseRefName(name: string): RefName {
  if (!isRefName(name)) throw new TypeError(`git accepts no ref with the name ${JSON.stringify(name)}`);
  return name;
}

export const tagRef = (tag: string): RefName => parseRefName(`refs/tags/${tag}`);
