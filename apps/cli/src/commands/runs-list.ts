import { type ListedRun, listedAsQueued, type RunFilter } from "@autokestra/runs";
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
  const limit = parseWholeNumber("--limit", options.limit) ?? DEFAULT_LIMIT;
  const { status, workflow } = options;
  const runs = await withRunHistory(context, async (history): Promise<readonly ListedRun[]> => {
    if (status !== "queued") return await history.list({ workflow, status, limit });
    return (await history.queued.list(workflow)).slice(0, limit).map(listedAsQueued);
  });
  if (terminal.json) return terminal.write(`${JSON.stringify(runs)}\n`);
  if (runs.length === 0) return terminal.note("No runs found");
  await printTable(terminal, HEADER, runs.map(toRow));
}

function toRow({ execution, workflow, status, startedAt, durationMs, masked }: ListedRun): string[] {
  const names = Object.keys(masked).map(quoteText).join(",");
  return [execution, quoteText(workflow), status, startedAt ?? "", String(durationMs ?? ""), names];
}
