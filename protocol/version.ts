/**
 * The version of the protocol: the number in `hushwatch/batch/v2`. What an old agent wrote stays readable, so a number
 * that was released is never taken back. How batches travel (`hushwatch.v1`) has a number of its own, which stayed.
 *
 *  - 1: first. Signed statement with conservation counters, zstd body, tlog-proof receipts.
 *       Beside statements the log holds approvals (approval.ts); a batch names only rules that were approved before it.
 *       Since detectors can be changed while a collector runs, it holds their changes too (change.ts); a verifier from before does not know them.
 *  - 2: the statement names the epochs of the batch's pseudonyms. Collectors learn to read it before agents write it.
 *
 * Lines, sources, places and classes of events belong to a version: a statement that needs another one is of the next.
 * A release reads a version before any release writes it, so that one may go back by one; who meets a later version
 * refuses it as `unknown-version` and loses nothing.
 */
export const PROTOCOL_VERSION = 2;
