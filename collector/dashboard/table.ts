/** The head of a table: each column has a name, which readers aloud tell with every cell. */
import { html, type Html } from './html.ts';

export const columns = (...names: readonly string[]): Html =>
  html`<thead>
    <tr>
      ${names.map((name) => html`<th scope="col">${name}</th>`)}
    </tr>
  </thead>`;
