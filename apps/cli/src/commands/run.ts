import type { Workflow } from "@autokestra/engine";
import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";
import { addInputOption, addRunOptions, type LiveRunOptions, parseInputs, runLive } from "../live-run.ts";
import type { Terminal } from "../output/terminal.ts";

interface RunOptions extends LiveRunOptions {
  readonly input?: readonly string[];
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) => addRunOptions(addInputOption(parser.argument("<file>", "path of the workflow file"))),
  examples: ["autokestra run deploy.yaml", "autokestra run deploy.yaml --input environment=staging --json"],
  run: run,
});

/** Runs a workflow. Returns the exit code. */
async function run(context: CommandContext, file: string, { input = [], ...options }: RunOptions): Promise<number> {
  const given = parseInputs(input);
  const { collectInputs, loadWorkflow } = await import("../workflows.ts");
  const workflow = await loadWorkflow(file);
  const env = options.env ? process.env : {};
  const inputs = await collectInputs(workflow.workflow, given, { env, ask: asker(context.terminal) });
  warnOfShownInputs(context.terminal, workflow.workflow, given);
  return await runLive(context, options, async (engine, live, tell) => {
    tell(workflow);
    return await engine.run(workflow, { ...live, inputs });
  });
}

/** Returns a function that asks for a secret input; undefined without a terminal. */
function asker({ inputIsTty }: Terminal): ((name: string) => Promise<string>) | undefined {
  if (!inputIsTty) return undefined;
  return async (name) => {
    const { askSecret } = await import("../input/prompt.ts");
    return await askSecret(`Input '${name}' (not shown)`);
  };
}

function warnOfShownInputs(terminal: Terminal, workflow: Workflow, given: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(given).filter((input) => workflow.inputs[input]?.secret === true)) {
    terminal.warn(
      `warning: input '${name}' is secret: the process list and the shell history can show what is given by --input`,
    );
  }
}
