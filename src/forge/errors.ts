/** The forge did not answer, or not in a form that can be believed. Trying again later may help. */
export class ForgeUnavailable extends Error {
  override readonly name = 'ForgeUnavailable';
  readonly retryAfterSeconds: number | undefined;
  constructor(message: string, options?: ErrorOptions & { retryAfterSeconds?: number }) {
    super(message, options);
    this.retryAfterSeconds = options?.retryAfterSeconds;
  }
}

/** The forge will not have it so, and says why; trying again won't help. */
export class ReleaseRefused extends Error {
  override readonly name = 'ReleaseRefused';
}
