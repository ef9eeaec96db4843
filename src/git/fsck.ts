/**
 * What `git fsck` calls an error in a tree's names and in the few files that git itself reads (fsck.c, path.c and utf8.c of git 2.39). Servers with
 * receive.fsckObjects refuse a push for it, so it is asked before anything is made.
 */
import { parseGitConfig } from './git-config.ts';

/** Why git will not have a file at `path`, its parts separated by `/`; undefined where it will. */
export function checkTreePath(path: string): string | undefined {
  // So short, it can't be too deep.
  if (path.length <= maxTreeDepth && isPlain(path)) return undefined;
  const parts = path.split('/');
  if (parts.length > maxTreeDepth) return `git holds at most ${maxTreeDepth} folders in each other`;
  for (const part of parts) {
    if (part === '' || part === '.' || part === '..') return 'git has no empty names and no . or .. in a path';
    if (part.includes('\0')) return 'git has no NUL in a path';
    if (isHfsName(part, 'git') || ntfsDotGit.test(part)) return `git reserves the name ${part} for itself`;
  }
  return undefined;
}

/** Git's core.maxTreeDepth: deeper trees are not read. */
const maxTreeDepth = 2048;

/**
 * Whether no part of `path` needs a closer look: one test that nearly all paths pass, instead of many for each part. A name
 * that git minds is empty, has a NUL, begins with a dot, or has a character before the dot that macOS drops, a backslash
 * or, as the short names of Windows, a tilde.
 */
const isPlain = (path: string): boolean => !notPlain.test(path);

/** A character that is not in most names, or the start of a part that is empty or begins with a dot. */
const notPlain = /[^\w .+@/-]|(?:^|\/)(?:[./]|$)/;

/** Whether git reads the file at `path` itself, so that its content has to be checked. */
export const isReadByGit = (path: string): boolean => !isPlain(path) && (isGitModules(path) || isGitAttributes(path));

/** Why git will not have these bytes at `path`; undefined where it will. */
export function checkBlob(path: string, content: Uint8Array): string | undefined {
  if (isGitModules(path)) return checkGitModules(content);
  return isGitAttributes(path) ? checkGitAttributes(content) : undefined;
}

function isGitModules(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return isHfsName(name, 'gitmodules') || ntfsNames(name).some(each => isNtfsName(each, 'gitmodules', 'gi7eba'));
}

function isGitAttributes(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return isHfsName(name, 'gitattributes') || isNtfsName(beforeStream(name), 'gitattributes', 'gi7d29');
}

