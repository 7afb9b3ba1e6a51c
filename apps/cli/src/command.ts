import type { Config } from "@autokestra/config";
import { AutokestraError, parseSecretType, SECRET_TYPES, suggestSecretType } from "@autokestra/secrets-core";
import type { Terminal } from "./output/terminal.ts";

/** What a command works with. */
export interface CommandContext {
  readonly terminal: Terminal;
  /** Where the secrets are, from the global options and the configuration. */
  readonly place: {
    readonly storagePath: string | undefined;
    readonly backend: string | undefined;
    readonly keyFile: string | undefined;
    /** What counts where neither an option nor a variable says anything. */
    readonly defaults: Config | undefined;
  };
  /** Where runs are recorded, from the global options. */
  readonly runsPath: string | undefined;
}

/** Takes the declarations of a command: commander, or what reads plain command lines without it. */
export interface Parser {
  /** @param name in `<>`, in `[]` where it may be left out, with `...` where there may be several */
  argument(name: string, description: string): this;
  option(flags: string, description: string): this;
  option(flags: string, description: string, parse: typeof collect): this;
  requiredOption(flags: string, description: string): this;
  createOption(flags: string, description: string): OptionSettings;
  addOption(option: OptionSettings): this;
}

/** An option with more than a name. */
export interface OptionSettings {
  choices(values: readonly string[]): this;
  argParser(parse: (text: string) => unknown): this;
  default(value: unknown): this;
  makeOptionMandatory(): this;
  hideHelp(): this;
}

/** One command, as its file in `commands/` describes it. Its path and summary are in the table of `commands.ts`. */
export interface CommandDefinition<Args extends readonly unknown[] = readonly unknown[]> {
  /** Adds its arguments and options. The parser is handed in: a command may be told of two. */
  declare(parser: Parser): Parser;
  /** What its help ends with. */
  readonly examples: readonly string[];
  /** Its product is what it prints: if that cannot be written, the command has failed. All others go on without it. */
  readonly prints?: boolean;
  /** Does the work. Returns the exit code, where it is not always 0. */
  run(context: CommandContext, ...args: Args): Promise<number | undefined> | Promise<void>;
}

/** Describes a command. `run` gets the arguments in their order, and then the options. */
export function defineCommand<Args extends readonly unknown[]>(definition: CommandDefinition<Args>): CommandDefinition {
  // Commander passes arguments without types.
  return definition;
}

/** The description of the argument that most commands have. */
export const SECRET_NAME = "name of the secret";

/** Appends the value of an option that may be given more than once. */
export function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

/** `--type`, in any case and with any separator: `APIKey`, `api_key`. */
export function typeOption(parser: Parser, description: string): OptionSettings {
  return parser
    .createOption("--type <type>", description)
    .choices(SECRET_TYPES)
    .argParser((text) => {
      const type = parseSecretType(text);
      if (type !== null) return type;
      const near = suggestSecretType(text);
      throw new AutokestraError("USAGE", `--type takes one of these: ${SECRET_TYPES.join(", ")}`, {
        hint: near === null ? undefined : `Did you mean '${near}'?`,
      });
    });
}

/** An option with a few possible values. A refused value is not repeated. */
export function choiceOption(
  parser: Parser,
  flags: string,
  description: string,
  choices: readonly string[],
): OptionSettings {
  const [name = ""] = flags.split(" ", 1);
  return parser
    .createOption(flags, description)
    .choices(choices)
    .argParser((text) => {
      if (choices.includes(text)) return text;
      throw new AutokestraError("USAGE", `${name} takes one of these: ${choices.join(", ")}`);
    });
}

/** The value of an option that is a whole number. */
export function parseWholeNumber(option: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new AutokestraError("USAGE", `${option} takes a whole number of at most 9 digits`);
}
