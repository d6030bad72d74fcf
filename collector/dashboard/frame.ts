/** What is around every page: where one can go, how one logs out, what keys there are. No page holds a script or a style of its own. */
import { html, nothing, type Html } from './html.ts';

/** What is inside the frame. `path` marks where we are. */
export interface Page {
  readonly title: string;
  readonly path: string;
  readonly body: Html;
}

export const page = (title: string, path: string, body: Html): Page => ({ title, path, body });

const NAVIGATION = [
  ['/', 'Overview'],
  ['/nodes', 'Nodes'],
  ['/left', 'What left'],
  ['/events', 'Events'],
  ['/detectors', 'Detectors'],
  ['/cohorts', 'Cohorts'],
  ['/privacy', 'Privacy'],
  ['/record', 'Record'],
] as const;

const headOf = (title: string): Html =>
  html`<meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>${title} · Hushwatch</title>`;

/** A whole page. `mayOpen` leaves out what whoever looks may not see; nobody who is not logged in sees where one could go. */
export function frame({ title, path, body }: Page, mayOpen: (path: string) => boolean): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        ${headOf(title)}
        <link rel="stylesheet" href="/static/uplot.css" />
        <link rel="stylesheet" href="/static/style.css" />
        <script type="module" src="/static/main.js"></script>
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header>
          <a class="brand" href="/"><span class="mark" aria-hidden="true"></span>Hushwatch</a>
          <nav aria-label="Pages">
            <ul>
              ${NAVIGATION.filter(([to]) => mayOpen(to)).map(
                ([to, name]) =>
                  html`<li><a href="${to}" ${to === path ? html` aria-current="page"` : nothing}>${name}</a></li>`,
              )}
            </ul>
          </nav>
          <form method="post" action="/logout"><button class="plain" type="submit">Log out</button></form>
        </header>
        <main id="main" tabindex="-1">${body}</main>
        <dialog id="help" aria-labelledby="help-title">
          <h2 id="help-title">Keys</h2>
          <dl>
            <dt><kbd>j</kbd> <kbd>k</kbd></dt>
            <dd>next, previous in a list</dd>
            <dt><kbd>Enter</kbd></dt>
            <dd>open</dd>
            <dt><kbd>/</kbd></dt>
            <dd>filter</dd>
            <dt><kbd>v</kbd></dt>
            <dd>give a verdict</dd>
            <dt>
              <kbd>g</kbd> then <kbd>o</kbd> <kbd>n</kbd> <kbd>l</kbd> <kbd>e</kbd> <kbd>d</kbd> <kbd>c</kbd>
              <kbd>p</kbd> <kbd>r</kbd>
            </dt>
            <dd>overview, nodes, what left, events, detectors, cohorts, privacy, record</dd>
            <dt><kbd>?</kbd></dt>
            <dd>this</dd>
          </dl>
          <form method="dialog"><button>Close</button></form>
        </dialog>
        <footer>Press <kbd>?</kbd> for keys. What you see here has left its node; everything else stayed there.</footer>
      </body>
    </html> `;
}

export function loginPage(problem: string | undefined): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        ${headOf('Log in')}
        <link rel="stylesheet" href="/static/style.css" />
      </head>
      <body class="login">
        <main>
          <h1><span class="mark" aria-hidden="true"></span>Hushwatch</h1>
          <p>
            The token was printed when the collector started, and stands in <code>dashboard.token</code> in its
            directory.
          </p>
          ${problem === undefined ? nothing : html`<p class="problem" role="alert">${problem}</p>`}
          <form method="post" action="/login">
            <label for="token">Token</label
            ><input id="token" name="token" type="password" autocomplete="current-password" required autofocus />
            <button type="submit">Log in</button>
          </form>
        </main>
      </body>
    </html> `;
}

export function errorPage(status: number, what: string): Page {
  return page(
    what,
    '',
    html`<h1>${String(status)}: ${what}</h1>
      <p><a href="/">Back to the overview</a></p>`,
  );
}
