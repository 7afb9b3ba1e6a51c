import type { Keyring } from "@autokestra/secrets-crypto";
import { type Fields, hashFields } from "@autokestra/secrets-crypto/internal";
import type { AuditEvent, AuditProblem, AuditRecord, AuditReport } from "./audit-event.ts";

/** A record as the table has it: the names are its columns. */
export interface AuditRow {
  readonly seq: number;
  readonly time: string;
  readonly actor_kind: string;
  readonly actor_id: string | null;
  readonly actor_address: string | null;
  readonly action: string;
  readonly secret_name: string | null;
  readonly secret_id: string | null;
  readonly secret_version: string | null;
  /** A JSON array; null where the record is about no secret. */
  readonly secret_fields: string | null;
  readonly outcome: string;
  readonly source: string | null;
  readonly request_id: string | null;
  readonly execution: string | null;
  readonly prev: string;
  readonly mac: string | null;
}

/** The parts of a record that do not depend on earlier ones. */
export type AuditContent = Omit<AuditRow, "seq" | "prev" | "mac">;

/** The columns, in the order in which they are hashed. */
export const COLUMNS: readonly (keyof AuditRow)[] = [
  "seq",
  "time",
  "actor_kind",
  "actor_id",
  "actor_address",
  "action",
  "secret_name",
  "secret_id",
  "secret_version",
  "secret_fields",
  "outcome",
  "source",
  "request_id",
  "execution",
  "prev",
  "mac",
];

/** What the first record names as the one before. */
export const GENESIS: string = "0".repeat(64);

/** The canonical form of a record: what its HMAC covers, and with the HMAC what the next record names the hash of. docs/FORMAT.md. */
function signedFields(row: Omit<AuditRow, "mac">): Fields {
  return ["autokestra audit record", 1, ...COLUMNS.filter((name) => name !== "mac").map((name) => row[name])];
}

export function hashOf(row: AuditRow): string {
  return hashFields([...signedFields(row), row.mac]);
}

/** The next record. @param keyring null: it gets no HMAC */
export function chainRow(
  content: AuditContent,
  { seq, prev }: { readonly seq: number; readonly prev: string },
  keyring: Keyring | null,
): AuditRow {
  const row = { ...content, seq, prev };
  return { ...row, mac: keyring?.authenticateFields("audit", signedFields(row)) ?? null };
}

/** Texts of callers, some of whom are strangers, are cut. */
const MAX_TEXT = 300;

/** What is kept of an event. */
export function toContent(event: AuditEvent, now: () => string): AuditContent {
  const { actor, secret } = event;
  return {
    time: event.time ?? now(),
    actor_kind: actor.kind,
    actor_id: clean(actor.id),
    actor_address: clean(actor.address),
    action: event.action,
    secret_name: clean(secret?.name),
    secret_id: clean(secret?.id),
    secret_version: clean(secret?.version?.toString()),
    secret_fields: secret === null || secret === undefined ? null : JSON.stringify(secret.fields ?? []),
    outcome: event.outcome,
    source: clean(event.source),
    request_id: clean(event.requestId),
    execution: clean(event.execution),
  };
}

/** Not every library keeps what is behind a NUL. */
function clean(text: string | null | undefined): string | null {
  return text?.replaceAll("\0", "\uFFFD").slice(0, MAX_TEXT).toWellFormed() ?? null;
}

/** A record as it is shown. */
export function toRecord(row: AuditRow): AuditRecord {
  const { seq, time, action, outcome, source, execution, prev, mac } = row;
  return {
    seq,
    time,
    actor: { kind: row.actor_kind as AuditRecord["actor"]["kind"], id: row.actor_id, address: row.actor_address },
    action,
    secret:
      row.secret_fields === null
        ? null
        : {
            name: row.secret_name,
            id: row.secret_id,
            version: row.secret_version,
            fields: readFieldNames(row.secret_fields),
          },
    outcome,
    source,
    requestId: row.request_id,
    execution,
    prev,
    mac,
  };
}

/** Empty for a row that was changed. */
function readFieldNames(text: string): readonly string[] {
  try {
    const names: unknown = JSON.parse(text);
    return Array.isArray(names) ? names.map(String) : [];
  } catch {
    return [];
  }
}

/** A record that somebody may count on: up to which one, and its hash. Kept in the store, and in what pruning leaves. */
export interface AuditHead {
  readonly seq: number;
  readonly hash: string;
}

/** The source of a record that says what was pruned: up to which record, and its hash. */
export function formatHead({ seq, hash }: AuditHead): string {
  return `${seq}:${hash}`;
}

function parseHead(text: string | null): AuditHead | null {
  const [, seq, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text ?? "") ?? [];
  return seq === undefined || hash === undefined ? null : { seq: Number(seq), hash };
}

/** What the anchor in the store covers. */
export function anchorFields({ seq, hash }: AuditHead): Fields {
  return ["autokestra audit anchor", 1, seq, hash];
}

