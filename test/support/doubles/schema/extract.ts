/**
 * Cuts what the doubles use out of the forges' published API descriptions, once:
 * `tsx extract.ts GITHUB.json GITEA.json`, where the first is `generated/api.github.com.json` of the npm package @octokit/openapi and
 * the second Gitea's own swagger. Both come out in one form, that of ForgeSchema in ../check-schema.ts.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

type Json = Record<string, unknown>;

const isJson = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
const objectAt = (value: Json, key: string): Json => {
  const found = value[key];
  return isJson(found) ? found : {};
};
const read = (file: string): Json => {
  const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
  if (!isJson(value)) throw new Error(`${file} is no API description`);
  return value;
};

const usedOfGithub: Readonly<Record<string, readonly string[]>> = {
  '/meta': ['get'],
  '/user': ['get'],
  '/users/{username}': ['get'],
  '/orgs/{org}': ['get'],
  '/orgs/{org}/repos': ['get', 'post'],
  '/user/repos': ['get', 'post'],
  '/users/{username}/repos': ['get'],
  '/repos/{owner}/{repo}': ['get', 'patch', 'delete'],
  '/repos/{owner}/{repo}/actions/permissions': ['get', 'put'],
  '/repos/{owner}/{repo}/git/ref/{ref}': ['get'],
  '/repos/{owner}/{repo}/immutable-releases': ['get', 'put', 'delete'],
  '/repos/{owner}/{repo}/releases': ['get', 'post'],
  '/repos/{owner}/{repo}/releases/{release_id}': ['get', 'delete'],
  '/repos/{owner}/{repo}/releases/tags/{tag}': ['get'],
};

const usedOfGitea: Readonly<Record<string, readonly string[]>> = {
  '/version': ['get'],
  '/settings/api': ['get'],
  '/user': ['get'],
  '/users/{username}': ['get'],
  '/users/{username}/orgs': ['get'],
  '/users/{username}/repos': ['get'],
  '/orgs/{org}': ['get'],
  '/orgs/{org}/repos': ['get', 'post'],
  '/user/repos': ['get', 'post'],
  '/repos/{owner}/{repo}': ['get', 'patch', 'delete'],
  '/repos/{owner}/{repo}/git/refs': ['get'],
  '/repos/{owner}/{repo}/git/refs/{ref}': ['get'],
  '/repos/{owner}/{repo}/releases': ['get', 'post'],
  '/repos/{owner}/{repo}/releases/tags/{tag}': ['get', 'delete'],
  '/repos/{owner}/{repo}/releases/{id}': ['get', 'delete'],
  '/repos/{owner}/{repo}/tags': ['get'],
  '/repos/{owner}/{repo}/tags/{tag}': ['get', 'delete'],
};

const prose = new Set(['description', 'example', 'examples', 'summary', 'title', 'deprecated', 'externalDocs']);

/** Without what people read and programs' own marks; references in one form. Names of properties are left alone. */
function trim(value: unknown, areNames = false): unknown {
  if (Array.isArray(value)) return value.map(item => trim(item));
  if (typeof value === 'string') return value.replace(/^#\/(components\/schemas|definitions)\//, '#/schemas/');
  if (!isJson(value)) return value;
  const kept = Object.entries(value).filter(([key]) => areNames || !(prose.has(key) || key.startsWith('x-')));
  return Object.fromEntries(kept.map(([key, item]) => [key, trim(item, key === 'properties' && !areNames)]));
}

const mapValues = (value: Json, change: (item: Json) => unknown): Json =>
  Object.fromEntries(Object.entries(value).flatMap(([key, item]) => (isJson(item) ? [[key, change(item)]] : [])));

/** Of `all`, those that `start` refers to, at first or at second hand. */
function reachable(start: unknown, all: Json): Json {
  const found: Json = {};
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) for (const item of value) visit(item);
    if (!isJson(value)) return;
    const name = typeof value.$ref === 'string' ? value.$ref.replace(/.*\//, '') : undefined;
    if (name !== undefined && !(name in found)) {
      found[name] = all[name];
      visit(all[name]);
    }
    for (const item of Object.values(value)) visit(item);
  };
  visit(start);
  return found;
}

