import type { Config } from "@autokestra/config";
import { type AllowChange, AutokestraError, SECRET_TYPES } from "@autokestra/secrets-core";
import { parseSecretType, suggestSecretType } from "@autokestra/secrets-core/internal";
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
  /**
   * Reads the configuration again. Here, so that commands share what every start has loaded.
   *
   * @param path Default: as it is found at the start.
   */
  readonly readConfig: (path: string | undefined) => Promise<Config | undefined>;
}

/** Receives the declarations of a command: commander, or the parser of plain command lines. */
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
  /** Adds its arguments and options. The parser is passed in, so that no command loads commander. */
  declare(parser: Parser): Parser;
  /** Two examples, which end its help. */
  readonly examples: readonly string[];
  /** Whether printing is its purpose: such a command fails if its output cannot be written; others continue. */
  readonly prints?: boolean;
  /** Does the work. Returns the exit code, if it is not always 0. */
  run(context: CommandContext, ...args: Args): Promise<number | undefined> | Promise<void>;
}

/** Defines a command. `run` gets the arguments in their order, and then the options. */
export function defineCommand<Args extends readonly unknown[]>(definition: CommandDefinition<Args>): CommandDefinition {
  // Commander passes arguments without types.
  return definition;
}

/** The description of the argument that most commands have. */
export const SECRET_NAME = "name of the secret";

/** What `secrets set` and `secrets edit` both change besides the value. */
export interface MetadataOptions {
  readonly description?: string;
  readonly tag?: readonly string[];
  readonly expiresAt?: string;
  readonly publicField?: readonly string[];
  readonly maskField?: readonly string[];
  readonly allowWorkflow?: readonly string[];
  readonly allowTaskType?: readonly string[];
  readonly allowHost?: readonly string[];
}

/** Adds {@link MetadataOptions}. The parameters say what differs between the two commands. */
export function addMetadataOptions(
  parser: Parser,
  { description, tag, expiresAt }: Readonly<Record<"description" | "tag" | "expiresAt", string>>,
): Parser {
  return parser
    .option("--description <text>", `purpose of the secret${description}`)
    .option("--tag <tag>", `${tag}; may be repeated`, collect)
    .option("--expires-at <when>", `expiry: a date, a time with an offset, 90d, \`in 2 weeks\`${expiresAt}`)
    .option("--public-field <field>", "field that is encrypted, but shown and not masked; may be repeated", collect)
    .option("--mask-field <field>", "field that is masked wherever it appears; may be repeated", collect)
    .option("--allow-workflow <id>", `workflow that may use it, ${ALLOW}`, collect)
    .option("--allow-task-type <type>", `type of tasks that may use it, such as core/http.*, ${ALLOW}`, collect)
    .option("--allow-host <host>", `host that it may be sent to: name, name:port or *.name, ${ALLOW}`, collect);
}

const ALLOW = "instead of the stored ones; an empty text allows all; may be repeated";

/** What the options say about who may use a secret; undefined if they say nothing. */
export function toAllow({ allowWorkflow, allowTaskType, allowHost }: MetadataOptions): AllowChange | undefined {
  const lists = [allowWorkflow, allowTaskType, allowHost].map((list) => list?.filter((item) => item !== ""));
  const [workflows, taskTypes, hosts] = lists;
  return lists.every((list) => list === undefined) ? undefined : { workflows, taskTypes, hosts };
}

/** Appends the value of an option that may be given more than once. */
export function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

/** Creates `--type`, which takes types in any case and with any separator: `APIKey`, `api_key`. */
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

/** Creates an option with a few possible values. A refused value is not repeated, because it may be a secret. */
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

/** Parses the value of an option as a whole number. Undefined where the option was not given. */
export function parseWholeNumber(option: string, text: string): number;
export function parseWholeNumber(option: string, text: string | undefined): number | undefined;
export function parseWholeNumber(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new AutokestraError("USAGE", `${option} takes a whole number of at most 9 digits`);
}
