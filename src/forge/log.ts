/** What the local forge says to its operator; pino's logger fits. */
export interface Log {
  warn(facts: object, message: string): void;
}