interface Dialect {
  readonly description: Json;
  readonly used: Readonly<Record<string, readonly string[]>>;
  readonly schemas: Json;
  /** Schemas that replies outside the description are held to. */
  readonly alsoKept: readonly string[];
  readonly parameter: (parameter: Json) => Json | undefined;
  readonly body: (operation: Json) => unknown;
  readonly response: (response: Json) => unknown;
}

function cut({ description, used, schemas, alsoKept, parameter, body, response }: Dialect): Json {
  const operation = (found: Json): Json => {
    const parameters = Array.isArray(found.parameters)
      ? found.parameters.filter(isJson).flatMap(p => parameter(p) ?? [])
      : [];
    const bodySchema = body(found);
    return {
      parameters,
      ...(bodySchema !== undefined && { body: bodySchema }),
      responses: mapValues(objectAt(found, 'responses'), item => response(item) ?? null),
    };
  };
  const paths = Object.fromEntries(
    Object.entries(used).map(([path, methods]) => {
      const found = objectAt(objectAt(description, 'paths'), path);
      for (const method of methods) if (!(method in found)) throw new Error(`no ${method} ${path} in the description`);
      return [path, Object.fromEntries(methods.map(method => [method, operation(objectAt(found, method))]))];
    }),
  );
  const kept = reachable([paths, alsoKept.map(name => ({ $ref: name }))], schemas);
  return { info: objectAt(description, 'info'), paths: trim(paths, true), schemas: trim(kept, true) };
}

function cutGithub(description: Json): Json {
  const components = objectAt(description, 'components');
  const resolve = (value: Json): Json => {
    const [, kind, name] =
      typeof value.$ref === 'string' ? (/^#\/components\/(\w+)\/(.*)$/.exec(value.$ref) ?? []) : [];
    return kind === undefined || name === undefined ? value : objectAt(objectAt(components, kind), name);
  };
  const schemaOf = (value: Json) => objectAt(objectAt(value, 'content'), 'application/json').schema;
  return cut({
    description,
    used: usedOfGithub,
    schemas: objectAt(components, 'schemas'),
    alsoKept: ['basic-error', 'validation-error'],
    parameter: value => {
      const { name, in: where, required = false, schema } = resolve(value);
      return where === 'header' ? undefined : { name, in: where, required, schema };
    },
    body: found => schemaOf(objectAt(found, 'requestBody')),
    response: value => schemaOf(resolve(value)),
  });
}

/** Go answers null for a pointer that points nowhere, which swagger 2 has no words for. */
function allowNull(definition: unknown): unknown {
  if (!isJson(definition)) return definition;
  const properties = mapValues(objectAt(definition, 'properties'), item =>
    '$ref' in item ? { anyOf: [item, { type: 'null' }] } : item,
  );
  return { ...definition, properties };
}

function cutGitea(description: Json): Json {
  const responses = objectAt(description, 'responses');
  return cut({
    description,
    used: usedOfGitea,
    schemas: mapValues(objectAt(description, 'definitions'), allowNull),
    alsoKept: ['APIError'],
    parameter: ({ name, in: where, required = false, type, format, items }) =>
      where === 'body' ? undefined : { name, in: where, required, schema: { type, format, items } },
    body: ({ parameters }) =>
      Array.isArray(parameters) ? parameters.filter(isJson).find(p => p.in === 'body')?.schema : undefined,
    response: ({ $ref }) =>
      typeof $ref === 'string' ? objectAt(responses, $ref.replace(/.*\//, '')).schema : undefined,
  });
}

const [github, gitea] = process.argv.slice(2);
if (github === undefined || gitea === undefined) throw new Error('usage: tsx extract.ts GITHUB.json GITEA.json');
const write = (name: string, value: Json) =>
  writeFileSync(join(import.meta.dirname, name), `${JSON.stringify(value, undefined, 1)}\n`);
write('github.json', cutGithub(read(github)));
write('gitea.json', cutGitea(read(gitea)));
