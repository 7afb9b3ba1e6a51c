import { plural } from "@autokestra/secrets-core/internal";
import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";
import { withAuditLog } from "../secrets.ts";

export const command: CommandDefinition = defineCommand({
  declare: (parser) => parser,
  examples: ["autokestra audit restart", "autokestra audit restart --json"],
  run: restartLog,
});

/** Continues a log that has lost its end. */
async function restartLog(context: CommandContext): Promise<void> {
  const { terminal } = context;
  const lost = await withAuditLog(context, async (log) => await log.restart());
  if (terminal.json) return terminal.write(`${JSON.stringify({ lost })}\n`);
  terminal.note(
    lost === 0
      ? "The audit log has its end: nothing was written"
      : `${plural(lost, "record")} of the audit log are lost. A signed record says so; secrets are given out again`,
  );
}
