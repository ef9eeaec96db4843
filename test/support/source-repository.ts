import type { FileShape, RepositoryShape } from './make-bare-repository.ts';

/** A repository as people push it, and what to ask of the modules in it. */
export interface SourceRepository extends RepositoryShape {
  /** By what follows the root path: '' is the module at the root, `/sub/v2` one below. */
  readonly modules: Readonly<Record<string, string>>;
}

export type Files = Readonly<Record<string, FileShape>>;

export const goMod = (path: string, lines = 'go 1.21') => `module ${path}\n\n${lines}\n`;

/** A module in the folder `directory`, which ends with a slash. */
export const moduleAt = (path: string, directory = '', lines?: string): Files => ({
  [`${directory}go.mod`]: goMod(path, lines),
  [`${directory}lib.go`]: 'package lib\n',
});

/** A module from before there were go.mod files. */
export const withoutGoMod: Files = { 'lib.go': 'package lib\n' };
