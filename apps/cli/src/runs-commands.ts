import { type Command, Option } from "commander";
import type { CommandContext } from "./command-context.ts";

const STATUSES = ["success", "failed", "cancelled", "running", "lost", "unknown", "unfinished"];

/** Adds `autokestra runs …`. */
export function addRunsCommands(program: Command, context: () => CommandContext): void {
  const runs = program.command("runs").description("look at past runs");

  runs
    .command("list")
    .alias("ls")
    .description("list runs, the newest first")
    .option("--workflow <id>", "only runs of this workflow")
    .addOption(new Option("--status <status>", "only runs in this state").choices(STATUSES))
    .option("--limit <n>", "maximum number of runs (default: 50)")
    .action(async (options) => {
      const { listRuns } = await import("./commands/runs-list.ts");
      await listRuns(context(), options);
    });

  runs
    .command("show")
    .description("print the events of a run")
    .argument("<execution>")
    .action(async (execution: string) => {
      const { showRun } = await import("./commands/runs-show.ts");
      await showRun(context(), execution);
    });
}
