import { setTimeout } from "node:timers/promises";
import type { AuditFilter, AuditLog, AuditRecord } from "@autokestra/secrets";
import { AUDIT_COLUMNS, type AuditFilterOptions, addAuditFilter, toAuditFilter, toAuditRow } from "../audit.ts";
import { type CommandContext, type CommandDefinition, defineCommand, parseWholeNumber } from "../command.ts";
import { untilSignal } from "../exit.ts";
import { printTable } from "../output/table.ts";
import type { Terminal } from "../output/terminal.ts";
import { withAuditLog } from "../secrets.ts";

interface AuditListOptions extends AuditFilterOptions {
  readonly limit?: string;
  readonly follow?: boolean;
}

/** How often the log is looked at for new records, in milliseconds. */
const FOLLOW_MS = 500;

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    addAuditFilter(parser)
      .option("--limit <n>", "maximum number of records, the newest ones [100]")
      .option("--follow", "new records as they are written, until Ctrl-C"),
  examples: ["autokestra audit list --secret DB --since 7d", "autokestra audit list --follow --json"],
  prints: true,
  run: listRecords,
});

/** Lists records: a table for people, tab-separated for pipes, or JSON; with --follow one a line. Returns the exit code. */
async function listRecords(
  context: CommandContext,
  { limit: count, follow = false, ...options }: AuditListOptions,
): Promise<number | undefined> {
  const { terminal } = context;
  const filter = toAuditFilter(options);
  const limit = parseWholeNumber("--limit", count) ?? 100;
  return await withAuditLog(context, async (log) => {
    const records: AuditRecord[] = [];
    for await (const record of log.records({ ...filter, limit, newest: true })) records.push(record);
    if (!follow) {
      await printRecords(terminal, records);
      return undefined;
    }
    for (const record of records) printLine(terminal, record);
    // Records that do not pass the filter count, too: they are not read again.
    const last = await lastSeq(log);
    const { signalExit } = await untilSignal(
      async (signal) => await followLog(terminal, log, { filter, last }, signal),
    );
    return signalExit ?? undefined;
  });
}

async function printRecords(terminal: Terminal, records: readonly AuditRecord[]): Promise<void> {
  if (terminal.json) return terminal.write(`${JSON.stringify(records)}\n`);
  if (records.length === 0) return terminal.note("No records found");
  await printTable(terminal, AUDIT_COLUMNS, records.map(toAuditRow));
}

async function lastSeq(log: AuditLog): Promise<number> {
  for await (const { seq } of log.records({ limit: 1, newest: true })) return seq;
  return 0;
}

async function followLog(
  terminal: Terminal,
  log: AuditLog,
  { filter, last }: { readonly filter: AuditFilter; readonly last: number },
  signal: AbortSignal,
): Promise<void> {
  let after = last;
  while (!signal.aborted) {
    for await (const record of log.records({ ...filter, after })) {
      printLine(terminal, record);
      after = record.seq;
    }
    await setTimeout(FOLLOW_MS, undefined, { signal }).catch(() => undefined);
  }
}

function printLine(terminal: Terminal, record: AuditRecord): void {
  terminal.write(`${terminal.json ? JSON.stringify(record) : toAuditRow(record).join("\t")}\n`);
}
