import type { AuditRecord } from "./audit-event.ts";

/** What was done to one secret, or by one actor. */
export interface AuditStatistics {
  /** The name of the secret or the id of the actor; null for records that have none. */
  readonly name: string | null;
  readonly reads: number;
  readonly changes: number;
  /** Attempts that were refused or failed. */
  readonly refused: number;
  /** When the last of them was. */
  readonly last: string;
}

const READS: ReadonlySet<string> = new Set(["read", "describe", "run.resolve"]);

/** Counts records by secret or by actor, those with the most reads first. An intent counts for nothing: its outcome does. */
export async function auditStatistics(
  records: AsyncIterable<AuditRecord>,
  by: "secret" | "actor",
): Promise<readonly AuditStatistics[]> {
  const counts = new Map<string | null, AuditStatistics>();
  for await (const { actor, secret, action, outcome, time } of records) {
    if (outcome === "intent" || (by === "secret" && secret === null)) continue;
    const name = by === "secret" ? (secret?.name ?? null) : actor.id;
    const { reads = 0, changes = 0, refused = 0 } = counts.get(name) ?? {};
    const kind = outcome !== "done" ? "refused" : READS.has(action) ? "read" : "change";
    counts.set(name, {
      name,
      reads: reads + (kind === "read" ? 1 : 0),
      changes: changes + (kind === "change" ? 1 : 0),
      refused: refused + (kind === "refused" ? 1 : 0),
      last: time,
    });
  }
  return [...counts.values()].toSorted((a, b) => b.reads - a.reads || b.changes - a.changes || b.refused - a.refused);
}

const CSV_COLUMNS: Readonly<Record<string, (record: AuditRecord) => string | number | null | undefined>> = {
  seq: ({ seq }) => seq,
  time: ({ time }) => time,
  actor_kind: ({ actor }) => actor.kind,
  actor_id: ({ actor }) => actor.id,
  actor_address: ({ actor }) => actor.address,
  action: ({ action }) => action,
  secret_name: ({ secret }) => secret?.name,
  secret_id: ({ secret }) => secret?.id,
  secret_version: ({ secret }) => secret?.version,
  secret_fields: ({ secret }) => secret?.fields.join(" "),
  outcome: ({ outcome }) => outcome,
  source: ({ source }) => source,
  request_id: ({ requestId }) => requestId,
  execution: ({ execution }) => execution,
  prev: ({ prev }) => prev,
  mac: ({ mac }) => mac,
};

/** The first line of a CSV file of records, with its end. */
export const CSV_HEADER: string = `${Object.keys(CSV_COLUMNS).join(",")}\r\n`;

/** One record as a line of CSV (RFC 4180), with its end. No cell is a formula to a spreadsheet: one that could be begins with `'`. */
export function toCsv(record: AuditRecord): string {
  const cells = Object.values(CSV_COLUMNS).map((read) => toCell(String(read(record) ?? "")));
  return `${cells.join(",")}\r\n`;
}

/** See https://owasp.org/www-community/attacks/CSV_Injection. Spaces before a formula do not keep it from being one. */
function toCell(text: string): string {
  const guarded = /^\s*[=+\-@\t\r\n|%]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded;
}
