import { Command, CommanderError } from "commander";
import manifest from "../package.json" with { type: "json" };
import type { CommandContext } from "./command-context.ts";
import { EXIT } from "./exit-code.ts";
import { collect } from "./options.ts";
import { printError } from "./print-error.ts";
import type { ProgramState } from "./program-state.ts";
import { addRunsCommands } from "./runs-commands.ts";
import { addSecretsCommands } from "./secrets-commands.ts";
import { createTerminal } from "./terminal.ts";
import { usageError } from "./usage-error.ts";

interface GlobalOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly color: boolean;
  readonly storagePath?: string;
  readonly storageBackend?: string;
  readonly keyFile?: string;
  readonly runsPath?: string;
}

/** Runs one command. Returns its exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const state: ProgramState = { exitCode: EXIT.done, help: "" };
  const program = createProgram(state);
  try {
    await program.parseAsync(args, { from: "user" });
    return state.exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done;
    if (error instanceof CommanderError && error.code === "commander.help") {
      contextOf(program).terminal.write(state.help);
      return EXIT.done;
    }
    return printError(error instanceof CommanderError ? usageError(error) : error, contextOf(program).terminal);
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

function createProgram(state: ProgramState): Command {
  const program = new Command("autokestra")
    .description("Workflows whose secrets stay secret.")
    .version(manifest.version)
    .option("--json", "print JSON")
    .option("-q, --quiet", "print no notes")
    .option("--no-color", "print no colours (also: NO_COLOR)")
    .option("--storage-path <folder>", "where the secrets are (WORKFLOW_SECRETS_STORAGE_PATH, .workflow/secrets)")
    .option("--storage-backend <name>", "auto, sqlite or file (WORKFLOW_SECRETS_STORAGE_BACKEND)")
    .option("--key-file <file>", "the master key (AUTOKESTRA_SECRET_KEY_FILE, ~/.autokestra/secret.key)")
    .option("--runs-path <file>", "where runs are recorded (.workflow/runs.db)")
    .showSuggestionAfterError()
    .configureOutput({
      writeErr: (text) => {
        state.help += text;
      },
    })
    .exitOverride();

  program
    .command("run")
    .description("run a workflow")
    .argument("<file>")
    .option("--input <k=v>", "an input of the workflow; may be repeated", collect)
    .option("--no-env", "do not look for declared secrets in environment variables")
    .option("--fail-on-leak", "exit 1 if anything had to be masked")
    .action(async (file: string, options) => {
      const { run } = await import("./commands/run.ts");
      state.exitCode = await run(contextOf(program), file, options);
    });

  program
    .command("check")
    .description("check workflows: shape, graph, references, presence and expiry of secrets; runs nothing")
    .argument("<file...>")
    .option("--no-env", "do not look for declared secrets in environment variables")
    .action(async (files: string[], options) => {
      const { check } = await import("./commands/check.ts");
      state.exitCode = await check(contextOf(program), files, options);
    });

  program
    .command("export")
    .description("print a workflow with a list of the secrets it needs, without their values")
    .argument("<file>")
    .action(async (file: string) => {
      const { exportFile } = await import("./commands/export.ts");
      await exportFile(contextOf(program), file);
    });

  program
    .command("doctor")
    .description("examine key, store and every record; one line each")
    .action(async () => {
      const { doctor } = await import("./commands/doctor.ts");
      state.exitCode = await doctor(contextOf(program));
    });

  addRunsCommands(program, () => contextOf(program));
  addSecretsCommands(program, state, () => contextOf(program));
  return program;
}
