import { auditStatistics } from "@autokestra/secrets";
import { quoteText } from "@autokestra/secrets-core/internal";
import { parseSince, SINCE } from "../audit.ts";
import { type CommandContext, type CommandDefinition, choiceOption, defineCommand } from "../command.ts";
import { printTable } from "../output/table.ts";
import { withAuditLog } from "../secrets.ts";

interface AuditStatsOptions {
  readonly by?: "secret" | "actor";
  readonly since?: string;
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    parser
      .addOption(choiceOption(parser, "--by <what>", "subject of the count [secret]", ["secret", "actor"]))
      .option("--since <when>", SINCE),
  examples: ["autokestra audit stats --by secret --since 30d", "autokestra audit stats --by actor --json"],
  prints: true,
  run: countRecords,
});

async function countRecords(context: CommandContext, { by = "secret", since }: AuditStatsOptions): Promise<void> {
  const { terminal } = context;
  const filter = { since: since === undefined ? undefined : parseSince(since) };
  const counts = await withAuditLog(context, async (log) => await auditStatistics(log.records(filter), by));
  if (terminal.json) return terminal.write(`${JSON.stringify(counts)}\n`);
  if (counts.length === 0) return terminal.note("No records found");
  const header = [by.toUpperCase(), "READS", "CHANGES", "REFUSED", "LAST"];
  const rows = counts.map(({ name, reads, changes, refused, last }) => [
    quoteText(name ?? "-"),
    String(reads),
    String(changes),
    String(refused),
    last,
  ]);
  await printTable(terminal, header, rows);
}
