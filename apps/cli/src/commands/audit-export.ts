import { CSV_HEADER, toCsv } from "@autokestra/secrets";
import { type AuditFilterOptions, addAuditFilter, toAuditFilter } from "../audit.ts";
import { type CommandContext, type CommandDefinition, choiceOption, defineCommand } from "../command.ts";
import { standardOutput } from "../output/terminal.ts";
import { withAuditLog } from "../secrets.ts";

interface AuditExportOptions extends AuditFilterOptions {
  readonly format?: "jsonl" | "csv";
}

/** How much output may wait for a slow reader, in bytes. */
const MAX_UNREAD = 1024 * 1024;

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    addAuditFilter(parser).addOption(
      choiceOption(parser, "--format <format>", "format of the records [jsonl]", ["jsonl", "csv"]),
    ),
  examples: [
    "autokestra audit export --format csv --since 2027-01-01 > audit.csv",
    "autokestra audit export --secret DB > audit.jsonl",
  ],
  prints: true,
  run: exportRecords,
});

/** Prints every record. No cell of the CSV is a formula to a spreadsheet. */
async function exportRecords(
  context: CommandContext,
  { format = "jsonl", ...options }: AuditExportOptions,
): Promise<void> {
  const { terminal } = context;
  const filter = toAuditFilter(options);
  await withAuditLog(context, async (log) => {
    if (format === "csv") terminal.write(CSV_HEADER);
    for await (const record of log.records(filter)) {
      terminal.write(format === "csv" ? toCsv(record) : `${JSON.stringify(record)}\n`);
      if (terminal.unread() > MAX_UNREAD) await standardOutput().drained();
    }
  });
}
