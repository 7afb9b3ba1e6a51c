import type { AuditReport } from "@autokestra/secrets";
import { plural } from "@autokestra/secrets-core/internal";
import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";
import { EXIT } from "../exit.ts";
import { withAuditLog } from "../secrets.ts";

export const command: CommandDefinition = defineCommand({
  declare: (parser) => parser,
  examples: ["autokestra audit verify", "autokestra audit verify --json"],
  prints: true,
  run: verifyLog,
});

/** Checks the whole log. Returns the exit code: 4 if it was changed. */
async function verifyLog(context: CommandContext): Promise<number> {
  const { terminal } = context;
  const report = await withAuditLog(context, async (log) => await log.verify());
  if (terminal.json) terminal.write(`${JSON.stringify(report)}\n`);
  else for (const line of describe(report)) terminal.write(`${line}\n`);
  return report.problem === null ? EXIT.done : EXIT.integrity;
}

function describe({ records, first, last, uncovered, lost, anchoredAt, problem }: AuditReport): string[] {
  if (problem !== null) {
    const { seq, until, reason } = problem;
    const which = seq === until ? `record ${seq}` : `one of the records ${seq} to ${until}`;
    return [`FAILED  ${which}: ${reason}`];
  }
  if (records === 0) return ["ok  there are no records"];
  return [
    `ok  ${plural(records, "record")}, ${first} to ${last}: none was changed, removed or put in`,
    ...(lost === 0 ? [] : [`note  ${plural(lost, "record")} of before are lost: a signed record says so`]),
    ...(uncovered === 0
      ? []
      : [
          `note  ${plural(uncovered, "record")} at the end, written without the key, could have been put in by anybody`,
        ]),
    ...(anchoredAt === last ? [] : [`note  records after ${anchoredAt ?? 0} could have been cut off without a trace`]),
  ];
}
