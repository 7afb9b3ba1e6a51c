import { Command, CommanderError } from "commander";
import manifest from "../package.json" with { type: "json" };
import type { CommandContext } from "./command-context.ts";
import { EXIT } from "./exit-code.ts";
import { finishOutput, tellLostOutput } from "./finish-output.ts";
import { withExamples } from "./help-examples.ts";
import { addKeysCommands } from "./keys-commands.ts";
import { choiceOption, collect } from "./options.ts";
import { standardOutput } from "./output.ts";
import { printError } from "./print-error.ts";
import type { ProgramState } from "./program-state.ts";
import { addRunsCommands } from "./runs-commands.ts";
import { addSecretsCommands } from "./secrets-commands.ts";
import { createTerminal } from "./terminal.ts";
import { exitOnSignals, signalExitOr } from "./until-signal.ts";
import { misplacedVersion, usageError } from "./usage-error.ts";

const DRIVERS = ["auto", "sqlite", "file"];

interface GlobalOptions {
  readonly version?: true;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly color: boolean;
  readonly storagePath?: string;
  readonly storageBackend?: string;
  readonly keyFile?: string;
  readonly runsPath?: string;
}

/** Runs one command, and waits until what it printed is written. Returns its exit code. */
export async function main(args: readonly string[]): Promise<number> {
  exitOnSignals();
  const state: ProgramState = { exitCode: EXIT.done, help: "", command: "" };
  const program = createProgram(state);
  tellLostOutput(contextOf(program).terminal, () => state.command);
  // What nobody has caught is told like every other error: Node would print all that it holds.
  process.on("uncaughtException", (error) => process.exit(printError(error, contextOf(program).terminal)));
  const exitCode = await runCommand(program, args, state);
  return await finishOutput(contextOf(program).terminal, state.command, exitCode);
}

async function runCommand(program: Command, args: readonly string[], state: ProgramState): Promise<number> {
  try {
    await program.parseAsync(args, { from: "user" });
    return state.exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done;
    const { terminal } = contextOf(program);
    if (error instanceof CommanderError && error.code === "commander.help") {
      terminal.write(program.opts<GlobalOptions>().version === true ? `${manifest.version}\n` : state.help);
      return EXIT.done;
    }
    const { command } = state;
    const shown = error instanceof CommanderError ? usageError(error, program) : error;
    return signalExitOr(printError(shown, terminal, { command, args }));
  }
}

function contextOf(program: Command): CommandContext {
  const { json = false, quiet = false, color, runsPath, ...place } = program.opts<GlobalOptions>();
  const { storagePath, storageBackend: backend, keyFile } = place;
  // The prompts look there.
  if (!color) process.env["NO_COLOR"] = "1";
  const terminal = createTerminal({ json, quiet, color: color && !process.env["NO_COLOR"] });
  return { terminal, place: { storagePath, backend, keyFile }, runsPath };
}

/** The whole command line, with what each command does. */
export function createProgram(state: ProgramState): Command {
  const program = new Command("autokestra")
    .description("Run workflows whose secrets stay secret.")
    .option("-V, --version", "version of autokestra")
    .option("--json", "JSON instead of text")
    .option("-q, --quiet", "no notes")
    .option("--no-color", "no colours [NO_COLOR]")
    .option(
      "--storage-path <folder>",
      "folder of the secrets [WORKFLOW_SECRETS_STORAGE_PATH, the nearest .workflow/secrets]",
    )
    .addOption(
      choiceOption("--storage-backend <driver>", "kind of store [WORKFLOW_SECRETS_STORAGE_BACKEND, auto]", DRIVERS),
    )
    .option(
      "--key-file <file>",
      "path of the key file, tried alone [AUTOKESTRA_SECRET_KEY, AUTOKESTRA_SECRET_KEY_FILE, ~/.autokestra/secret.key]",
    )
    .option("--runs-path <file>", "path of the run history [runs.db in the same .workflow]")
    .showSuggestionAfterError()
    .configureHelp({ commandUsage: (command) => `${pathOf(command)} ${command.usage()}` })
    .configureOutput({
      writeOut: (text) => standardOutput().write(text),
      writeErr: (text) => {
        state.help += text;
      },
    })
    .exitOverride()
    .hook("preAction", async (_, command) => {
      state.command = nameOf(command);
      if (program.opts<GlobalOptions>().version === true) throw misplacedVersion();
      const { takeKey } = await import("./take-key.ts");
      takeKey();
    });
  const context = () => contextOf(program);
  addWorkflowCommands(program, state, context);
  addRunsCommands(program, context);
  addSecretsCommands(program, state, context);
  addKeysCommands(program, context);
  return program;
}

/** Without the aliases, which the list of commands shows. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** `secrets set` for `autokestra secrets set`. */
function nameOf(command: Command): string {
  const { parent } = command;
  return parent === null || parent.parent === null ? command.name() : `${nameOf(parent)} ${command.name()}`;
}

function addWorkflowCommands(program: Command, state: ProgramState, context: () => CommandContext): void {
  const run = program
    .command("run")
    .description("Run a workflow")
    .argument("<file>", "path of the workflow file")
    .option("--input <k=v>", "input of the workflow; may be repeated", collect)
    .option("--no-env", "no declared secrets from environment variables")
    .option("--fail-on-leak", "exit code 1 if anything had to be masked")
    .action(async (file: string, options) => {
      const { run: runFile } = await import("./commands/run.ts");
      state.exitCode = await runFile(context(), file, options);
    });
  withExamples(run, ["autokestra run deploy.yaml", "autokestra run deploy.yaml --input environment=staging --json"]);

  const check = program
    .command("check")
    .aliases(["validate", "lint"])
    .description(
      "Check workflows without running them: shape, graph, references, inputs of actions, presence and expiry of secrets",
    )
    .argument("<file...>", "paths of workflow files")
    .option("--no-env", "no declared secrets from environment variables")
    .option("--strict", "exit code 1 for warnings too")
    .action(async (files: string[], options) => {
      const { check: checkFiles } = await import("./commands/check.ts");
      state.exitCode = await checkFiles(context(), files, options);
    });
  withExamples(check, ["autokestra check deploy.yaml", "autokestra check *.yaml --strict"]);

  const exported = program
    .command("export")
    .description("Print a workflow with a list of the secrets it needs, without their values")
    .argument("<file>", "path of the workflow file")
    .action(async (file: string) => {
      const { exportFile } = await import("./commands/export.ts");
      await exportFile(context(), file);
    });
  withExamples(exported, ["autokestra export deploy.yaml > shared.yaml", "autokestra export deploy.yaml --json"]);

  const doctor = program
    .command("doctor")
    .description("Examine key, store and every record, and print one line each")
    .action(async () => {
      const { doctor: diagnose } = await import("./commands/doctor.ts");
      state.exitCode = await diagnose(context());
    });
  withExamples(doctor, ["autokestra doctor", "autokestra doctor --json"]);
}
