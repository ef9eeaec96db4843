/**
 * Holds requests and replies to a forge's own description of its API. Requests are read as the forges read them: what they don't know is
 * passed over. Replies are read strictly: a field or a status that the forge does not have is drift of the double.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import formats from 'ajv-formats';
import { z } from 'zod';

const jsonSchema = z.record(z.string(), z.unknown());

const operation = z.object({
  parameters: z.array(
    z.object({ name: z.string(), in: z.enum(['path', 'query']), required: z.boolean(), schema: jsonSchema }),
  ),
  body: jsonSchema.optional(),
  /** By status; null where there is no body, or none described. */
  responses: z.record(z.string(), jsonSchema.nullable()),
});

const forgeSchema = z.object({
  /** By path template and method in lower case. */
  paths: z.record(z.string(), z.record(z.string(), operation)),
  schemas: z.record(z.string(), jsonSchema),
});

export interface Exchange {
  /** As in `GET /repos/{owner}/{repo}`. */
  readonly operation: string;
  readonly query: URLSearchParams;
  readonly requestBody: unknown;
  readonly status: number;
  readonly replyBody: unknown;
}

export interface SchemaCheck {
  /** Whether the forge describes the operation. */
  knows(operation: string): boolean;
  /** What the request and the reply have against the description, a line each. */
  check(exchange: Exchange): string[];
}

export interface SchemaCheckOptions {
  /** The file's name in `schema/`. */
  readonly file: string;
  /** The forge's schemas for errors, by name: any will do for an error that an operation's description leaves out. */
  readonly errors: readonly string[];
  /** Schemas that the forge sends but does not describe, by name. */
  readonly undescribed?: Readonly<Record<string, Record<string, unknown>>>;
}

/** Reads a description; schemas are compiled when they are first needed. */
export function readSchema({ file, errors, undescribed = {} }: SchemaCheckOptions): SchemaCheck {
  const path = join(import.meta.dirname, 'schema', file);
  const { paths, schemas: described } = forgeSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  const schemas = { ...described, ...undescribed };
  const open = makeAjv(schemas);
  const closed = makeAjv(Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, close(schema)])));
  const compiled = new Map<string, ValidateFunction>();
  const validatorOf = (key: string, ajv: Ajv, schema: unknown): ValidateFunction => {
    const validate = compiled.get(key) ?? ajv.compile({ ...JSON.parse(toReferences(schema)) });
    compiled.set(key, validate);
    return validate;
  };
  const find = (name: string) => {
    const [method = '', template = ''] = name.split(' ');
    return paths[template]?.[method.toLowerCase()];
  };

  const checkQuery = (name: string, query: URLSearchParams): string[] =>
    (find(name)?.parameters ?? []).flatMap(({ name: key, in: where, required, schema }) => {
      const value = where === 'query' ? query.get(key) : null;
      if (value === null) return where === 'query' && required ? [`the query lacks ${key}`] : [];
      return problemsOf(validatorOf(`${name} ?${key}`, open, schema), readQueryValue(value, schema), `query ${key}`);
    });

  const checkReply = ({ operation: name, status, replyBody }: Exchange): string[] => {
    const schema = find(name)?.responses[String(status)];
    if (schema)
      return problemsOf(validatorOf(`${name} ${status}`, closed, close(schema)), replyBody, `reply ${status}`);
    if (status >= 400) {
      if (schema === null && replyBody === undefined) return [];
      const problems = errors.map(error =>
        problemsOf(validatorOf(error, closed, { $ref: `#/schemas/${error}` }), replyBody, `reply ${status}`),
      );
      return problems.some(found => found.length === 0) ? [] : problems.flat();
    }
    if (status >= 300) return [];
    if (schema === undefined) return [`reply ${status}: not a status of this operation`];
    return replyBody === undefined ? [] : [`reply ${status}: has a body, and should have none`];
  };

  return {
    knows: name => find(name) !== undefined,
    check: exchange => {
      const { operation: name, query, requestBody } = exchange;
      const body = find(name)?.body;
      return [
        ...checkQuery(name, query),
        ...(body ? problemsOf(validatorOf(`${name} body`, open, body), requestBody ?? {}, 'request') : []),
        ...checkReply(exchange),
      ].map(problem => `${name}: ${problem}`);
    },
  };
}

function makeAjv(schemas: Readonly<Record<string, unknown>>): Ajv {
  const ajv = new Ajv({ strict: false, allErrors: true, logger: false });
  formats.default(ajv);
  for (const [name, schema] of Object.entries(schemas))
    ajv.addSchema(JSON.parse(toReferences(schema)), `/schemas/${name}`);
  return ajv;
}

/** The description's own references are to places in one file; here each schema is a document of its own. */
const toReferences = (schema: unknown): string => JSON.stringify(schema).replaceAll('"#/schemas/', '"/schemas/');

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The same schema, taking no properties but those it names. */
function close(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(close);
  if (!isObject(schema)) return schema;
  const closed = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, close(value)]));
  return isObject(schema.properties) ? { additionalProperties: false, ...closed } : closed;
}

function readQueryValue(value: string, { type }: Readonly<Record<string, unknown>>): unknown {
  if (type === 'integer') return Number(value);
  if (type === 'boolean') return value === 'true' || (value === 'false' ? false : value);
  return value;
}

function problemsOf(validate: ValidateFunction, value: unknown, what: string): string[] {
  if (validate(value)) return [];
  return (validate.errors ?? []).map(({ instancePath, message, params }) => {
    return `${what}: ${instancePath || 'body'} ${message} ${JSON.stringify(params)}`;
  });
}
