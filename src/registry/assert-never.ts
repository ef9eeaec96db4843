/** For the end of a switch that names every kind: the compiler refuses it where one is missing. */
export function assertNever(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`);
}
