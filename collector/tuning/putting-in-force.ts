/** `hushwatch detect diff | apply | changes`: what is other, putting it in force, and what was when. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ItemChange } from '#protocol/change.ts';
import { answerTo, ask, refusedWords } from '../apply.ts';
import { lineupOf, nameOf, type InForce } from '../in-force.ts';
import { State } from '../state.ts';
import { candidateIn, inForceIn, revisionIn } from './candidate.ts';
import { Misused, nowUs, say, Unanswerable, type Values } from './command.ts';
import { describeDiff, diffInForce } from './diff.ts';
import { describeChanges, describeItems, proveChanges, waitingIn } from './history.ts';

/** A collector looks each second what it was asked. */
const ANSWER_WITHIN_MS = 15_000;

export function showDiff({ home, subject, json }: Values): number {
  const files = inForceIn(home, nowUs());
  if (subject === undefined) return showWaiting(home, files, json);
  const isDirectory = existsSync(subject);
  const other = isDirectory ? candidateIn(resolve(subject), files, nowUs()) : revisionIn(home, subject, files, nowUs());
  const differences = isDirectory ? diffInForce(files, other, nowUs()) : diffInForce(other, files, nowUs());
  say(json ? differences.map((each) => `${JSON.stringify(each)}\n`).join('') : describeDiff(differences));
  return 0;
}

/** The log knows names and digests of what is in force; which way a rule went, only files can tell. */
function showWaiting(home: string, files: InForce, json: boolean): number {
  using state = State.beside(home);
  const waiting = waitingIn(home, state.detectorChanges(), lineupOf(files, nowUs()));
  if (json) say(waiting.map((each) => `${JSON.stringify(each)}\n`).join(''));
  else if (waiting.length === 0) say('what lies in the files is in force\n');
  else say(`not in force yet: ${waiting.length}\n${describeItems(waiting, waiting.length, titlesIn(files))}`);
  return 0;
}

/** Titles of rules; of all else its name. */
function titlesIn({ rulepacks: { rules }, suppressions }: InForce): (item: ItemChange) => string {
  const titles = new Map([...rules.rules, ...rules.correlations].map(({ id, title }) => [id, title]));
  const reasons = new Map(suppressions.map((each) => [nameOf(each), each.reason]));
  return ({ kind, name }) => {
    const says = kind === 'suppression' ? reasons.get(name) : titles.get(name);
    return says === undefined ? name : `${name}: ${says}`;
  };
}

export async function applyFiles({ home, by, reason, subject }: Values): Promise<number> {
  const wrong = refusedWords(by, reason);
  if (wrong !== undefined) throw new Misused(wrong);
  if (subject !== undefined) throw new Misused(`what is ${subject}?`);
  // What is wrong is told here, before anybody is asked; the collector looks again.
  const files = inForceIn(home, nowUs());
  const asked = ask(home, by, reason);
  for (const end = Date.now() + ANSWER_WITHIN_MS; Date.now() < end; await sleep(100)) {
    const answer = answerTo(home, asked);
    if (answer === undefined) continue;
    if ('problem' in answer) throw new Unanswerable(`nothing was changed: ${answer.problem}`);
    const { changes } = answer;
    const anew = changes.filter(({ kind, how }) => kind === 'correlation' && how === 'changed').length;
    say(
      changes.length === 0
        ? 'nothing was other; it was in force already\n'
        : `in force and logged: ${changes.length}\n`,
    );
    say(describeItems(changes, changes.length, titlesIn(files)));
    say(
      anew === 0
        ? ''
        : `${anew} changed correlations begin to count anew; everything else goes on with what it learned\n`,
    );
    return 0;
  }
  throw new Unanswerable('no collector answered; it is put in force, under this name, when the collector starts');
}

export async function showChanges({ home, json }: Values): Promise<number> {
  using state = State.beside(home);
  const rows = state.detectorChanges();
  const changes = await proveChanges(home, rows);
  if (json) say(changes.map((change) => `${JSON.stringify(change)}\n`).join(''));
  else {
    const files = inForceIn(home, nowUs());
    const waiting = waitingIn(home, rows, lineupOf(files, nowUs()));
    say(describeChanges(changes, titlesIn(files)));
    if (waiting.length > 0)
      say(
        `in the files and not in force yet: ${waiting.length}\n${describeItems(waiting, waiting.length, titlesIn(files))}`,
      );
  }
  return changes.every(({ isProven }) => isProven) ? 0 : 1;
}
