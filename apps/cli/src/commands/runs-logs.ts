import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";
import { untilSignal } from "../exit.ts";
import { createRunPrinter, RUN_ARGUMENT, withRunHistory } from "../runs.ts";

interface LogsOptions {
  readonly follow?: boolean;
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    parser
      .argument("<execution>", RUN_ARGUMENT)
      .option("--follow", "new events as they are recorded, until the run ends or Ctrl-C"),
  examples: ["autokestra runs logs last --follow", "autokestra runs logs 0b9c2f3e --json"],
  prints: true,
  run: printLogs,
});

/** Prints the events of a run, and with --follow those to come. Returns the exit code. */
async function printLogs(
  context: CommandContext,
  text: string,
  { follow = false }: LogsOptions,
): Promise<number | undefined> {
  return await withRunHistory(context, async (history) => {
    const run = await history.find(text);
    const print = createRunPrinter(context.terminal);
    if (!follow) {
      (await history.events(run)).forEach(print);
      return undefined;
    }
    const { signalExit } = await untilSignal(async (signal) => {
      for await (const event of history.ledger.events(run, 0, signal)) print(event);
    });
    if (signalExit !== null) return signalExit;
    const isLost = (await history.list({ id: run, status: "lost" })).length > 0;
    if (isLost) context.terminal.note("the run is lost: its process no longer runs");
    return undefined;
  });
}
