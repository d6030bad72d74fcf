/**
 * Who may do what over HTTP. A token has one role or several; a route names those of which one is enough. What is listed here is all
 * that there is: `test/collector/dashboard/routes.test.ts` walks every route with every role.
 *
 *                                        viewer  operator  reviewer  auditor
 *     nodes, activity, privacy, what left   yes       yes       yes      yes   LOOKS
 *     stories, alerts, verdicts, events     yes       yes         -      yes   WATCHES
 *     detectors, cohorts, back-tests        yes       yes         -      yes   WATCHES
 *     give verdicts, back-test                -       yes         -        -   OPERATES
 *     who wrote what, and why                 -       yes         -      yes   AUDITS
 *
 * A reviewer judges what may leave nodes and need not know what was found about whom. Approving rules takes a reviewer's key and is
 * no request to this server. The token of `dashboard.token` is the owner's: operator and reviewer.
 */
export const ACCESS_ROLES = ['viewer', 'operator', 'reviewer', 'auditor'] as const;
export type AccessRole = (typeof ACCESS_ROLES)[number];

export const LOOKS: readonly AccessRole[] = ACCESS_ROLES;
export const WATCHES: readonly AccessRole[] = ['viewer', 'operator', 'auditor'];
export const OPERATES: readonly AccessRole[] = ['operator'];
export const AUDITS: readonly AccessRole[] = ['operator', 'auditor'];

export const OWNER: readonly AccessRole[] = ['operator', 'reviewer'];
