/** Everything that can be asked of the server. What a route is, and an example, stands in `route.ts`; who may what, in `roles.ts`. */
import { API } from './api-routes.ts';
import { openApiOf } from './openapi.ts';
import { PAGES } from './page-routes.ts';
import { PRIVACY_API } from './privacy-api.ts';
import { PRIVACY } from './privacy-routes.ts';
import { route, type Route } from './route.ts';
import { STORIES } from './story-routes.ts';
import { TUNING } from './tuning-routes.ts';

const DOCUMENT = '/api/v1/openapi.json';

export const ROUTES: readonly Route[] = [
  ...STORIES,
  ...TUNING,
  ...PAGES,
  ...PRIVACY,
  ...PRIVACY_API,
  ...API,
  route(
    {
      ...{ method: 'GET', path: DOCUMENT, roles: 'anyone', operation: 'getOpenApi' },
      about: 'This document.',
      answer: { type: 'object' },
    },
    () => ({ json: openApiOf(ROUTES) }),
  ),
];
