/** Which page or file answers an address below `/privacy`. */
import type { StateView } from '../view.ts';
import type { Html } from './html.ts';
import { differencesPage, exposurePage, privacyPage } from './privacy.ts';

const APPROVALS_SHOWN = 100;
const RULES = /^\/privacy\/rules\/([0-9a-f]{64})$/;
const DIFFERENCES = /^\/privacy\/differences\/([0-9a-f]{64})\/([0-9a-f]{64})$/;
/** The digest is there for whoever saves the file: agents look for it under that name. */
const APPROVAL = /^\/privacy\/approvals\/(\d{1,15})\/[0-9a-f]{64}\.(approval|tlog-proof)$/;

export async function answerPrivacy(
  { pathname, searchParams }: URL,
  view: StateView,
  now: number,
): Promise<Html | Uint8Array | string | undefined> {
  const { privacy } = view;
  if (pathname === '/privacy') {
    const shown = privacy.approvals().slice(-APPROVALS_SHOWN);
    const notes = await Promise.all(shown.map(({ logIndex }) => privacy.note(logIndex)));
    const approvals = shown.map((row, at) => ({ row, note: Buffer.from(notes[at] ?? []).toString() }));
    return privacyPage({ nodes: view.nodes(), privacy, approvals, now });
  }
  const [, digest] = RULES.exec(pathname) ?? [];
  if (digest !== undefined) {
    const explained = privacy.explained(digest);
    return explained && exposurePage(explained, searchParams.get('event') ?? 'process.exec');
  }
  const [, before, after] = DIFFERENCES.exec(pathname) ?? [];
  if (before !== undefined && after !== undefined) {
    const found = privacy.differences(before, after);
    return found && differencesPage(found);
  }
  const [, entry, form] = APPROVAL.exec(pathname) ?? [];
  if (entry === undefined) return undefined;
  return await (form === 'approval' ? privacy.note(Number(entry)) : privacy.proof(Number(entry)));
}
