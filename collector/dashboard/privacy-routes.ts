/** The pages and files for a privacy reviewer. */
import type { StateView } from '../view.ts';
import { RULES } from './fields.ts';
import type { Page } from './frame.ts';
import { differencesPage, exposurePage, privacyPage } from './privacy.ts';
import { LOOKS } from './roles.ts';
import { found, route, type Route } from './route.ts';

const APPROVALS_SHOWN = 100;
const NO_PAGE = 'No such page';

export const PRIVACY: readonly Route[] = [
  route(
    { method: 'GET', path: '/privacy', roles: LOOKS, about: 'Rules in force, approvals, canaries.' },
    async ({ view, now }) => ({ page: await overview(view, now) }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/privacy/rules/{digest}', roles: LOOKS, about: 'What a ruleset lets out.' },
      parameters: {
        digest: RULES,
        event: { type: 'string', maxLength: 64, default: 'process.exec', description: 'The event to open.' },
      },
    },
    ({ view, parameters: { digest, event } }) => ({
      page: exposurePage(found(view.privacy.explained(digest), NO_PAGE), event),
    }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/privacy/differences/{before}/{after}', roles: LOOKS },
      about: 'What changed from one ruleset to another.',
      parameters: { before: RULES, after: RULES },
    },
    ({ view, parameters: { before, after } }) => ({
      page: differencesPage(found(view.privacy.differences(before, after), NO_PAGE)),
    }),
  ),
  route(
    {
      // The digest is there for whoever saves the file: agents look for it under that name.
      ...{ method: 'GET', path: '/privacy/approvals/{entry}/{digest}.{form}', roles: LOOKS },
      about: 'A signed approval, or the proof that it stands in the log.',
      parameters: {
        entry: { type: 'string', pattern: '^\\d{1,15}$', description: 'Place in the log.' },
        digest: RULES,
        form: { type: 'string', enum: ['approval', 'tlog-proof'], description: 'Which of the two.' },
      },
    },
    async ({ view: { privacy }, parameters: { entry, form } }) => {
      const at = Number(entry);
      return { text: found(await (form === 'approval' ? privacy.note(at) : privacy.proof(at)), NO_PAGE) };
    },
  ),
];

async function overview(view: StateView, now: number): Promise<Page> {
  const { privacy } = view;
  const shown = privacy.approvals().slice(-APPROVALS_SHOWN);
  const notes = await Promise.all(shown.map(({ logIndex }) => privacy.note(logIndex)));
  const approvals = shown.map((row, at) => ({ row, note: Buffer.from(notes[at] ?? []).toString() }));
  return privacyPage({ nodes: view.nodes(), privacy, approvals, now });
}
