import type { RunFilter, RunSummary } from "@autokestra/runs";
import { quoteText } from "@autokestra/secrets-core";
import type { CommandContext } from "../command-context.ts";
import { parseWholeNumber } from "../options.ts";
import { printTable } from "../print-table.ts";
import { withRunHistory } from "../run-history.ts";

export interface RunsListOptions {
  readonly workflow?: string;
  readonly status?: NonNullable<RunFilter["status"]>;
  readonly limit?: string;
}

const HEADER = ["EXECUTION", "WORKFLOW", "STATUS", "STARTED", "MS", "MASKED"];

/** Lists runs: a table for people, tab-separated for pipes, or JSON. */
export async function listRuns(context: CommandContext, options: RunsListOptions): Promise<void> {
  const { terminal } = context;
  const limit = options.limit === undefined ? undefined : parseWholeNumber("--limit", options.limit);
  const runs = await withRunHistory(context, (history) => history.list({ ...options, limit }));
  if (terminal.json) return terminal.write(`${JSON.stringify(runs)}\n`);
  if (runs.length === 0) return terminal.note("No runs found");
  await printTable(terminal, HEADER, runs.map(toRow));
}

function toRow({ execution, workflow, status, startedAt, durationMs, masked }: RunSummary): string[] {
  const names = Object.keys(masked).map(quoteText).join(",");
  return [execution, quoteText(workflow), status, startedAt, String(durationMs ?? ""), names];
}
