import { recordOperation } from "@autokestra/secrets/internal";
import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";
import { RUN_ARGUMENT, withRunHistory } from "../runs.ts";

export const command: CommandDefinition = defineCommand({
  declare: (parser) => parser.argument("<execution>", RUN_ARGUMENT),
  examples: ["autokestra runs cancel last", "autokestra runs cancel 0b9c2f3e --json"],
  run: cancelRun,
});

/** Cancels a waiting or running run of any process. It does not wait for its end. */
async function cancelRun(context: CommandContext, text: string): Promise<void> {
  const { terminal, place } = context;
  const [run, status] = await withRunHistory(context, async (history) => {
    const id = await history.find(text, { withQueued: true });
    const cancel = async () => await history.ledger.cancel(id, "user");
    return [id, await recordOperation(place, "run.cancel", cancel, { execution: id })];
  });
  if (terminal.json) return terminal.write(`${JSON.stringify({ execution: run, status })}\n`);
  const how: Partial<Record<typeof status, string>> = {
    cancelled: "is cancelled: it had not begun",
    running: `is being cancelled: \`autokestra runs logs ${run} --follow\` shows how it ends`,
    unknown: "was started on another host: it ends within seconds if its process is still there",
  };
  terminal.note(`Run ${run} ${how[status] ?? `is not running: it is ${status}, as before`}`);
}
