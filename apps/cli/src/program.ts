import { Command, CommanderError } from "commander";
import manifest from "../package.json" with { type: "json" };
import type { CommandDefinition } from "./command.ts";
import {
  type CommandLine,
  contextOf,
  declareGlobalOptions,
  type GlobalOptions,
  type ProgramState,
  runCommand,
} from "./command-line.ts";
import { type CommandEntry, GROUPS } from "./commands.ts";
import { emptyPath, usageError } from "./errors.ts";
import { standardOutput } from "./output/terminal.ts";

const VERSION = `${manifest.version}\n`;

/** The command line as commander understands it. */
export async function createCommandLine(
  entries: readonly CommandEntry[],
  args: readonly string[],
  state: ProgramState,
): Promise<CommandLine> {
  const program = await createProgram(entries, state);
  return {
    context: () => contextOf(program.opts()),
    async run() {
      try {
        await program.parseAsync(helpFor(args), { from: "user" });
        if (program.commands.length === 0) standardOutput().write(VERSION);
      } catch (error) {
        if (!(error instanceof CommanderError)) throw error;
        if (error.exitCode === 0) return;
        if (error.code !== "commander.help") throw usageError(error, program);
        standardOutput().write(wantsVersion(program) ? VERSION : state.help);
      }
    },
  };
}

/** `help secrets set` asks for the help of the command: that of commander looks at the first name only. */
function helpFor(args: readonly string[]): readonly string[] {
  const [first, ...names] = args;
  return first === "help" && names.length > 1 ? [...names, "--help"] : args;
}

/** Creates the command line with some of the commands, and loads these. */
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
  declareGlobalOptions(program);
  refuseEmptyPaths(program);
  const loaded = await Promise.all(entries.map(async (entry) => ({ entry, ...(await entry.load()) })));
  for (const { entry, command } of loaded) {
    addCommand(program, entry, command).action(
      async (...args: unknown[]) => await runCommand(entry, command, state, program.opts(), args),
    );
  }
  return program;
}

function addCommand(program: Command, { path, aliases = [], summary }: CommandEntry, definition: CommandDefinition) {
  const words = path.split(" ");
  const name = words.pop() ?? "";
  const command = groupOf(program, words.join(" ")).command(name).aliases(aliases).description(summary);
  const examples = definition.examples.map((example) => `  $ ${example}\n`).join("");
  if (examples !== "") command.addHelpText("after", `\nExamples:\n${examples.trimEnd()}`);
  definition.declare(command);
  refuseEmptyPaths(command);
  return command;
}

/** `--key-file "$UNSET"` must not mean the default key. */
function refuseEmptyPaths({ options }: Command): void {
  for (const option of options.filter(({ flags }) => /<(?:file|folder)>$/.test(flags))) {
    const { parseArg = (text: string): unknown => text } = option;
    option.argParser((text, previous) => {
      if (text === "") throw emptyPath(option.long ?? option.flags);
      return parseArg(text, previous);
    });
  }
}

/** The group of a command, created with its first command. */
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
function wantsVersion(program: Command): boolean {
  return program.opts<GlobalOptions>().version === true;
}

/** Without the aliases, which the list of commands shows. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
