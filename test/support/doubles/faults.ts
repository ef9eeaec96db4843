/** What goes wrong on purpose, and the record of what was asked. */

export type RequestKind = 'rest' | 'git';

export type Mishap =
  /** The connection ends without a reply, or in the middle of one. */
  | 'cut'
  /** No reply ever comes. */
  | 'hang'
  /** Something else answers: a gateway, with a status and perhaps a page. */
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
  /** Runs, and the request goes on as if nothing had been. */
  | (() => void | Promise<void>);

export interface Fault {
  /** Which request: 1 is the next one of its kind. */
  readonly number: number;
  /** Both kinds are counted unless given. */
  readonly kind?: RequestKind;
  /** Whether the forge has not yet done what was asked, or has. */
  readonly when: 'before' | 'after';
  readonly mishap: Mishap;
}

export interface LoggedRequest {
  readonly kind: RequestKind;
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** The first word of the Authorization header, in lower case. */
  readonly scheme: string | undefined;
  /** The status of the reply; undefined until there is one, and where there was none. */
  readonly status: number | undefined;
  /** `git-upload-pack` or `git-receive-pack` of a git request, or the operation's template of a REST call. */
  operation: string | undefined;
  /** Of a git reply's body; 0 of REST. */
  responseBytes: number;
}

export interface Faults {
  add(fault: Fault): void;
  /** The mishaps of the request that comes now. */
  next(kind: RequestKind): Fault[];
}

export function makeFaults(): Faults {
  const waiting: { readonly fault: Fault; toGo: number }[] = [];
  return {
    add: fault => void waiting.push({ fault, toGo: fault.number }),
    next(kind) {
      const counted = waiting.filter(({ fault }) => fault.kind === undefined || fault.kind === kind);
      for (const entry of counted) entry.toGo -= 1;
      const due = counted.filter(({ toGo }) => toGo === 0);
      for (const entry of due) waiting.splice(waiting.indexOf(entry), 1);
      return due.map(({ fault }) => fault);
    },
  };
}
