import { openRunHistory, type RunHistory } from "@autokestra/runs";
import { runsFile } from "@autokestra/secrets";
import type { CommandContext } from "./command-context.ts";

/** Opens the run history for as long as `use` takes. A file of its own: most commands start without it. */
export async function withRunHistory<T>(
  { runsPath, place }: CommandContext,
  use: (history: RunHistory) => T | Promise<T>,
): Promise<T> {
  const history = await openRunHistory({ path: runsPath ?? runsFile(place) });
  try {
    return await use(history);
  } finally {
    await history.close();
  }
}
