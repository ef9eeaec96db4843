/**
 * The variables of a git configuration file, `core.bare` or `submodule.{name}.url`, in their order, up to the first thing that is none: git-config(1),
 * "Syntax", and config.c. Section and key come in lower case; one without `=` has an empty value.
 */
export function* parseGitConfig(file: string): Generator<{ variable: string; value: string }> {
  // The end of the file ends a line, and one that is continued beyond it.
  const text = `${file.replace(/^(\xef\xbb\xbf|\ufeff)/, '').replaceAll('\r\n', '\n')}\n\n`;
  const section = /\[([A-Za-z0-9.-]*)(?:[ \t\r]+"((?:[^"\\\n]|\\[^\n])*)")?\]/y;
  const variable =
    /([A-Za-z][A-Za-z0-9-]*)[ \t]*(?:=((?:[^"\\\n;#]|\\[ntb"\\\n]|"(?:[^"\\\n]|\\[ntb"\\\n])*")*)(?:[;#][^\n]*)?)?\n/y;
  const blank = /(?:[ \t\r\n]|[;#][^\n]*\n)*/y;
  const next = (pattern: RegExp, from: number) => {
    pattern.lastIndex = from;
    return pattern.exec(text);
  };
  let prefix = '';
  for (let at = next(blank, 0)?.[0].length ?? 0; at < text.length; ) {
    const header = next(section, at);
    const setting = next(variable, at);
    if (header !== null) {
      const [, name = '', subsection] = header;
      prefix = name.toLowerCase() + (subsection === undefined ? '' : `.${subsection.replace(/\\(.)/gs, '$1')}`);
    } else if (setting !== null) {
      const [, key = '', value = ''] = setting;
      yield { variable: `${prefix}.${key.toLowerCase()}`, value: unquote(value) };
    } else {
      return;
    }
    at += (header ?? setting)?.[0].length ?? 0;
    at += next(blank, at)?.[0].length ?? 0;
  }
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', b: '\b', '\n': '' };

/** parse_value: blanks outside quotes go where they begin or end the value, others become spaces. */
function unquote(value: string): string {
  let result = '';
  let blanks = 0;
  let isQuoted = false;
  for (const [token, escaped] of value.matchAll(/\\(.)|"|[ \t\r]|[^\\" \t\r]+/gs)) {
    if (/^[ \t\r]$/.test(token) && !isQuoted) {
      if (result !== '') blanks += 1;
      continue;
    }
    result += ' '.repeat(blanks);
    blanks = 0;
    if (token === '"') isQuoted = !isQuoted;
    else result += escaped === undefined ? token : (escapes[escaped] ?? escaped);
  }
  return result;
}
