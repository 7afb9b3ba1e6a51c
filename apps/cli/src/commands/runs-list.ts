import { openRunHistory, type RunStatus, type RunSummary } from "@autokestra/engine";
import type { CommandContext } from "../command-context.ts";
import { parseWholeNumber } from "../options.ts";
import { printTable } from "../print-table.ts";

export interface RunsListOptions {
  readonly workflow?: string;
  readonly status?: RunStatus;
  readonly limit?: string;
}

const HEADER = ["EXECUTION", "WORKFLOW", "STATUS", "STARTED", "MS", "MASKED"];

/** Lists runs: a table for people, tab-separated for pipes, or JSON. */
export async function listRuns({ terminal, runsPath }: CommandContext, options: RunsListOptions): Promise<void> {
  const limit = options.limit === undefined ? undefined : parseWholeNumber("--limit", options.limit);
  const history = await openRunHistory({ path: runsPath });
  const runs = history.list({ ...options, limit });
  history.close();
  if (terminal.json) return terminal.write(`${JSON.stringify(runs)}\n`);
  if (runs.length === 0) return terminal.note("No runs found");
  await printTable(terminal, HEADER, runs.map(toRow));
}

function toRow({ execution, workflow, status, startedAt, durationMs, masked }: RunSummary): string[] {
  return [execution, workflow, status, startedAt, String(durationMs ?? ""), Object.keys(masked).join(",")];
}
