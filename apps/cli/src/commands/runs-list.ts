import type { RunFilter, RunHistory, RunSummary } from "@autokestra/runs";
import { quoteText } from "@autokestra/secrets-core/internal";
import { type CommandContext, type CommandDefinition, defineCommand, parseWholeNumber } from "../command.ts";
import { printTable } from "../output/table.ts";
import { withRunHistory } from "../runs.ts";

interface RunsListOptions {
  readonly workflow?: string;
  readonly status?: NonNullable<RunFilter["status"]> | "queued";
  readonly limit?: string;
}

const STATUSES = ["queued", "success", "failed", "cancelled", "running", "lost", "unknown", "unfinished"];

const DEFAULT_LIMIT = 50;

const HEADER = ["EXECUTION", "WORKFLOW", "STATUS", "STARTED", "MS", "MASKED"];

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    parser
      .option("--workflow <id>", "id of the workflow")
      .addOption(parser.createOption("--status <status>", "state of the runs").choices(STATUSES))
      .option("--limit <n>", `maximum number of runs [${DEFAULT_LIMIT}]`),
  examples: ["autokestra runs list --workflow deploy --status failed", "autokestra runs list --limit 200 --json"],
  prints: true,
  run: listRuns,
});

/** Lists runs: a table for people, tab-separated for pipes, or JSON. */
async function listRuns(context: CommandContext, options: RunsListOptions): Promise<void> {
  const { terminal } = context;
  const limit = options.limit === undefined ? DEFAULT_LIMIT : parseWholeNumber("--limit", options.limit);
  const { status, workflow } = options;
  const runs = await withRunHistory(context, (history) =>
    status === "queued" ? listQueued(history, workflow, limit) : history.list({ workflow, status, limit }),
  );
  if (terminal.json) return terminal.write(`${JSON.stringify(runs)}\n`);
  if (runs.length === 0) return terminal.note("No runs found");
  await printTable(terminal, HEADER, runs.map(toRow));
}

/** A run as it is listed, also one that waits on a server. */
type ListedRun = Omit<RunSummary, "status" | "startedAt"> & {
  readonly status: RunSummary["status"] | "queued";
  readonly startedAt: string | null;
};

/** Runs that wait on servers, in their order. */
async function listQueued(
  { queued }: RunHistory,
  workflow: string | undefined,
  limit: number,
): Promise<readonly ListedRun[]> {
  const unknown = { cancelledBy: null, startedAt: null, finishedAt: null, durationMs: null, masked: {} };
  const runs = (await queued.list(workflow)).slice(0, limit);
  return runs.map(({ id, workflow: of }) => ({ execution: id, workflow: of, status: "queued", ...unknown }));
}

function toRow({ execution, workflow, status, startedAt, durationMs, masked }: ListedRun): string[] {
  const names = Object.keys(masked).map(quoteText).join(",");
  return [execution, quoteText(workflow), status, startedAt ?? "", String(durationMs ?? ""), names];
}
