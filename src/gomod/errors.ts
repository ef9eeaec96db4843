/** Text that is no module path. The reason is worded as in golang.org/x/mod/module. */
export class InvalidModulePath extends Error {
  override readonly name = 'InvalidModulePath';
  readonly path: string;
  readonly reason: string;

  constructor(path: string, reason: string) {
    super(`malformed module path ${JSON.stringify(path)}: ${reason}`);
    this.path = path;
    this.reason = reason;
  }
}

/** Text that is no version, or no pseudo-version where one is needed (`noun` says which). */
export class InvalidVersion extends Error {
  override readonly name = 'InvalidVersion';
  readonly version: string;
  readonly reason: string;

  constructor(version: string, reason: string, noun: 'version' | 'pseudo-version' = 'version') {
    super(`${noun} ${JSON.stringify(version)} invalid: ${reason}`);
    this.version = version;
    this.reason = reason;
  }
}

/** A commit that does not hold the module asked for. The message is the go command's. */
export class NoModule extends Error {
  override readonly name = 'NoModule';
  readonly module: string;
  readonly revision: string;

  constructor(module: string, revision: string, reason: string) {
    super(`${reason} at revision ${revision}`);
    this.module = module;
    this.revision = revision;
  }
}

/** A fault in a go.mod: where, both from 1, columns in characters, and why in Go's words. */
export interface GoModProblem {
  readonly line: number;
  readonly column: number;
  readonly reason: string;
}

/** A go.mod that can't be used. The message has a line for each problem, as Go prints them: `go.mod:3: unknown directive: foo`. */
export class InvalidGoMod extends Error {
  override readonly name = 'InvalidGoMod';
  readonly problems: readonly GoModProblem[];

  constructor(problems: readonly GoModProblem[]) {
    // Go leaves out column 1, where nearly all problems are (golang.org/x/mod/modfile, Error).
    const lines = problems.map(({ line, column, reason }) =>
      column > 1 ? `go.mod:${line}:${column}: ${reason}` : `go.mod:${line}: ${reason}`,
    );
    super(lines.join('\n'));
    this.problems = problems;
  }
}
