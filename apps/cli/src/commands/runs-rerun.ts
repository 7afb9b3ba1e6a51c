import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";
import { addInputOption, addRunOptions, type LiveRunOptions, parseInputs, runLive } from "../live-run.ts";
import { RUN_ARGUMENT } from "../runs.ts";

interface RerunOptions extends LiveRunOptions {
  readonly from?: string;
  readonly input?: readonly string[];
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    addRunOptions(addInputOption(parser.argument("<execution>", RUN_ARGUMENT))).option(
      "--from <task>",
      "first task to run: it runs with those that need it, and the others are taken from the earlier run",
    ),
  examples: ["autokestra runs rerun last", "autokestra runs rerun 0b9c2f3e --from deploy"],
  run: rerun,
});

/** Runs the workflow of an earlier run again, as a new run. Returns the exit code. */
async function rerun(
  context: CommandContext,
  run: string,
  { from, input = [], ...options }: RerunOptions,
): Promise<number> {
  const inputs = parseInputs(input);
  return await runLive(context, options, async (engine, live, onWorkflow) => {
    const onChanged = (message: string) => context.terminal.warn(`warning: ${message}`);
    return await engine.rerun(await engine.history.find(run), { ...live, from, inputs, onWorkflow, onChanged });
  });
}
