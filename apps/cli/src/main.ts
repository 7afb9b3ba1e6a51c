import { Command, CommanderError, Option } from "commander";
import manifest from "../package.json" with { type: "json" };
import type { CommandContext } from "./command-context.ts";
import { EXIT } from "./exit-code.ts";
import { printError } from "./print-error.ts";
import { createTerminal } from "./terminal.ts";
import { usageError } from "./usage-error.ts";

interface GlobalOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly color: boolean;
  readonly storagePath?: string;
  readonly storageBackend?: string;
  readonly keyFile?: string;
}

/** Runs one command. Returns its exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const state = { exitCode: EXIT.done as number, help: "" };
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
  const { json = false, quiet = false, color, storagePath, storageBackend, keyFile } = program.opts<GlobalOptions>();
  // The prompts look there.
  if (!color) process.env["NO_COLOR"] = "1";
  const terminal = createTerminal({ json, quiet, color: color && !process.env["NO_COLOR"] });
  return { terminal, place: { storagePath, backend: storageBackend, keyFile } };
}

/** Appends the value of an option that may be given more than once. */
function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

function typeOption(): Option {
  const types = ["apiKey", "basicAuth", "bearerToken", "oauth", "custom"];
  return new Option("--type <type>", "the type of the secret").choices(types);
}

/** What a program leaves behind: the exit code of a command that fails without an error, and what commander says of wrong use. */
interface ProgramState {
  exitCode: number;
  help: string;
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

  addSecretsCommands(program, state);
  return program;
}

function addSecretsCommands(program: Command, state: ProgramState): void {
  const secrets = program.command("secrets").description("store, read, list and delete secrets");

  secrets
    .command("set")
    .description("store a secret; without VALUE it is asked for, or read from standard input")
    .argument("<name>")
    .argument("[value]", "visible in the process list and the shell history: better leave it out")
    .addOption(typeOption())
    .option("--from-file <file>", "read the value from a file")
    .option("--field <k=v>", "one field; k=@FILE reads a file, k=- standard input; may be repeated", collect)
    .option("--description <text>", "what it is for")
    .option("--tag <tag>", "a tag; may be repeated", collect)
    .option("--expires-at <when>", "ISO 8601, or milliseconds since 1970")
    .option("--if-version <n>", "only if this is the stored version; 0: only if there is none")
    .action(async (name: string, value: string | undefined, options) => {
      const { setSecret } = await import("./commands/secrets-set.ts");
      await setSecret(contextOf(program), name, value, options);
    });

  secrets
    .command("get")
    .description("print the value of a secret")
    .argument("<name>")
    .option("--field <field>", "only this field")
    .action(async (name: string, options) => {
      const { getSecret } = await import("./commands/secrets-get.ts");
      await getSecret(contextOf(program), name, options);
    });

  secrets
    .command("list")
    .description("list secrets, without their values")
    .addOption(typeOption())
    .option("--tag <tag>", "only with this tag; may be repeated", collect)
    .action(async (options) => {
      const { listSecrets } = await import("./commands/secrets-list.ts");
      await listSecrets(contextOf(program), options);
    });

  secrets
    .command("import")
    .description("bring secrets over from elsewhere: all or nothing, and twice is once")
    .addOption(new Option("--from <source>").choices(["dotenv", "json", "fernet-sqlite"]).makeOptionMandatory())
    .requiredOption("--file <file>", "what to read")
    .option("--fernet-key <file>", "the Fernet keys, one per line")
    .option("--dry-run", "only say what would be done")
    .addOption(
      new Option("--on-conflict <what>", "where a name is stored with another value")
        .choices(["fail", "skip", "overwrite"])
        .default("fail"),
    )
    .option("--rename", "take the proposed name where a name is refused")
    .action(async (options) => {
      const { importFile } = await import("./commands/secrets-import.ts");
      state.exitCode = await importFile(contextOf(program), options);
    });

  secrets
    .command("rotate-key")
    .description("put a new master key in the place of the old one")
    .option("--new-key-file <file>", "the new key; made if it is not there")
    .option("--data-key", "make a new data key too, and seal every secret anew")
    .action(async (options) => {
      const { rotateKey } = await import("./commands/secrets-rotate-key.ts");
      await rotateKey(contextOf(program), options);
    });

  secrets
    .command("delete")
    .description("delete a secret")
    .argument("<name>")
    .option("--force", "do not ask")
    .action(async (name: string, options) => {
      const { deleteSecret } = await import("./commands/secrets-delete.ts");
      await deleteSecret(contextOf(program), name, options);
    });
}
