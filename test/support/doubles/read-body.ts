/** Fields of a request's body, which the schema has checked already. */
import type { Body } from './double-server.ts';

export const textIn = (body: Body, field: string): string | undefined => {
  const value = body[field];
  return typeof value === 'string' ? value : undefined;
};

export const flagIn = (body: Body, field: string): boolean | undefined => {
  const value = body[field];
  return typeof value === 'boolean' ? value : undefined;
};
