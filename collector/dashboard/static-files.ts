/** The only files that are served. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { found, route, type Route } from './route.ts';

const STATIC = fileURLToPath(new URL('static/', import.meta.url));
const UPLOT = dirname(createRequire(import.meta.url).resolve('uplot/dist/uPlot.esm.js'));
const STYLE = 'text/css; charset=utf-8';
const SCRIPT = 'text/javascript; charset=utf-8';
const FILES: ReadonlyMap<string, readonly [string, string]> = new Map([
  ['style.css', [join(STATIC, 'style.css'), STYLE]],
  ['main.js', [join(STATIC, 'main.js'), SCRIPT]],
  ['plot.js', [join(STATIC, 'plot.js'), SCRIPT]],
  ['uplot.js', [join(UPLOT, 'uPlot.esm.js'), SCRIPT]],
  ['uplot.css', [join(UPLOT, 'uPlot.min.css'), STYLE]],
]);

export const STATIC_FILES: Route = route(
  {
    ...{ method: 'GET', path: '/static/{name}', roles: 'anyone', about: 'A style or a script.' },
    parameters: { name: { type: 'string', pattern: '[a-z.]{1,32}', description: 'Of the file.' } },
  },
  ({ parameters }) => {
    const [file, type] = found(FILES.get(parameters.name), 'No such file');
    return { text: readFileSync(file), type, cache: 'private, max-age=300' };
  },
);
