import { type Config, loadConfig } from "@autokestra/config";
import { type CommandContext, type CommandDefinition, choiceOption, type Parser } from "./command.ts";
import { type CommandEntry, GLOBAL_OPTIONS } from "./commands.ts";
import { misplacedVersion } from "./errors.ts";
import { createTerminal } from "./output/terminal.ts";

/** A command line that was understood, or will be when it runs. */
export interface CommandLine {
  /** What the global options say, as far as they are parsed. */
  context(): CommandContext;
  run(): Promise<void>;
}

/** What a command line leaves behind. */
export interface ProgramState {
  exitCode: number;
  /** What commander says of wrong use. */
  help: string;
  /** The command that runs, such as `secrets set`; empty before one does. */
  command: string;
  /** The product of what runs is what it prints; also that of `--help` and `--version`. */
  prints: boolean;
}

export interface GlobalOptions {
  readonly version?: true;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly color: boolean;
  readonly storagePath?: string;
  readonly storageBackend?: string;
  readonly keyFile?: string;
  readonly runsPath?: string;
  readonly config?: string;
}

export function declareGlobalOptions(parser: Parser): void {
  for (const { flags, description, choices } of GLOBAL_OPTIONS) {
    if (choices === undefined) parser.option(flags, description);
    else parser.addOption(choiceOption(parser, flags, description, choices));
  }
}

/** Runs a command with its arguments in their order, and then its options. */
export async function runCommand(
  { path }: CommandEntry,
  command: CommandDefinition,
  state: ProgramState,
  options: GlobalOptions,
  args: readonly unknown[],
): Promise<void> {
  state.command = path;
  state.prints = command.prints ?? false;
  if (options.version === true) throw misplacedVersion();
  const { takeKey } = await import("./secrets.ts");
  takeKey();
  const exitCode = await command.run(await configure(contextOf(options), options), ...args);
  if (exitCode !== undefined) state.exitCode = exitCode;
}

/** What the global options say. */
export function contextOf(options: GlobalOptions): CommandContext {
  const { json = false, quiet = false, color, storagePath, storageBackend: backend, keyFile, runsPath } = options;
  // The prompts look there.
  if (!color) process.env["NO_COLOR"] = "1";
  const terminal = createTerminal({ json, quiet, color: color && !process.env["NO_COLOR"] });
  return { terminal, place: { storagePath, backend, keyFile, defaults: undefined }, runsPath, readConfig };
}

async function readConfig(path: string | undefined): Promise<Config | undefined> {
  return (await loadConfig({ path })) ?? undefined;
}

/** Adds what the configuration says, if there is one. @throws AutokestraError `CONFIG_NOT_FOUND`, `CONFIG_INVALID` */
async function configure(context: CommandContext, { config: path }: GlobalOptions): Promise<CommandContext> {
  return { ...context, place: { ...context.place, defaults: await readConfig(path) } };
}
