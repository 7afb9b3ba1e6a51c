import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";
import { addRunOptions, type LiveRunOptions, runLive } from "../live-run.ts";
import { RUN_ARGUMENT } from "../runs.ts";

interface ResumeOptions extends LiveRunOptions {
  readonly force?: boolean;
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    addRunOptions(parser.argument("<execution>", RUN_ARGUMENT)).option(
      "-f, --force",
      "consent to go on with a run that may still be running on another host",
    ),
  examples: ["autokestra runs resume last", "autokestra runs resume 0b9c2f3e --json"],
  run: resumeRun,
});

/** Resumes a run after its last finished task. Returns the exit code. */
async function resumeRun(context: CommandContext, run: string, { force, ...options }: ResumeOptions): Promise<number> {
  return await runLive(context, options, async (engine, live, onWorkflow) => {
    const onChanged = (message: string) => context.terminal.warn(`warning: ${message}`);
    return await engine.resume(await engine.history.find(run), { ...live, force, onWorkflow, onChanged });
  });
}
