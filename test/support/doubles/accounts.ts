/** Who there is at a forge, what they hold, and what they may do; names are compared without case, as both forges do. */
import { randomBytes } from 'node:crypto';

export type Role = 'none' | 'read' | 'write' | 'admin';

const rank: Readonly<Record<Role, number>> = { none: 0, read: 1, write: 2, admin: 3 };

export const isAtLeast = (role: Role, least: Role): boolean => rank[role] >= rank[least];
export const lesserRole = (a: Role, b: Role): Role => (rank[a] < rank[b] ? a : b);
export const greaterRole = (a: Role, b: Role): Role => (rank[a] < rank[b] ? b : a);

export interface User {
  readonly kind: 'user';
  readonly id: number;
  readonly name: string;
  readonly password: string | undefined;
}

/** `limited` (Gitea's) is hidden from anonymous callers, `private` from all but members. */
export type Visibility = 'public' | 'limited' | 'private';

export interface Organisation {
  readonly kind: 'organisation';
  readonly id: number;
  readonly name: string;
  visibility: Visibility;
  /** What members may do with each of its repositories, by folded name; `write` may create some too. */
  readonly members: Map<string, Role>;
}

export type Account = User | Organisation;

/** GitHub's fine-grained tokens: one owner's repositories, and a level for each kind of thing. */
export interface FineGrained {
  readonly owner: string;
  /** All unless given. */
  readonly repositories?: readonly string[];
  readonly permissions: {
    readonly contents?: 'read' | 'write';
    readonly administration?: 'read' | 'write';
    readonly actions?: 'read' | 'write';
    readonly workflows?: 'write';
  };
}

export interface NewToken {
  readonly user: string;
  /** The token itself; made up unless given. */
  readonly value?: string;
  /** Of a classic token at GitHub (`repo`), or of Gitea's (`write:repository`); all that the user may do unless given. */
  readonly scopes?: readonly string[];
  /** GitHub's other kind; `scopes` says nothing then. */
  readonly fineGrained?: FineGrained;
  /** Organisations with single sign-on that the token was authorised for. */
  readonly authorizedFor?: readonly string[];
}

export interface Token extends NewToken {
  readonly value: string;
}

export type Caller =
  | { readonly kind: 'anonymous' }
  | {
      readonly kind: 'user';
      readonly user: User;
      /** Undefined where a password was shown. */
      readonly token: Token | undefined;
      readonly scheme: 'basic' | 'token';
    };

export interface NewUser {
  readonly name: string;
  readonly password?: string;
}

export interface NewOrganisation {
  readonly name: string;
  /** Public unless given. */
  readonly visibility?: Visibility;
  /** By the name of the user. */
  readonly members?: Readonly<Record<string, Role>>;
}

export interface Accounts {
  addUser(user: NewUser): void;
  addOrganisation(organisation: NewOrganisation): void;
  /** The token's text. */
  addToken(token: NewToken): string;
  revokeToken(value: string): void;
  find(name: string): Account | undefined;
  /** Throws where there is none: for what tests name. */
  get(name: string): Account;
  findToken(value: string): Token | undefined;
  /** The owner of a token. */
  userOf(token: Token): User;
  organisations(): Organisation[];
}

export const fold = (name: string): string => name.toLowerCase();

export function makeAccounts(tokenPrefix: string): Accounts {
  const accounts = new Map<string, Account>();
  const tokens = new Map<string, Token>();
  const add = (account: Account) => {
    if (accounts.has(fold(account.name))) throw new Error(`${account.name} is there already`);
    accounts.set(fold(account.name), account);
  };
  const get = (name: string): Account => {
    const account = accounts.get(fold(name));
    if (account === undefined) throw new Error(`the test knows ${name}, the double does not: add it first`);
    return account;
  };
  const userNamed = (name: string): User => {
    const account = get(name);
    if (account.kind !== 'user') throw new Error(`${name} is not a user`);
    return account;
  };
  return {
    addUser: ({ name, password }) => add({ kind: 'user', id: accounts.size + 1, name, password }),
    addOrganisation({ name, visibility = 'public', members = {} }) {
      const roles = Object.entries(members).map(([member, role]) => [fold(userNamed(member).name), role] as const);
      add({ kind: 'organisation', id: accounts.size + 1, name, visibility, members: new Map(roles) });
    },
    addToken(token) {
      userNamed(token.user);
      const value = token.value ?? `${tokenPrefix}${randomBytes(20).toString('hex')}`;
      tokens.set(value, { ...token, value });
      return value;
    },
    revokeToken: value => void tokens.delete(value),
    find: name => accounts.get(fold(name)),
    get,
    findToken: value => tokens.get(value),
    userOf: token => userNamed(token.user),
    organisations: () => [...accounts.values()].filter(account => account.kind === 'organisation'),
  };
}
