import { AutokestraError, hasCode } from "@autokestra/secrets-core";
import { plural } from "@autokestra/secrets-core/internal";
import type { Finding } from "../doctor.ts";
import type { SecretsManager } from "../manager.ts";
import type { AuditLog, AuditReport } from "./audit-event.ts";

const OFF = "off: reads and changes are not recorded";

/**
 * Tells how the audit log is doing: whether it is on, how many records it has, whether nobody has changed them, and when the store was
 * last remembered where it ends. Reads the whole log, even if it is off here: a server, or others, may write it.
 */
export async function diagnoseAudit(manager: SecretsManager): Promise<Finding> {
  const { audit, location, store, keys } = manager;
  if (audit !== null) return await diagnoseLog(audit, "on", "on, no records yet");
  if (location.kind === "url") return finding("ok", OFF);
  const { openAuditLog } = await import("./audit-log.ts");
  try {
    const log = await openAuditLog({ folder: location.path, store, keys });
    const found = await diagnoseLog(log, "off here, though the store remembers a log", OFF);
    await log.close();
    return found;
  } catch (error) {
    // Without SQLite there is no log.
    if (!hasCode(error, "ACCESS_UNAVAILABLE")) throw error;
    return finding("ok", OFF);
  }
}

async function diagnoseLog(audit: AuditLog, state: string, ofNone: string): Promise<Finding> {
  try {
    const report = await audit.verify();
    if (report.problem !== null) return broken(state, report.problem);
    if (report.records === 0) return finding("ok", ofNone);
    const count = `${state}, ${plural(report.records, "record")}: verified`;
    return finding("ok", `${count}; ${await describeAnchor(audit, report)}`);
  } catch (error) {
    if (!(error instanceof AutokestraError)) throw error;
    const { code, message, hint = null } = error;
    // What is wrong with the key is a finding of its own.
    if (code.startsWith("KEY_")) return finding("warning", `${state}, and cannot be verified without the key`);
    return { status: "failure", subject: "audit", code, message: `${state}, and cannot be verified: ${message}`, hint };
  }
}

async function describeAnchor(audit: AuditLog, { anchoredAt, last }: AuditReport): Promise<string> {
  if (anchoredAt === null || anchoredAt === 0) return "the store remembers none of them yet";
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

function broken(state: string, { seq, until, reason }: NonNullable<AuditReport["problem"]>): Finding {
  const which = seq === until ? `record ${seq}` : `one of the records ${seq} to ${until}`;
  return {
    status: "failure",
    subject: "audit",
    code: "INTEGRITY_FAILED",
    message: `${state}, and does not verify: ${which}: ${reason}`,
    hint: reason.startsWith("removed from the end")
      ? "Put access.db back where it was removed or replaced: no value is given out until then."
      : "Keep a copy of access.db as it is, and compare it with your second sink or a backup.",
  };
}

function finding(status: "ok" | "warning", message: string): Finding {
  return { status, subject: "audit", code: null, message, hint: null };
}
