import { openRunHistory, type RunHistory, type RunSink } from "@autokestra/engine";
import { AutokestraError } from "@autokestra/secrets-core";
import type { CommandContext } from "./command-context.ts";

/**
 * Opens the run history for as long as `use` takes.
 *
 * @param workflow the id of the workflow that is run
 * @param use gets a sink that records a run. What goes wrong there is said once, and does not stop the run
 */
export async function withRunRecorder<T>(
  { terminal, runsPath }: CommandContext,
  workflow: string,
  use: (record: RunSink) => Promise<T>,
): Promise<T> {
  let history: RunHistory | null = null;
  let recorder: RunSink | null = null;

  /** @throws what is not about the history */
  function giveUp(error: unknown): void {
    if (!(error instanceof AutokestraError)) throw error;
    recorder = null;
    terminal.warn(`warning: this run is not recorded: ${error.message}`);
  }

  function record(event: Parameters<RunSink>[0]): void {
    try {
      recorder?.(event);
    } catch (error) {
      giveUp(error);
    }
  }

  try {
    history = await openRunHistory({ path: runsPath });
    recorder = history.recorder(workflow);
  } catch (error) {
    giveUp(error);
  }
  try {
    return await use(record);
  } finally {
    history?.close();
  }
}
