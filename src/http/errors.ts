/** The request is not one that could ever be answered; the message says what to do. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest';
}

export class TargetTooLong extends Error {
  override readonly name = 'TargetTooLong';
}

export class MethodNotAllowed extends Error {
  override readonly name = 'MethodNotAllowed';
  readonly allowed: readonly string[];
  constructor(method: string, allowed: readonly string[]) {
    super(`${method} is not possible here, only ${allowed.join(', ')}`);
    this.allowed = allowed;
  }
}

/** No such path in modforge at all. */
export class NoSuchRoute extends Error {
  override readonly name = 'NoSuchRoute';
}

export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge';
  constructor(maxBytes: number) {
    super(`the upload is larger than ${maxBytes} bytes, the most that is accepted here (MODFORGE_MAX_UPLOAD_MB)`);
  }
}

export class BodyTooSlow extends Error {
  override readonly name = 'BodyTooSlow';
}

/** The client went away; nobody is left to answer. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
}