/** is_hfs_dot_generic: what macOS would take for `.{rest}`, since it drops some characters from names. */
function isHfsName(name: string, rest: string): boolean {
  return lowerCase(name.replace(/[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g, '')) === `.${rest}`;
}

/** is_ntfs_dotgit: what Windows would take for `.git`, its short name `git~1` and data streams (`.git:x`) included, here or after a backslash. */
const ntfsDotGit = /(?:^|\\)(?:\.git|git~1)[. ]*(?:[:\\]|$)/i;

/** The name without what Windows takes for a data stream. */
const beforeStream = (name: string): string => name.split(':', 1)[0] ?? '';

/** What Windows would take for a name in `name`: the parts between its backslashes that are the last or have a data stream. */
function ntfsNames(name: string): string[] {
  const parts = name.split('\\');
  return parts.filter((part, i) => i === parts.length - 1 || part.includes(':')).map(beforeStream);
}

/** is_ntfs_dot_generic: what Windows would take for `.{rest}`; `shortPrefix` begins its short name where the plain ones are taken. */
function isNtfsName(name: string, rest: string, shortPrefix: string): boolean {
  let end = name.length;
  while (name[end - 1] === '.' || name[end - 1] === ' ') end -= 1;
  const stem = lowerCase(name.slice(0, end));
  if (stem === `.${rest}`) return true;
  const [, prefix = '', number = ''] = /^([^~]{0,6})~([1-9][0-9]{0,6})$/.exec(stem) ?? [];
  if (prefix === rest.slice(0, 6) && number.length === 1 && number <= '4') return true;
  return number !== '' && stem.length === 8 && shortPrefix.startsWith(prefix);
}

/** Of ASCII only, as git does it. */
const lowerCase = (text: string): string => text.replace(/[A-Z]/g, letter => letter.toLowerCase());

const maxAttributesBytes = 100 * 1024 * 1024;
const maxAttributesLineBytes = 2048;

/** Git reads neither long files nor long lines of attributes; what follows a NUL it does not see. */
function checkGitAttributes(content: Uint8Array): string | undefined {
  if (content.byteLength > maxAttributesBytes) return 'git reads no .gitattributes of over 100 MB';
  const nul = content.indexOf(0);
  const end = nul < 0 ? content.byteLength : nul;
  for (let start = 0; start < end; ) {
    const feed = content.indexOf(0x0a, start);
    const lineEnd = feed < 0 ? end : Math.min(feed, end);
    if (lineEnd - start >= maxAttributesLineBytes)
      return 'git reads no .gitattributes with lines of 2,048 bytes or more';
    start = lineEnd + 1;
  }
  return undefined;
}

const maxModulesBytes = 1024 * 1024;

/** fsck_gitmodules_fn: every setting `submodule.{name}.{key}`; what git can't parse it does not look at either. */
function checkGitModules(content: Uint8Array): string | undefined {
  if (content.byteLength > maxModulesBytes) return 'a .gitmodules of over 1 MB is not looked through';
  for (const { variable, value } of parseGitConfig(Buffer.from(content).toString('latin1'))) {
    const [, name, key] = /^submodule\.(.*)\.([^.]*)$/s.exec(variable) ?? [];
    if (name === undefined) continue;
    const setting = `submodule ${JSON.stringify(name)} in .gitmodules`;
    if (name === '' || name.split(/[/\\]/).includes('..')) return `git refuses the name of ${setting}`;
    if (key === 'url' && isBadSubmoduleUrl(value)) return `git refuses the url of ${setting}`;
    if (key === 'path' && value.startsWith('-')) return `git refuses the path of ${setting}`;
    if (key === 'update' && value.startsWith('!')) return `git refuses the update command of ${setting}`;
  }
  return undefined;
}

/** check_submodule_url: no option, no line feed and no empty host for whoever reads it, no way up beyond the root of what it is relative to. */
function isBadSubmoduleUrl(url: string): boolean {
  if (url.startsWith('-')) return true;
  if (/^(\.\.?\/|git:\/\/)/.test(url)) return /\n|%0a/i.test(url) || /^(\.\/)*\.\.\/(\.\.?\/)*[:/]/.test(url);
  const fetched = /^(?:https?|ftps?)(?:::(.*)|:\/\/.*)$/s.exec(url);
  if (fetched === null) return false;
  const parts = credentialParts(fetched[1] ?? url);
  return (
    parts === undefined || parts.host === '' || Object.values(parts).some(part => decodeAsGit(part).includes('\n'))
  );
}

/** credential_from_url_gently; undefined where there is no sound protocol. */
function credentialParts(url: string) {
  const protocolEnd = url.indexOf('://');
  if (protocolEnd < 1 || url.slice(0, protocolEnd).includes('\n')) return undefined;
  const [, authority = '', path = ''] = /^([^/?#]*)(.*)$/s.exec(url.slice(protocolEnd + 3)) ?? [];
  const at = authority.indexOf('@');
  const login = authority.slice(0, Math.max(at, 0));
  const colon = login.includes(':') ? login.indexOf(':') : login.length;
  return {
    host: authority.slice(at + 1),
    user: login.slice(0, colon),
    password: login.slice(colon + 1),
    path: path.replace(/^\/+/, ''),
  };
}

/** url_decode, which takes all before a colon for a protocol and leaves it as it is. */
function decodeAsGit(part: string): string {
  const start = Math.max(part.indexOf(':'), 0);
  return part.slice(0, start) + part.slice(start).replace(/%0a/gi, '\n');
}
