import { AutokestraError } from "@autokestra/secrets-core";
import { plural } from "@autokestra/secrets-core/internal";
import type { Finding } from "../doctor.ts";
import type { SecretsManager } from "../manager.ts";
import type { AuditLog, AuditReport } from "./audit-event.ts";

/**
 * Tells how the audit log is doing: whether it is on, how many records it has, whether nobody has changed them, and when the store was
 * last told where it ends. Reads the whole log.
 */
export async function diagnoseAudit({ audit }: Pick<SecretsManager, "audit">): Promise<Finding> {
  if (audit === null) return finding("ok", "off: nobody can tell afterwards what was read or changed");
  try {
    const report = await audit.verify();
    if (report.problem !== null) return broken(report.problem);
    if (report.records === 0) return finding("ok", "on, no records yet");
    return finding(
      "ok",
      [`on, ${plural(report.records, "record")}: verified`, await describeAnchor(audit, report)].join("; "),
    );
  } catch (error) {
    if (!(error instanceof AutokestraError)) throw error;
    const { code, message, hint = null } = error;
    // What is wrong with the key is a finding of its own.
    if (code.startsWith("KEY_")) return finding("warning", "on, and cannot be verified without the key");
    return { status: "failure", subject: "audit", code, message: `on, and cannot be verified: ${message}`, hint };
  }
}

async function describeAnchor(audit: AuditLog, { anchoredAt, last }: AuditReport): Promise<string> {
  if (anchoredAt === null) return "the store remembers none of them yet";
  const which = anchoredAt === last ? "the last one" : `record ${anchoredAt} of ${last}`;
  for await (const { seq, time } of audit.records({ after: anchoredAt - 1, limit: 1 })) {
    // The moment of the record, which the anchor follows within seconds.
    if (seq === anchoredAt) return `the store remembers ${which}, of ${age(Date.now() - Date.parse(time))} ago`;
  }
  return `the store remembers ${which}`;
}

const UNITS = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
] as const;

/** @param ms negative where the clock was put back */
function age(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const [unit, size] = UNITS.find(([, length]) => seconds >= 2 * length) ?? ["second", 1];
  return plural(Math.floor(seconds / size), unit);
}

function broken({ seq, until, reason }: NonNullable<AuditReport["problem"]>): Finding {
  const which = seq === until ? `record ${seq}` : `one of the records ${seq} to ${until}`;
  return {
    status: "failure",
    subject: "audit",
    code: "INTEGRITY_FAILED",
    message: `on, and does not verify: ${which}: ${reason}`,
    hint: "Keep a copy of access.db as it is, and compare it with your second sink or a backup.",
  };
}

function finding(status: "ok" | "warning", message: string): Finding {
  return { status, subject: "audit", code: null, message, hint: null };
}
