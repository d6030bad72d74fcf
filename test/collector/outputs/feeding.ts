/** A process that feeds outputs from a state, to be killed. Reads the configuration from its first argument; raises a story a few ms. */
import { pino } from 'pino';
import { feedOutput } from '../../../collector/outputs/output.ts';
import { makeOutputs } from '../../../collector/outputs/outputs.ts';
import { State } from '../../../collector/state.ts';
import { raise } from './stories.ts';

interface Told {
  readonly file: string;
  readonly from: number;
  readonly config: Parameters<typeof makeOutputs>[0];
}

const told: Told = JSON.parse(process.argv[2] ?? '');
const state = State.open(told.file);
const never = new AbortController().signal;
for (const output of await makeOutputs(told.config)) {
  void feedOutput(state, output, pino({ level: 'silent' }), never);
}
// Every cursor is there before the first story.
process.stdout.write('ready\n');
for (let i = told.from; ; i++) {
  raise(state, `node-${i}`);
  process.stdout.write(`${i}\n`);
  await new Promise((settle) => setTimeout(settle, 3));
}
