/** What one journal line says. Several may be about one fact; `sessions.ts` decides which of them is told. */

export interface Origin {
  readonly address?: string | undefined;
  readonly port?: number | undefined;
}

/** From the process that lets users in. */
export interface LogonFact extends Origin {
  /** `opened` and `closed` are PAM's words, `given-up` the end of a connection before anybody was let in. */
  readonly kind: 'accepted' | 'failed' | 'given-up' | 'opened' | 'closed';
  readonly service: string;
  readonly method?: string;
  /** Absent when nobody of that name exists. */
  readonly user?: string | undefined;
  /** Why it failed, where that is known. */
  readonly reason?: string;
  readonly keyType?: string | undefined;
  readonly keyFingerprint?: string | undefined;
  readonly terminal?: string | undefined;
}

/** From logind. */
export interface SessionFact {
  /** `session-other` is the beginning of one that nobody logged on to. */
  readonly kind: 'session-new' | 'session-other' | 'session-left' | 'session-removed';
  readonly session: string;
  readonly user: string;
  /** The process that let the user in. */
  readonly leader: number;
}

export interface SwitchFact {
  readonly kind: 'switch';
  readonly program: 'sudo' | 'su';
  /** Who acts, where the line says it. */
  readonly by?: string | undefined;
  readonly to?: string | undefined;
  readonly terminal?: string | undefined;
  readonly directory?: string | undefined;
  readonly command?: readonly string[] | undefined;
  readonly error?: string | undefined;
}

export interface DenialFact {
  readonly kind: 'denial';
  /** The same record may come from the kernel's log and from the audit socket; this is the same in both. */
  readonly id: string;
  readonly module: 'selinux' | 'apparmor';
  readonly pid?: number | undefined;
  readonly executable?: string | undefined;
  readonly path?: string | undefined;
  readonly name?: string | undefined;
  readonly sourceContext?: string | undefined;
  readonly targetContext?: string | undefined;
  readonly targetClass?: string | undefined;
  readonly permissions: readonly string[];
  readonly permissive: boolean;
}

export interface SeccompFact {
  readonly kind: 'seccomp';
  readonly id: string;
  readonly pid?: number | undefined;
  readonly uid?: number | undefined;
  readonly loginUid?: number | undefined;
  readonly auditSession?: number | undefined;
  readonly executable?: string | undefined;
  readonly signal?: number | undefined;
  readonly syscall?: number | undefined;
  readonly architecture?: string | undefined;
  readonly action?: string | undefined;
}

export type Fact = LogonFact | SessionFact | SwitchFact | DenialFact | SeccompFact;