/** Follows the chain from its first record to its last, and keeps the first place where it is broken. */
export class ChainVerifier {
  /** Null: the store has no keys yet, and no record an HMAC. */
  readonly #keyring: Keyring | null;
  /** What the store remembers; null where it remembers nothing. */
  readonly #anchor: AuditHead | null;
  #records = 0;
  #authenticated = 0;
  #lost = 0;
  #first: AuditRow | null = null;
  #last: AuditRow | null = null;
  #lastHash = GENESIS;
  /** The first record that no HMAC covers yet. */
  #uncoveredFrom: number | null = null;
  #pruned: AuditHead | null = null;
  #problem: AuditProblem | null = null;

  constructor(keyring: Keyring | null, anchor: AuditHead | null) {
    this.#keyring = keyring;
    this.#anchor = anchor;
  }

  add(row: AuditRow): void {
    const isSigned = this.#isSigned(row);
    this.#first ??= row;
    this.#problem ??= this.#findGap(row, isSigned) ?? this.#findChange(row, isSigned);
    this.#records++;
    if (isSigned) {
      this.#authenticated++;
      this.#uncoveredFrom = null;
      if (row.action === "audit.prune" && row.outcome === "done") this.#pruned = parseHead(row.source);
    } else this.#uncoveredFrom ??= row.seq;
    this.#last = row;
    this.#lastHash = hashOf(row);
    if (row.seq === this.#anchor?.seq && this.#lastHash !== this.#anchor.hash) {
      this.#problem ??= problemAt(row.seq, row.seq, "it is not the record that the store remembers");
    }
  }

  /** @param isAnchorChanged whether the anchor in the store is not what autokestra has written */
  report(isAnchorChanged: boolean): AuditReport {
    const first = this.#first?.seq ?? null;
    const last = this.#last?.seq ?? null;
    const isCovered = this.#uncoveredFrom === null || last === null;
    const problem = this.#findMissingFront() ?? this.#problem ?? this.#findMissingEnd(isAnchorChanged);
    return {
      records: this.#records,
      first,
      last,
      authenticated: this.#authenticated,
      uncovered: isCovered ? 0 : last - (this.#uncoveredFrom ?? last) + 1,
      anchoredAt: this.#anchor?.seq ?? null,
      lost: this.#lost,
      problem,
    };
  }

  #isSigned(row: AuditRow): boolean {
    return row.mac !== null && this.#keyring?.checkFields("audit", signedFields(row), row.mac) === true;
  }

  /** Records that are not there. Where the log was begun again after a loss, a signed record says so. */
  #findGap(row: AuditRow, isSigned: boolean): AuditProblem | null {
    const before = this.#last?.seq ?? null;
    if (before === null || row.seq === before + 1) return null;
    if (!isRestart(row, isSigned)) return problemAt(before + 1, row.seq - 1, "removed");
    this.#lost += row.seq - before - 1;
    return null;
  }

  #findChange(row: AuditRow, isSigned: boolean): AuditProblem | null {
    const from = this.#uncoveredFrom ?? row.seq;
    if (row.mac !== null && !isSigned) {
      return problemAt(from, row.seq, "changed, put in, or signed with the key of another store: the HMAC is wrong");
    }
    // The first one names one that was pruned, or none: see below.
    const isFirst = this.#last === null || row.seq !== this.#last.seq + 1;
    if (isFirst || row.prev === this.#lastHash) return null;
    const changed = "changed or put in: the record after it names another one";
    if (isSigned) return problemAt(this.#uncoveredFrom ?? row.seq - 1, row.seq - 1, changed);
    return problemAt(this.#uncoveredFrom ?? row.seq, row.seq, changed);
  }

  /** Records that are missing at the front must have been pruned, as a signed record says. */
  #findMissingFront(): AuditProblem | null {
    const row = this.#first;
    if (row === null) return null;
    if (row.seq === 1) return row.prev === GENESIS ? null : problemAt(1, 1, "changed: it names a record before it");
    const isPruned = this.#pruned?.seq === row.seq - 1 && this.#pruned.hash === row.prev;
    if (isPruned) return null;
    if (isRestart(row, this.#isSigned(row))) {
      this.#lost += row.seq - 1;
      return null;
    }
    return problemAt(1, row.seq - 1, "removed from the front, and no signed record says that they were pruned");
  }

  #findMissingEnd(isAnchorChanged: boolean): AuditProblem | null {
    const last = this.#last?.seq ?? 0;
    const anchor = this.#anchor;
    if (isAnchorChanged) return problemAt(last, last, "what the store remembers of the log was changed");
    if (anchor === null) {
      return this.#authenticated === 0
        ? null
        : problemAt(last, last, "the store remembers nothing of the log any more");
    }
    return anchor.seq > last ? problemAt(last + 1, anchor.seq, "removed from the end") : null;
  }
}

function isRestart({ action }: AuditRow, isSigned: boolean): boolean {
  return isSigned && action === "audit.restart";
}

function problemAt(seq: number, until: number, reason: string): AuditProblem {
  return { seq, until, reason };
}
