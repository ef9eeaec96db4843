/** One thing that is wrong with a zip. */
export interface ZipFault {
  /** A stable word for programs, `not-a-zip`. */
  readonly code: string;
  /** The entry's name as far as it can be read, whatever it holds; empty where the zip as a whole is meant. */
  readonly file: string;
  readonly reason: string;
}

/** A zip, or an entry of one, that can't be read or must not be; every problem found. */
export class InvalidZip extends Error {
  override readonly name = 'InvalidZip';
  readonly problems: readonly ZipFault[];

  constructor(problems: readonly ZipFault[], options?: ErrorOptions) {
    super(
      problems.map(({ file, reason }) => (file === '' ? reason : `${JSON.stringify(file)}: ${reason}`)).join('\n'),
      options,
    );
    this.problems = problems;
  }
}
