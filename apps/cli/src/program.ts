import { loadConfig } from "@autokestra/config";
import { Command } from "commander";
import { type CommandContext, type CommandDefinition, choiceOption } from "./command.ts";
import { type CommandEntry, GLOBAL_OPTIONS, GROUPS } from "./commands.ts";
import { misplacedVersion } from "./errors.ts";
import { createTerminal, standardOutput } from "./output/terminal.ts";

/** What a program leaves behind. */
export interface ProgramState {
  exitCode: number;
  /** What commander says of wrong use. */
  help: string;
  /** The command that runs, such as `secrets set`; empty before one does. */
  command: string;
  /** The product of what runs is what it prints; also that of `--help` and `--version`. */
  prints: boolean;
}

interface GlobalOptions {
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

/** The command line with some of the commands, which it loads. */
export async function createProgram(entries: readonly CommandEntry[], state: ProgramState): Promise<Command> {
  const program = new Command("autokestra")
    .description("Run workflows whose secrets stay secret.")
    .showSuggestionAfterError()
    .configureHelp({ commandUsage: (command) => `${pathOf(command)} ${command.usage()}` })
    .configureOutput({
      writeOut: (text) => standardOutput().write(text),
      writeErr: (text) => {
        state.help += text;
      },
    })
    .exitOverride();
  for (const { flags, description, choices } of GLOBAL_OPTIONS) {
    if (choices === undefined) program.option(flags, description);
    else program.addOption(choiceOption(program, flags, description, choices));
  }
  const loaded = await Promise.all(entries.map(async (entry) => ({ entry, ...(await entry.load()) })));
  for (const { entry, command } of loaded) {
    addCommand(program, entry, command).action(async (...args: unknown[]) => {
      state.command = entry.path;
      state.prints = command.prints ?? false;
      if (wantsVersion(program)) throw misplacedVersion();
      const { takeKey } = await import("./secrets.ts");
      takeKey();
      const exitCode = await command.run(await configuredContextOf(program), ...args);
      if (exitCode !== undefined) state.exitCode = exitCode;
    });
  }
  return program;
}

function addCommand(program: Command, { path, aliases = [], summary }: CommandEntry, definition: CommandDefinition) {
  const words = path.split(" ");
  const name = words.pop() ?? "";
  const command = groupOf(program, words.join(" ")).command(name).aliases(aliases).description(summary);
  const examples = definition.examples.map((example) => `  $ ${example}\n`).join("");
  if (examples !== "") command.addHelpText("after", `\nExamples:\n${examples.trimEnd()}`);
  return definition.declare(command);
}

/** The group of a command, made where it is the first one in it. */
function groupOf(program: Command, path: string): Command {
  const group = GROUPS.find((candidate) => candidate.path === path);
  if (group === undefined) return program;
  const known = program.commands.find((command) => command.name() === path);
  return (
    known ??
    program
      .command(path)
      .aliases(group.aliases ?? [])
      .description(group.summary)
  );
}

/** `--version` was given. */
export function wantsVersion(program: Command): boolean {
  return program.opts<GlobalOptions>().version === true;
}

/** What the global options say, as far as they are parsed. */
export function contextOf(program: Command): CommandContext {
  const { json = false, quiet = false, color, runsPath, ...place } = program.opts<GlobalOptions>();
  const { storagePath, storageBackend: backend, keyFile } = place;
  // The prompts look there.
  if (!color) process.env["NO_COLOR"] = "1";
  const terminal = createTerminal({ json, quiet, color: color && !process.env["NO_COLOR"] });
  return { terminal, place: { storagePath, backend, keyFile, defaults: undefined }, runsPath };
}

/** The same with the configuration, where there is one. @throws FileError `CONFIG_INVALID`; AutokestraError `CONFIG_*` */
async function configuredContextOf(program: Command): Promise<CommandContext> {
  const context = contextOf(program);
  const config = await loadConfig({ path: program.opts<GlobalOptions>().config });
  return config === null ? context : { ...context, place: { ...context.place, defaults: config } };
}

/** Without the aliases, which the list of commands shows. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
