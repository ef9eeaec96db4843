import { readdirSync, readlinkSync } from 'node:fs';

/** Only Linux tells which files a process has open. */
export const withoutProc: string | false = process.platform === 'linux' ? false : 'there is no /proc here';

/** How many files without a name this process has open of those that keep bytes. */
export function countDeletedFiles(): number {
  return readdirSync('/proc/self/fd').filter(fd => {
    try {
      return /\/modforge-[0-9a-f]+ \(deleted\)$/.test(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      // The one that the folder was listed with.
      return false;
    }
  }).length;
}
