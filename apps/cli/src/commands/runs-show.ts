import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";
import { createRunPrinter, RUN_ARGUMENT, withRunHistory } from "../runs.ts";

export const command: CommandDefinition = defineCommand({
  declare: (parser) => parser.argument("<execution>", RUN_ARGUMENT),
  examples: [
    "autokestra runs show 0b9c2f3e-8a41-4a53-9c56-2f9a0c1d7e88",
    "autokestra runs show 0b9c2f3e-8a41-4a53-9c56-2f9a0c1d7e88 --json",
  ],
  prints: true,
  run: showRun,
});

/** Prints the events of a run as `run` prints them. */
async function showRun(context: CommandContext, runId: string): Promise<void> {
  const events = await withRunHistory(context, async (history) => await history.events(await history.find(runId)));
  events.forEach(createRunPrinter(context.terminal));
}
