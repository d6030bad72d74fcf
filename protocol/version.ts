/**
 * The version of the protocol: the number in `hushwatch/batch/v1` and `hushwatch.v1`. What an
 * old agent wrote stays readable, so a number that was released is never taken back.
 *
 *  - 1: first. Signed statement with conservation counters, zstd body, tlog-proof receipts.
 *       Beside statements the log holds approvals (approval.ts); a batch names only rules that were approved before it.
 */
export const PROTOCOL_VERSION = 1;
