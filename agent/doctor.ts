/**
 * What this machine can and cannot give an agent, and what to do about it. Looks, asks the sensor to load and unload its programs, makes
 * one handshake with the collector when it is told where that is; changes nothing and prints nothing that was observed.
 *
 *     gather (doctor/facts.ts)  ->  examine (doctor/checks.ts)
 */
import type { Finding } from '../service/finding.ts';
import { examine } from './doctor/checks.ts';
import { gather, type Asked } from './doctor/facts.ts';

export const nodeFindings = async (asked: Asked): Promise<readonly Finding[]> => examine(await gather(asked));
