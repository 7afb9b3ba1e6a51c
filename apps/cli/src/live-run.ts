import type { Engine, EngineRunOptions, ParsedWorkflow } from "@autokestra/engine";
import type { LogEvent, RunEvent, RunFinished, RunSink } from "@autokestra/runs";
import { AutokestraError } from "@autokestra/secrets-core";
import { type CommandContext, collect, type Parser, parseWholeNumber } from "./command.ts";
import { printError } from "./errors.ts";
import { EXIT, untilSignal } from "./exit.ts";
import type { LiveView } from "./output/live-view.ts";
import { ignoreStreamErrors, type Terminal } from "./output/terminal.ts";
import { createLiveRunPrinter, createPrintWriter } from "./runs.ts";
import { withEngine } from "./secrets.ts";

/** The options of every command that runs a workflow. */
export interface LiveRunOptions {
  /** `--no-env` makes it false. */
  readonly env: boolean;
  readonly failOnLeak?: boolean;
  /** `--no-live` makes it false. */
  readonly live: boolean;
  readonly keepRuns?: string;
  readonly keepDays?: string;
}

/** Adds {@link LiveRunOptions}. */
export function addRunOptions(parser: Parser): Parser {
  return parser
    .option("--no-env", "no secrets from environment variables")
    .option("--fail-on-leak", "exit code 1 if a declared secret had to be masked")
    .option("--no-live", "plain lines on a terminal, too")
    .option("--keep-runs <n>", "number of newest runs that stay in the history [1000]")
    .option("--keep-days <n>", "number of days that runs stay in the history [no limit]");
}

/** Adds `--input`. */
export function addInputOption(parser: Parser): Parser {
  return parser.option("--input <k=v>", "input of the workflow; may be repeated", collect);
}

/** What an engine runs with here. */
export type LiveRun = Pick<EngineRunOptions, "signal" | "sink" | "onUnrecorded" | "maskProcessOutput">;

/**
 * Runs a workflow and prints what happens. Returns the exit code.
 *
 * @param start runs it, and tells which workflow it is
 */
export async function runLive(
  context: CommandContext,
  { env, failOnLeak = false, ...options }: LiveRunOptions,
  start: (engine: Engine, live: LiveRun, tell: (workflow: ParsedWorkflow) => void) => Promise<RunFinished>,
): Promise<number> {
  const view = options.live && mayDraw(context.terminal) ? await openLiveView(context.terminal) : null;
  const terminal = view?.terminal ?? context.terminal;
  const keep = {
    keepRuns: numberOf("--keep-runs", options.keepRuns),
    keepDays: numberOf("--keep-days", options.keepDays),
  };
  ignoreStreamErrors();
  const print = createLiveRunPrinter(terminal);
  const sink: RunSink = (event) => {
    view?.update(event);
    if (event.event === "run.finished") view?.end();
    print(event);
    // Always shown, because the run uses another value than the intended one.
    if (isFallback(event)) terminal.warn(`warning: ${event.message}`);
  };
  const writePrint = createPrintWriter(terminal);
  // A plugin may still print after the run, so values stay masked until the process ends.
  const maskProcessOutput = {
    as: terminal.json ? ("log" as const) : ("text" as const),
    keepSeconds: Infinity,
    write: (stream: "stdout" | "stderr", bytes: Uint8Array) =>
      view === null ? writePrint(stream, bytes) : view.print(bytes),
  };
  const onUnrecorded = ({ message }: AutokestraError) =>
    terminal.warn(`warning: from here on this run is not recorded: ${message}`);
  let declared: readonly string[] = [];
  const { result, signalExit } = await untilSignal(
    async (signal) =>
      await withEngine(
        { ...context, terminal },
        { environment: env ? undefined : false, keep },
        async (engine) =>
          await start(engine, { signal, sink, onUnrecorded, maskProcessOutput }, ({ workflow }) => {
            declared = workflow.secrets;
            view?.expect(workflow);
          }),
      ),
  ).finally(() => view?.end());
  if (signalExit !== null) return signalExit;
  const { status, masked } = result;
  // Values that became secret during the run are expected in its output.
  const leaked = Object.keys(masked).filter((name) => declared.includes(name));
  if (failOnLeak && leaked.length > 0) {
    const message = `The run would have shown these secrets, which were masked: ${leaked.join(", ")}`;
    return printError(new AutokestraError("SECRETS_MASKED", message), terminal);
  }
  return status === "success" ? EXIT.done : EXIT.failed;
}

/** Whether the terminal is one for people: users switch the view off by `--no-color`, NO_COLOR, TERM=dumb and CI. */
function mayDraw({ outputIsTty, color, json, quiet }: Terminal): boolean {
  const { TERM, CI } = process.env;
  return outputIsTty && color && !json && !quiet && TERM !== "dumb" && [undefined, "", "0", "false"].includes(CI);
}

async function openLiveView(terminal: Terminal): Promise<LiveView> {
  const { LiveView } = await import("./output/live-view.ts");
  const { stdout } = process;
  // `getWindowSize` asks the terminal: `columns` is updated only if there is a listener.
  const size = (): readonly number[] => stdout.getWindowSize();
  return new LiveView(terminal, { columns: () => size()[0] || 80, rows: () => size()[1] || 24 });
}

/** Parses the values of `--input`. */
export function parseInputs(options: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    options.map((option) => {
      const at = option.indexOf("=");
      if (at < 1) throw new AutokestraError("USAGE", "--input takes NAME=VALUE");
      return [option.slice(0, at), option.slice(at + 1)];
    }),
  );
}

function numberOf(option: string, text: string | undefined): number | undefined {
  const number = parseWholeNumber(option, text);
  if (number !== 0) return number;
  throw new AutokestraError("USAGE", `${option} takes a whole number from 1 on`);
}

/** Whether a source of secrets was replaced by another one. */
function isFallback(event: RunEvent): event is LogEvent {
  if (event.event !== "run.warning") return false;
  const { data } = event;
  return typeof data === "object" && data !== null && "fallback" in data;
}
