import type { Workflow } from "@autokestra/engine";
import type { LogEvent, RunEvent, RunSink } from "@autokestra/runs";
import { AutokestraError } from "@autokestra/secrets-core";
import { type CommandContext, type CommandDefinition, collect, defineCommand } from "../command.ts";
import { printError } from "../errors.ts";
import { EXIT, untilSignal } from "../exit.ts";
import type { LiveView } from "../output/live-view.ts";
import type { Terminal } from "../output/terminal.ts";
import { ignoreStreamErrors } from "../output/terminal.ts";
import { createLiveRunPrinter, createPrintWriter } from "../runs.ts";
import { withEngine } from "../secrets.ts";

interface RunOptions {
  readonly input?: readonly string[];
  /** `--no-env` makes it false. */
  readonly env: boolean;
  readonly failOnLeak?: boolean;
  /** `--no-live` makes it false. */
  readonly live: boolean;
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    parser
      .argument("<file>", "path of the workflow file")
      .option("--input <k=v>", "input of the workflow; may be repeated", collect)
      .option("--no-env", "no secrets from environment variables")
      .option("--fail-on-leak", "exit code 1 if a declared secret had to be masked")
      .option("--no-live", "plain lines on a terminal, too"),
  examples: ["autokestra run deploy.yaml", "autokestra run deploy.yaml --input environment=staging --json"],
  run: run,
});

/** Whether a source of secrets was replaced by another one. */
function isFallback(event: RunEvent): event is LogEvent {
  if (event.event !== "run.warning") return false;
  const { data } = event;
  return typeof data === "object" && data !== null && "fallback" in data;
}

/** Runs a workflow. Returns the exit code. */
async function run(context: CommandContext, file: string, options: RunOptions): Promise<number> {
  const given = parseInputs(options.input ?? []);
  const { collectInputs, loadWorkflow } = await import("../workflows.ts");
  const workflow = await loadWorkflow(file);
  const env = options.env ? process.env : {};
  const inputs = await collectInputs(workflow.workflow, given, { env, ask: asker(context.terminal) });
  warnOfShownInputs(context.terminal, workflow.workflow, given);
  ignoreStreamErrors();
  const view =
    options.live && mayDraw(context.terminal) ? await openLiveView(workflow.workflow, context.terminal) : null;
  const terminal = view?.terminal ?? context.terminal;
  const print = createLiveRunPrinter(terminal);
  const sink: RunSink = (event) => {
    view?.update(event);
    if (event.event === "run.finished") view?.end();
    print(event);
    // Shown even if nobody reads the log: the run uses another value than the one that was meant.
    if (isFallback(event)) terminal.warn(`warning: ${event.message}`);
  };
  const writePrint = createPrintWriter(terminal);
  // A plugin may still print after the run, so values stay masked until the process ends.
  const maskProcessOutput = {
    as: context.terminal.json ? ("log" as const) : ("text" as const),
    keepSeconds: Infinity,
    write: (stream: "stdout" | "stderr", bytes: Uint8Array) =>
      view === null ? writePrint(stream, bytes) : view.print(bytes),
  };
  const onUnrecorded = ({ message }: AutokestraError) =>
    terminal.warn(`warning: from here on this run is not recorded: ${message}`);
  const { result, signalExit } = await untilSignal(
    async (signal) =>
      await withEngine(
        { ...context, terminal },
        options.env ? undefined : false,
        async (engine) => await engine.run(workflow, { inputs, signal, sink, onUnrecorded, maskProcessOutput }),
      ),
  ).finally(() => view?.end());
  if (signalExit !== null) return signalExit;
  const { status, masked } = result;
  // Values that became secret during the run are expected in its output.
  const leaked = Object.keys(masked).filter((name) => workflow.workflow.secrets.includes(name));
  if (options.failOnLeak && leaked.length > 0) {
    const message = `The run would have shown these secrets, which were masked: ${leaked.join(", ")}`;
    return printError(new AutokestraError("SECRETS_MASKED", message), context.terminal);
  }
  return status === "success" ? EXIT.done : EXIT.failed;
}

/** Whether the terminal is one for people: users switch the view off by `--no-color`, NO_COLOR, TERM=dumb and CI. */
function mayDraw({ outputIsTty, color, json, quiet }: Terminal): boolean {
  const { TERM, CI } = process.env;
  return outputIsTty && color && !json && !quiet && TERM !== "dumb" && [undefined, "", "0", "false"].includes(CI);
}

async function openLiveView(workflow: Workflow, terminal: Terminal): Promise<LiveView> {
  const { createLiveView } = await import("../output/live-view.ts");
  const { stdout } = process;
  // `getWindowSize` asks the terminal: `columns` is only renewed where somebody listens.
  const size = (): readonly number[] => stdout.getWindowSize();
  return createLiveView(workflow, terminal, { columns: () => size()[0] || 80, rows: () => size()[1] || 24 });
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

function parseInputs(options: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    options.map((option) => {
      const at = option.indexOf("=");
      if (at < 1) throw new AutokestraError("USAGE", "--input takes NAME=VALUE");
      return [option.slice(0, at), option.slice(at + 1)];
    }),
  );
}
