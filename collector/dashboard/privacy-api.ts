/** What the pages for a privacy reviewer show, for programs. */
import { APPROVED_KINDS, APPROVED_ROLES } from '#protocol/approval.ts';
import { ATTRIBUTES } from '#protocol/vocabulary.ts';
import { RULES } from './fields.ts';
import { LOOKS } from './roles.ts';
import { found, route, type Route, type Schema } from './route.ts';
import { count, text } from './schema-parts.ts';

const list = (
  description: string,
  properties: Readonly<Record<string, Schema>>,
  optional: readonly string[] = [],
): Schema => ({
  type: 'array',
  description,
  items: {
    type: 'object',
    properties,
    required: Object.keys(properties).filter((name) => !optional.includes(name)),
    additionalProperties: false,
  },
});
const kind: Schema = { type: 'string', enum: APPROVED_KINDS };
const MOMENT: Schema = { type: 'integer', description: 'Microseconds since 1970, UTC.' };

export const PRIVACY_API: readonly Route[] = [
  route(
    {
      ...{ method: 'GET', path: '/api/v1/privacy/rules-in-force', roles: LOOKS, operation: 'listRulesInForce' },
      about: 'For each node and kind of rules, what its last statement named, and since when.',
      answer: list('Rules.', { node: text('Whose.'), kind, digest: text('SHA-256 of them.'), since: MOMENT }),
    },
    ({ view }) => ({ json: view.privacy.inForce() }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/privacy/approvals', roles: LOOKS, operation: 'listApprovals' },
      about:
        'Everything that reviewers said yes to, oldest first. Notes and proofs: /privacy/approvals/ENTRY/DIGEST.approval.',
      answer: list('Approvals.', {
        ...{ logIndex: count('Where the note stands in the log.'), kind, name: text('Of the rules.') },
        ...{ version: count('Of the rules, from 1.'), role: { type: 'string', enum: APPROVED_ROLES } },
        ...{ digest: text('SHA-256 of the rules.'), vocabulary: text('SHA-256 of what they were read with.') },
        signers: { type: 'array', items: text('Who signed.') },
      }),
    },
    ({ view }) => ({ json: view.privacy.approvals() }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/privacy/canaries', roles: LOOKS, operation: 'listCanaries' },
      about: 'How many made-up secrets came out of each node.',
      answer: list(
        'What each node said last.',
        {
          ...{
            node: text('Which.'),
            at: MOMENT,
            tried: count('How many it tried.'),
            leaked: count('How many came out.'),
          },
          leaks: { type: 'array', items: text('Of which kind.') },
        },
        ['tried', 'leaked'],
      ),
    },
    ({ view }) => ({ json: [...view.privacy.canaries()].map(([node, status]) => ({ node, ...status })) }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/rulesets/{digest}', roles: LOOKS, operation: 'explainRuleset' },
      about: 'What a ruleset lets out: each attribute of each event, how, why and for whom.',
      parameters: { digest: RULES },
      answer: list(
        'Rules.',
        {
          ...{ event: text('Of which event.'), attribute: text('Which.'), do: text('What is done with it.') },
          sensitivity: {
            type: 'string',
            enum: [...new Set(Object.values(ATTRIBUTES).map((each) => each.sensitivity))],
          },
          leaves: { type: 'boolean', description: 'Whether anything of it leaves.' },
          ...{ summary: text('What leaves, in words.'), why: text('Why so.') },
          for: { type: 'array', items: text('Who uses it.') },
          reason: text('Why something sensitive stays near to clear.'),
        },
        ['reason'],
      ),
    },
    ({ view, parameters: { digest } }) => ({ json: found(view.exposure(digest), 'No such ruleset here') }),
  ),
];
