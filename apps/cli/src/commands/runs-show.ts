import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";
import { createRunPrinter, withRunHistory } from "../runs.ts";

export const command: CommandDefinition = defineCommand({
  declare: (parser) => parser.argument("<execution>"),
  examples: [],
  prints: true,
  run: showRun,
});

/** Prints the events of a run as `run` prints them. */
async function showRun(context: CommandContext, execution: string): Promise<void> {
  const events = await withRunHistory(context, (history) => history.events(execution));
  events.forEach(createRunPrinter(context.terminal));
}
