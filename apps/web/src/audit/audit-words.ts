import type { ApiAuditReport, AuditAction } from "@autokestra/server/answers";
import { countOf } from "../components/format.ts";
import type { Tone } from "../components/messages.tsx";

/** What was done, as people say it. */
export const ACTIONS: Readonly<Record<AuditAction, string>> = {
  read: "Read a value",
  describe: "Looked at a secret",
  list: "Listed secrets",
  create: "Created a secret",
  update: "Changed a secret",
  set: "Set a value",
  edit: "Edited a secret",
  rename: "Renamed a secret",
  delete: "Deleted a secret",
  purge: "Purged a secret",
  restore: "Restored a secret",
  rollback: "Rolled a secret back",
  import: "Imported secrets",
  backup: "Made a backup",
  "restore-backup": "Restored a backup",
  migrate: "Moved the store",
  refused: "Was refused",
  "keys.rotate": "Rotated a key",
  "keys.import": "Imported a key",
  "keys.export": "Exported a key",
  "tokens.create": "Created a token",
  "tokens.revoke": "Revoked a token",
  "tokens.use": "Used a token",
  "run.start": "Started a run",
  "run.resolve": "Used a secret in a run",
  "run.end": "Ended a run",
  "run.cancel": "Cancelled a run",
  "audit.prune": "Pruned the audit log",
  "audit.restart": "Began the audit log again",
};

export function describeAction(action: string): string {
  return action in ACTIONS ? ACTIONS[action as AuditAction] : action;
}

/** How it went, as people say it. `error` stands for any code of an error, where records are looked for. */
export const OUTCOMES: Readonly<Record<string, readonly [Tone, string]>> = {
  intent: ["plain", "Intended"],
  done: ["good", "Done"],
  refused: ["bad", "Refused"],
  failed: ["bad", "Failed"],
  cancelled: ["warn", "Cancelled"],
  error: ["bad", "An error"],
};

/** Other outcomes are codes of errors. */
export function describeOutcome(outcome: string): readonly [Tone, string] {
  return OUTCOMES[outcome] ?? ["bad", outcome];
}

/** What a check of the whole log has found, one sentence each: the first one says whether it is as it was written. */
export function describeReport(report: ApiAuditReport): readonly string[] {
  const { records, first, last, uncovered, lost, anchoredAt, problem } = report;
  if (problem !== null) {
    const { seq, until, reason } = problem;
    const which = seq === until ? `Record ${seq}` : `One of the records ${seq} to ${until}`;
    return [
      `The log is not as it was written. ${which}: ${reason}.`,
      "Keep a copy of the database before you do anything else: it shows what was done to it.",
    ];
  }
  if (records === 0) return ["The log has no records yet."];
  return [
    `The log is as it was written: ${countOf(records, "record")}, ${first} to ${last}, and none was changed, removed or put in.`,
    ...(lost === 0 ? [] : [`${countOf(lost, "record")} from before are lost. A signed record says so.`]),
    ...(uncovered === 0
      ? []
      : [`${countOf(uncovered, "record")} at the end were written without the key: anybody could have put them in.`]),
    ...(anchoredAt === last ? [] : [`Records after ${anchoredAt ?? 0} could have been cut off without a trace.`]),
  ];
}
