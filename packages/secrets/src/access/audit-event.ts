import type { ErrorCode } from "@autokestra/secrets-core";

declare module "@autokestra/secrets-core" {
  interface ErrorDetails {
    /** The audit log cannot be written: nothing is given out that it would not know of. */
    AUDIT_UNAVAILABLE: { readonly reason?: "end removed" };
  }
}

/** Everything that can be done, or attempted, and is recorded. `refused`: an attempt that named no action, such as a wrong token. */
export const AUDIT_ACTIONS = [
  "read",
  "describe",
  "list",
  "create",
  "update",
  "set",
  "edit",
  "rename",
  "delete",
  "purge",
  "restore",
  "rollback",
  "import",
  "backup",
  "restore-backup",
  "migrate",
  "refused",
  "keys.rotate",
  "keys.import",
  "keys.export",
  "tokens.create",
  "tokens.revoke",
  "tokens.use",
  "run.start",
  "run.resolve",
  "run.end",
  "run.cancel",
  "audit.prune",
  "audit.restart",
] as const;

export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** Who did something. */
export interface AuditActor {
  /** `user`: of this machine; `token` and `jwt`: of the HTTP API; `trigger`: a schedule or a webhook; `anonymous`: nobody known. */
  readonly kind: "user" | "token" | "jwt" | "trigger" | "anonymous" | "system";
  /** A user name, the id of a token, the subject of a JWT. Null where none is known. */
  readonly id: string | null;
  /** Of the network. Null on this machine. */
  readonly address: string | null;
}

/** Which secret it was done to. Only names and numbers: never a value or a description. */
export interface AuditedSecret {
  readonly name: string | null;
  readonly id?: string | null | undefined;
  /** As its source counts. */
  readonly version?: string | number | null | undefined;
  /** The names of the fields whose values were given out. */
  readonly fields?: readonly string[] | undefined;
}

/**
 * How it went: `intent` before a change, `done` after it and before a value is given out, `refused` where it was not allowed, or the
 * code of the error. `failed` and `cancelled` are ends of runs.
 */
export type AuditOutcome = "intent" | "done" | "refused" | "failed" | "cancelled" | ErrorCode;

/** What is recorded. */
export interface AuditEvent {
  /** ISO 8601 UTC. Default: now. */
  readonly time?: string | undefined;
  readonly actor: AuditActor;
  readonly action: AuditAction;
  /** Default: none. */
  readonly secret?: AuditedSecret | null | undefined;
  readonly outcome: AuditOutcome;
  /** Where a value came from: `store`, `environment`, the id of a provider. Of a run, the id of its workflow. Default: null. */
  readonly source?: string | null | undefined;
  /** The id of the request. Default: null. */
  readonly requestId?: string | null | undefined;
  /** The id of the run. Default: null. */
  readonly execution?: string | null | undefined;
}

/** A record as it is stored and shown. */
export interface AuditRecord {
  /** Counts records, from 1. */
  readonly seq: number;
  readonly time: string;
  readonly actor: AuditActor;
  readonly action: string;
  readonly secret: {
    readonly name: string | null;
    readonly id: string | null;
    readonly version: string | null;
    readonly fields: readonly string[];
  } | null;
  readonly outcome: string;
  readonly source: string | null;
  readonly requestId: string | null;
  readonly execution: string | null;
  /** SHA-256 of the record before, hexadecimal. */
  readonly prev: string;
  /** HMAC of the record: id of the service key, colon, base64. Null where there was no key. */
  readonly mac: string | null;
}

/** Which records are wanted. */
export interface AuditFilter {
  /** The name of a secret. */
  readonly secret?: string | undefined;
  /** The id of an actor. */
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  /** One of {@link AuditOutcome}; `error`: any code of an error. */
  readonly outcome?: string | undefined;
  readonly execution?: string | undefined;
  /** Records of this time and later, ISO 8601 UTC. */
  readonly since?: string | undefined;
  /** Start after this record. */
  readonly after?: number | undefined;
  /** End before this record. */
  readonly before?: number | undefined;
  /** Only records about secrets whose names begin with one of these. */
  readonly anyPrefix?: readonly string[] | undefined;
  /** Only records about secrets with these ids. */
  readonly anyId?: readonly string[] | undefined;
  /** The maximum number of records. Default: all. */
  readonly limit?: number | undefined;
  /** The last ones that pass, still in their order. Default: false, the first ones. */
  readonly newest?: boolean | undefined;
}

/** The first place where the log is not what was written. */
export interface AuditProblem {
  /** The wrong record; if it cannot be determined, the first that may be wrong. */
  readonly seq: number;
  /** The last of those that may be wrong. */
  readonly until: number;
  /** What is wrong, as a clause. */
  readonly reason: string;
}

/** What a look at the whole log has found. */
export interface AuditReport {
  /** How many records there are. */
  readonly records: number;
  /** The first and the last one; null in an empty log. */
  readonly first: number | null;
  readonly last: number | null;
  /** How many have an HMAC. */
  readonly authenticated: number;
  /** How many records at the end no HMAC covers: one of them may have been inserted unnoticed. */
  readonly uncovered: number;
  /** The record that the store remembers; null where it remembers none. */
  readonly anchoredAt: number | null;
  /** Records that are known to be lost: the log was begun again after its end was removed. */
  readonly lost: number;
  /** Null where everything is as it was written. */
  readonly problem: AuditProblem | null;
}

/**
 * The audit log of a store. Other processes can write the same log at the same time.
 *
 * Methods that write throw AutokestraError `AUDIT_UNAVAILABLE`, those that read `ACCESS_UNAVAILABLE`.
 */
export interface AuditLog {
  /** Writes one record, or several in one transaction: on the disk once this resolves. @throws `AUDIT_UNAVAILABLE` */
  record(...events: readonly AuditEvent[]): Promise<void>;
  /** The records that pass the filter, in their order, read in steps. */
  records(filter?: AuditFilter): AsyncIterable<AuditRecord>;
  /** Checks every record, the chain of them, and that it has not lost its end. Needs the key, if the store has one. @throws `KEY_*` */
  verify(): Promise<AuditReport>;
  /**
   * Removes records from the front that are older, and leaves a signed record of that. Needs the key.
   *
   * @param before ISO 8601 UTC
   * @returns how many
   */
  prune(before: string): Promise<number>;
  /**
   * Continues a log whose end was removed: a signed record says how many records are lost. Needs the key.
   *
   * @returns how many; 0 where the log has its end
   */
  restart(): Promise<number>;
  /** How the log is doing, for metrics. */
  state(): AuditState;
  /** Anchors what was written, waits for the second sink, and closes. May be called again. */
  close(): Promise<void>;
}

/** Figures of this process. */
export interface AuditState {
  readonly recorded: number;
  /** Records that could not be written. */
  readonly failed: number;
  /** Records that the second sink did not take. */
  readonly sinkFailed: number;
}
