/**
 * `hushwatch rules oracle`: what each detection rule that runs on nodes can tell about attributes that do not leave, in
 * words. Shows the author's patterns, never a value that was seen.
 */
import {
  CLOSENESS,
  type Alternative,
  type Closeness,
  type OracleRow,
  type OracleTotal,
  type Told,
} from '../collector/detectors/oracle.ts';

const WORDS: Readonly<Record<Closeness, string>> = {
  value: 'is',
  beginning: 'begins with',
  end: 'ends with',
  part: 'has in it',
  regex: 'matches',
  network: 'lies in',
  number: 'is',
  date: 'is of',
  'other attribute': 'agrees with',
  presence: 'is',
};

const SHOWN = 4;

export function oracleText(rows: readonly OracleRow[], totals: readonly OracleTotal[]): string {
  const sums = totals.map(
    ({ event, rules, bitsPerEvent }) => `  ${event}: ${rules} rules, at most ${bitsPerEvent} bits an event\n`,
  );
  const head =
    'A rule answers yes or no: one bit an event at most. What a yes pins down is below, the closest first;\n' +
    'a letter may be of either case. What a rule asks of several attributes at once may tell more than each alone.\n';
  return `${head}\n${rows.map(oracleRow).join('\n')}\nall rules together\n${sums.join('')}`;
}

function oracleRow({ file, level, title, events, hidden }: OracleRow): string {
  const lines = hidden.flatMap(({ attribute, sensitivity, leavesAs, questions, onMatch, onSilence }) => [
    `  ${attribute} (${sensitivity ?? 'any'}): ${questions === 1 ? 'one question' : `${questions} questions`}; leaves: ${leavesAs}\n`,
    `    a match says: ${onMatch === undefined ? 'nothing of it alone' : `it ${toldWords(onMatch)}`}\n`,
    ...(onSilence === undefined ? [] : [`    no match says: it ${toldWords(onSilence)}\n`]),
  ]);
  return `${file}  ${level}  ${title.trim()}\n  ${events.join(', ')}\n${lines.join('')}`;
}

/** `is one of 4: a, b, c, d (2.0 bits open)` */
export function toldWords({ alternatives, openBits }: Told): string {
  const kinds = CLOSENESS.map((how) => ({ how, own: alternatives.filter((one) => one.how === how) }));
  const words = kinds.filter(({ own }) => own.length > 0).map(({ how, own }) => `${WORDS[how]} ${listed(own)}`);
  const open =
    openBits === undefined ? '' : ` (${openBits === 0 ? 'told outright' : `${openBits.toFixed(1)} bits open`})`;
  return `${words.join(', or ')}${open}`;
}

function listed(alternatives: readonly Alternative[]): string {
  const some = alternatives.slice(0, SHOWN).map(({ text }) => text);
  if (alternatives.length === 1) return some.join('');
  const more = alternatives.length > SHOWN ? ', …' : '';
  return `one of ${alternatives.length}: ${some.join(', ')}${more}`;
}
