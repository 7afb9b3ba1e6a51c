import { type Command, Option } from "commander";
import type { CommandContext } from "./command-context.ts";

/** Adds `autokestra runs …`. */
export function addRunsCommands(program: Command, context: () => CommandContext): void {
  const runs = program.command("runs").description("what was run");

  runs
    .command("list")
    .description("list runs, the newest first")
    .option("--workflow <id>", "only those of this workflow")
    .addOption(new Option("--status <status>", "only those").choices(["success", "failed", "unfinished"]))
    .option("--limit <n>", "at most so many (50)")
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
