import { openRunHistory } from "@autokestra/engine";
import type { CommandContext } from "../command-context.ts";
import { createRunPrinter } from "../run-printer.ts";

/** Prints what a run printed, as it did then. */
export async function showRun({ terminal, runsPath }: CommandContext, execution: string): Promise<void> {
  const history = await openRunHistory({ path: runsPath });
  const events = history.events(execution);
  history.close();
  events.forEach(createRunPrinter(terminal));
}
