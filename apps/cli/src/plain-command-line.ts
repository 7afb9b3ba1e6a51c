import type { CommandDefinition, OptionSettings, Parser } from "./command.ts";
import {
  type CommandLine,
  contextOf,
  declareGlobalOptions,
  type GlobalOptions,
  type ProgramState,
  runCommand,
} from "./command-line.ts";
import type { CommandEntry } from "./commands.ts";

/** What a command line says that is right in every part. */
interface PlainArguments {
  readonly globals: GlobalOptions;
  /** As commander passes them to a command: its arguments in their order, and then its options. */
  readonly args: readonly unknown[];
}

/**
 * Understands most of the command lines that are right as commander does, but without it: loading it takes longer than most commands.
 *
 * @param args name this command
 * @returns null where commander must have a look: it gives help, and says what is wrong
 */
export async function readPlain(
  entry: CommandEntry,
  args: readonly string[],
  state: ProgramState,
): Promise<CommandLine | null> {
  const { command } = await entry.load();
  const plain = parsePlain(entry, command, args);
  if (plain === null) return null;
  return {
    context: () => contextOf(plain.globals),
    run: async () => await runCommand(entry, command, state, plain.globals, plain.args),
  };
}

export function parsePlain(
  { path }: CommandEntry,
  command: CommandDefinition,
  args: readonly string[],
): PlainArguments | null {
  const globals = new PlainParser();
  declareGlobalOptions(globals);
  const own = new PlainParser();
  command.declare(own);
  const words: string[] = [];
  const rest = args.values();
  for (const arg of rest) {
    if (!isOption(arg)) {
      words.push(arg);
      continue;
    }
    const at = arg.startsWith("--") ? arg.indexOf("=") : -1;
    const name = at === -1 ? arg : arg.slice(0, at);
    const option = globals.find(name) ?? own.find(name);
    if (option === undefined || !option.take(at === -1 ? undefined : arg.slice(at + 1), rest)) return null;
  }
  const given = words.slice(path.split(" ").length);
  const isWhole = own.isRightCount(given.length) && own.options.every((option) => option.isComplete);
  const { version, color, ...others } = valuesOf(globals);
  if (!isWhole || version !== undefined) return null;
  return {
    globals: { color: color === true, ...others },
    args: [...own.places.map((_, at) => given[at]), valuesOf(own)],
  };
}

/** Commander takes a hyphen alone for a word. */
function isOption(arg: string): boolean {
  return arg.startsWith("-") && arg !== "-";
}

function valuesOf({ options }: PlainParser): Record<string, unknown> {
  return Object.fromEntries(options.flatMap(({ key, value }) => (value === undefined ? [] : [[key, value]])));
}

class PlainParser implements Parser {
  /** The names of its arguments, with their brackets. */
  readonly places: string[] = [];
  readonly options: PlainOption[] = [];

  argument(name: string): this {
    this.places.push(name);
    return this;
  }

  option(flags: string, _description: string, parse?: OptionParser): this {
    const option = new PlainOption(flags);
    return this.addOption(parse === undefined ? option : option.argParser(parse));
  }

  requiredOption(flags: string): this {
    return this.addOption(new PlainOption(flags).makeOptionMandatory());
  }

  createOption(flags: string): PlainOption {
    return new PlainOption(flags);
  }

  addOption(option: PlainOption): this {
    this.options.push(option);
    return this;
  }

  find(name: string): PlainOption | undefined {
    return this.options.find(({ names }) => names.includes(name));
  }

  /** Not if the last argument takes many words: commander parses that. */
  isRightCount(count: number): boolean {
    const required = this.places.filter((place) => place.startsWith("<"));
    return (
      count >= required.length && count <= this.places.length && !this.places.some((place) => place.includes("..."))
    );
  }
}

type OptionParser = (text: string, previous: never) => unknown;

class PlainOption implements OptionSettings {
  /** As they are typed. */
  readonly names: readonly string[];
  /** Its name in code. */
  readonly key: string;
  value: unknown;
  readonly #takesValue: boolean;
  readonly #isNegated: boolean;
  #isMandatory = false;
  #parse: OptionParser = (text) => text;

  constructor(flags: string) {
    this.names = flags.split(" ").flatMap((word) => (word.startsWith("-") ? word.replace(",", "") : []));
    const words = (this.names.at(-1) ?? "").slice(2).split("-");
    this.#isNegated = words[0] === "no";
    if (this.#isNegated) this.value = true;
    const [first = "", ...others] = this.#isNegated ? words.slice(1) : words;
    this.key = first + others.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
    this.#takesValue = flags.endsWith(">");
  }

  get isComplete(): boolean {
    return !this.#isMandatory || this.value !== undefined;
  }

  choices(values: readonly string[]): this {
    return this.argParser((text) => {
      if (values.includes(text)) return text;
      throw new Error("no choice");
    });
  }

  argParser(parse: OptionParser): this {
    this.#parse = parse;
    return this;
  }

  default(value: unknown): this {
    this.value = value;
    return this;
  }

  makeOptionMandatory(): this {
    this.#isMandatory = true;
    return this;
  }

  hideHelp(): this {
    return this;
  }

  /**
   * @param inline what stands behind `=`
   * @param rest of the command line
   * @returns false if it is not plainly right
   */
  take(inline: string | undefined, rest: Iterator<string, undefined>): boolean {
    if (!this.#takesValue) {
      this.value = !this.#isNegated;
      return inline === undefined;
    }
    const text = inline ?? rest.next().value;
    // Some options refuse an empty text.
    if (text === undefined || text === "" || (inline === undefined && isOption(text))) return false;
    try {
      this.value = this.#parse(text, this.value as never);
      return true;
    } catch {
      return false;
    }
  }
}
