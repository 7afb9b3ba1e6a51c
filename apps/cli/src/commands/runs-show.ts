import type { CommandContext } from "../command-context.ts";
import { withRunHistory } from "../run-history.ts";
import { createRunPrinter } from "../run-printer.ts";

/** Prints the events of a run as `run` prints them. */
export async function showRun(context: CommandContext, execution: string): Promise<void> {
  const events = await withRunHistory(context, (history) => history.events(execution));
  events.forEach(createRunPrinter(context.terminal));
}
