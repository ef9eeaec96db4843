import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Why a test that needs these programs can't run here, for node:test's `skip`; false where it can. In CI all are required. */
export function skipWithout(...commands: readonly string[]): string | false {
  const missing = commands.filter(command => !isInstalled(command));
  return missing.length === 0 || process.env.CI ? false : `not installed: ${missing.join(', ')}`;
}

function isInstalled(command: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some(directory => {
    try {
      accessSync(join(directory, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
