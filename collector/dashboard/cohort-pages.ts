/** Cohorts as pages: which node differs from its peers and in what, beside what is normal by these. */
import { standingInWords, type Amount, type CohortReport, type MemberReport } from '../detectors/cohort-report.ts';
import { page, type Page } from './frame.ts';
import { html, nothing, type Html } from './html.ts';
import { columns } from './table.ts';
import { ago, number } from './words.ts';

export function cohortsPage(reports: readonly CohortReport[], now: number): Page {
  return page(
    'Cohorts',
    '/cohorts',
    html`<h1>Cohorts</h1>
      <p class="lead">Nodes of one cohort should do the same. Here is who does not, and in what.</p>
      ${reports.length === 0 ? html`<p class="empty">No node is registered.</p>` : reports.map((report) => cohortCard(report, now))}`,
  );
}

function cohortCard(report: CohortReport, now: number): Html {
  const { name, nodes, says, hour, isPartial, learningUntil, members, given } = report;
  const odd = members.filter(({ standing }) => standing === 'differs').length;
  return html`<section class="card" id="${name}" aria-labelledby="c-${name}">
    <h2 id="c-${name}">
      ${name}
      <span class="quiet">${number(nodes)} ${nodes === 1 ? 'node' : 'nodes'}</span>
      ${odd === 0 ? nothing : html`<span class="tag warn">${number(odd)} ${odd === 1 ? 'differs' : 'differ'}</span>`}
    </h2>
    <p>${says}</p>
    <p class="quiet">
      ${hour === undefined ? 'Nothing was seen of it yet.' : `The hour from ${hourOf(hour)}${isPartial ? ', which is not over' : ''}.`}
      ${learningUntil === undefined ? nothing : html`Differences are taken as given until ${hourOf(learningUntil)}.`}
    </p>
    ${members.length === 0 ? nothing : memberTable(members, now)} ${givenList(given)}
  </section>`;
}

const hourOf = (us: number): string => `${new Date(us / 1_000).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

/** The odd ones stand first; of many that are alike the rest is folded away. */
const UNFOLDED = 16;

function memberTable(members: readonly MemberReport[], now: number): Html {
  const kinds = [...new Set(members.flatMap(({ amounts }) => amounts.map(({ class: kind }) => kind)))];
  const first = members.filter(({ standing }, i) => standing !== 'alike' || i < UNFOLDED);
  const rest = members.filter((member) => !first.includes(member));
  return html`${membersTable(first, kinds, now)}
  ${
    rest.length === 0
      ? nothing
      : html`<details>
          <summary>${number(rest.length)} more, as their peers</summary>
          ${membersTable(rest, kinds, now)}
        </details>`
  }`;
}

function membersTable(members: readonly MemberReport[], kinds: readonly string[], now: number): Html {
  return html`<table class="words members">
    <caption>
      Events of the hour by class; below each what is normal by its peers
    </caption>
    ${columns('Node', 'Beside its peers', ...kinds)}
    <tbody>
      ${members.map((member) => memberRow(member, kinds, now))}
    </tbody>
  </table>`;
}

function memberRow(member: MemberReport, kinds: readonly string[], now: number): Html {
  const { node, standing, differences, amounts, release } = member;
  const isNew = differences.some(({ isGiven }) => !isGiven);
  return html`<tr>
    <th scope="row"><a href="/nodes#${node}" title="${release}">${node}</a></th>
    <td data-label="Beside its peers">
      <span class="${standing === 'differs' && isNew ? 'bad' : ''}">${standingInWords(standing)}</span
      >${aside(member, now)}
      ${
        differences.length === 0
          ? nothing
          : html`<ul class="plain">
              ${differences.map(
                ({ says, isGrave, isGiven }) =>
                  html`<li class="${isGrave && !isGiven ? 'bad' : ''}">
                    ${says}${isGiven ? html` <span class="tag">as before</span>` : nothing}
                  </li>`,
              )}
            </ul>`
      }
    </td>
    ${kinds.map((kind) => {
      const isOdd = differences.some(({ measure }) => measure.what.startsWith(`${kind} events `));
      return amountCell(
        kind,
        amounts.find((each) => each.class === kind),
        isOdd,
      );
    })}
  </tr>`;
}

function aside({ standing, peers, lastReceived }: MemberReport, now: number): Html {
  if (standing === 'silent') return html`, <span class="quiet">last heard of ${ago(lastReceived, now)}</span>`;
  return peers === 0 ? nothing : html` <span class="quiet">(${number(peers)} ${peers === 1 ? 'peer' : 'peers'})</span>`;
}

function amountCell(kind: string, amount: Amount | undefined, isOdd: boolean): Html {
  if (amount === undefined) return html`<td data-label="${kind}">—</td>`;
  const { events, normal } = amount;
  return html`<td data-label="${kind}">
    ${isOdd ? html`<strong>${number(events)}</strong>` : number(events)}
    ${normal === undefined ? nothing : html`<span class="quiet range">${number(normal.from)} to ${normal.to === undefined ? '?' : number(normal.to)}</span>`}
  </td>`;
}

function givenList(given: CohortReport['given']): Html {
  if (given.length === 0) return nothing;
  return html`<details>
    <summary>Taken as given: ${number(given.length)}</summary>
    <p class="quiet">
      Told before, or there while the cohort was learned. What is gone for a month would be told anew.
    </p>
    <ul class="plain">
      ${given.map(
        ({ node, what, last }) => html`<li>${node}: ${what} <span class="quiet">last ${hourOf(last)}</span></li>`,
      )}
    </ul>
  </details>`;
}
