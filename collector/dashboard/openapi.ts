/** The OpenAPI 3.1 document of the routes below `/api/v1/`, written from the table that answers. */
import { inPath, objectOf, schemaOf, type Field, type Route, type Schema } from './route.ts';
import { SCHEMAS } from './schemas.ts';

const BASE = '/api/v1/';
const ERRORS: Readonly<Record<string, string>> = {
  '400': 'Something in the request is wrong.',
  '401': 'Log in first.',
  '403': 'No role of this token may do this, or the request comes from another site.',
  '404': 'There is no such thing.',
  '409': 'It is no longer as it was when you looked.',
};

export function openApiOf(routes: readonly Route[]): Schema {
  const documented = routes.filter(({ path }) => path.startsWith(BASE));
  const paths = [...new Set(documented.map(({ path }) => path))];
  return {
    openapi: '3.1.1',
    info: {
      title: 'Hushwatch collector',
      version: '1',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      description:
        'What nodes released and detectors found, and what people say of it. Tokens: `hushwatch collector token create`. Roles that may do an operation stand in its `x-roles`; one is enough.',
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }, { cookie: [] }],
    paths: Object.fromEntries(
      paths.map((path) => [
        path,
        Object.fromEntries(
          documented
            .filter((route) => route.path === path)
            .map((route) => [route.method.toLowerCase(), operationOf(route)]),
        ),
      ]),
    ),
    components: {
      schemas: SCHEMAS,
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer' },
        cookie: { type: 'apiKey', in: 'cookie', name: 'hushwatch' },
      },
    },
  };
}

function operationOf(route: Route): Schema {
  const { operation, about, roles, body, parameters = {}, method, path, answer = {} } = route;
  return {
    operationId: operation,
    summary: about,
    'x-roles': roles,
    ...(roles === 'anyone' ? { security: [] } : {}),
    parameters: Object.entries(parameters).map(([name, field]) => parameterOf(name, field, path)),
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: objectOf(body) } } } }),
    responses: {
      [method === 'POST' ? '201' : '200']: {
        description: 'Done.',
        content: { 'application/json': { schema: answer } },
      },
      ...Object.fromEntries(
        Object.entries(ERRORS).map(([status, description]) => [
          status,
          { description, content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } } },
        ]),
      ),
    },
  };
}

function parameterOf(name: string, field: Field, path: string): Schema {
  const { description, ...schema } = schemaOf(field);
  const isInPath = inPath(path).includes(name);
  const required = isInPath || (field.optional !== true && field.default === undefined);
  return { name, in: isInPath ? 'path' : 'query', required, description, schema };
}
