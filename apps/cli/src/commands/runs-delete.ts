import { AutokestraError } from "@autokestra/secrets-core";
import { plural } from "@autokestra/secrets-core/internal";
import { parseSince } from "../audit.ts";
import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";
import { checkCanAsk } from "../confirmation.ts";
import { USE_HINTS } from "../hints.ts";
import { RUN_ARGUMENT, withRunHistory } from "../runs.ts";

interface DeleteOptions {
  readonly olderThan?: string;
  readonly force?: boolean;
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    parser
      .argument("[executions...]", RUN_ARGUMENT)
      .option(
        "--older-than <when>",
        "age or date: all runs that were started before (30d, `2 hours`, 2027-01-31), but no running one",
      )
      .option("-f, --force", "no confirmation"),
  examples: ["autokestra runs delete last", "autokestra runs delete --older-than 30d --force"],
  run: deleteRuns,
});

/** Removes runs from the history with their events and what is kept of them, after asking. */
async function deleteRuns(
  context: CommandContext,
  texts: readonly string[],
  { olderThan, force = false }: DeleteOptions,
): Promise<void> {
  const { terminal } = context;
  if ((texts.length === 0) === (olderThan === undefined)) {
    throw new AutokestraError("USAGE", "Give either the ids of runs, or --older-than");
  }
  const before = olderThan === undefined ? null : new Date(parseSince(olderThan, "--older-than"));
  if (!force) checkCanAsk(terminal, "delete runs", USE_HINTS.force);
  await withRunHistory(context, async (history) => {
    // All are found before one is removed.
    const ids = [...new Set(await Promise.all(texts.map(async (text) => await history.find(text))))];
    if (!force) {
      const { confirmOrExit } = await import("../input/prompt.ts");
      const what = before === null ? plural(ids.length, "run") : `all runs before ${before.toISOString()}`;
      if (!(await confirmOrExit(`Delete ${what} with all events?`))) return terminal.note("Nothing was deleted");
    }
    const count = before === null ? ids.length : await history.removeBefore(before);
    if (before === null) await history.remove(ids);
    if (terminal.json) terminal.write(`${JSON.stringify({ deleted: count })}\n`);
    else terminal.note(`${plural(count, "run")} deleted`);
  });
}
