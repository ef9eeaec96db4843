/** REST as a test of a double speaks it: plain fetch, JSON both ways. */
import assert from 'node:assert/strict';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Whatever the JSON holds: the schema check has read it already. Undefined where there is no body. */
  readonly body: unknown;
}

export interface Question {
  readonly authorization?: string | undefined;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** `ask(api, 'GET /user')`. Redirects are not followed. */
export async function ask(
  apiUrl: string,
  request: string,
  { authorization, body, headers }: Question = {},
): Promise<Answer> {
  const [method = 'GET', path = '/'] = request.split(' ');
  const response = await fetch(`${apiUrl}${path}`, {
    method,
    redirect: 'manual',
    headers: { ...headers, ...(authorization !== undefined && { authorization }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text || undefined };
}

/** Fails unless `actual` has what `expected` has, at the same places; it may have more fields. */
export function assertHolds(actual: unknown, expected: unknown): void {
  assert.deepEqual(narrowTo(actual, expected), expected);
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** `actual` without the fields that `shape` does not have. */
function narrowTo(actual: unknown, shape: unknown): unknown {
  if (Array.isArray(actual) && Array.isArray(shape)) return actual.map((item, i) => narrowTo(item, shape[i]));
  if (!isObject(actual) || !isObject(shape)) return actual;
  return Object.fromEntries(Object.keys(shape).map(key => [key, narrowTo(actual[key], shape[key])]));
}

/** A field of an answer. */
export const fieldOf = (value: unknown, name: string): unknown => (isObject(value) ? value[name] : undefined);
