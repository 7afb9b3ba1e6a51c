import { getSystemErrorMap } from "node:util";
import type { WorkflowError } from "@autokestra/engine";
import { AutokestraError, type ErrorCode } from "@autokestra/secrets-core";
import type { Command, CommanderError } from "commander";
import { EXIT, EXIT_CODES } from "./exit.ts";
import { hintFor, type Invocation, USE_HINTS } from "./hints.ts";
import type { Terminal } from "./output/terminal.ts";
import { hideArguments } from "./rejected-input.ts";

/** Errors about a name that a person typed. */
const NAME_ERRORS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "NAME_INVALID",
  "SECRET_NOT_FOUND",
  "SECRET_EXISTS",
  "SECRET_DELETED",
  "FIELD_NOT_FOUND",
  "VERSION_CONFLICT",
  "VERSION_NOT_FOUND",
]);

/** Prints an error to standard error. Returns the exit code. */
export function printError(
  error: unknown,
  terminal: Terminal,
  invocation: Invocation = { command: "", args: [] },
): number {
  if (!(error instanceof AutokestraError)) return printInternal(error, terminal);
  const { code, message } = error;
  const hint = hintFor(error, invocation) ?? null;
  const show = (text: string) => hideArguments(text, invocation.args, NAME_ERRORS.has(code));
  if (terminal.json) {
    const problems = isWorkflowError(error) ? { problems: error.problems } : {};
    const hide = (_: string, value: unknown) => (typeof value === "string" ? show(value) : value);
    // To a person, an option of a function is an option of the command.
    const shown = code === "OPTION_INVALID" ? "USAGE" : code;
    terminal.warn(JSON.stringify({ error: { code: shown, message, hint, ...problems } }, hide));
  } else {
    terminal.warn(show(isWorkflowError(error) ? error.format(process.stderr.columns) : format(message, hint)));
  }
  printTrace(error, terminal);
  return EXIT_CODES[code];
}

/** Checks properties, because with the class every command would load the engine. */
function isWorkflowError(error: AutokestraError): error is WorkflowError {
  return "problems" in error && "format" in error;
}

function format(message: string, hint: string | null): string {
  return hint === null ? `error: ${message}` : `error: ${message}\nhint: ${hint}`;
}

/** Prints an unexpected error without its message, which may contain anything. */
function printInternal(error: unknown, terminal: Terminal): number {
  const refusal = systemRefusal(error);
  const name = error instanceof Error ? error.name : typeof error;
  const message = refusal === null ? `Internal error (${name})` : `The system refused: ${refusal}`;
  const hint =
    refusal === null
      ? "This is a defect of autokestra. AUTOKESTRA_DEBUG=1 shows where it happened."
      : "Nothing was acknowledged. Try again once the cause is gone.";
  if (terminal.json) terminal.warn(JSON.stringify({ error: { code: "INTERNAL", message, hint } }));
  else terminal.warn(`error: ${message}\nhint: ${hint}`);
  printTrace(error, terminal);
  return EXIT.failed;
}

/** Describes an error of the operating system, such as `too many open files (EMFILE)`; null for other errors. */
export function systemRefusal(error: unknown): string | null {
  const errno = error instanceof Error && "errno" in error ? Number(error.errno) : Number.NaN;
  const known = getSystemErrorMap().get(errno);
  return known === undefined ? null : `${known[1]} (${known[0]})`;
}

/** Prints only the places, because the first lines of a stack repeat the message. */
function printTrace(error: unknown, terminal: Terminal): void {
  if (process.env["AUTOKESTRA_DEBUG"] !== "1" || !(error instanceof Error)) return;
  const places = error.stack?.split("\n").filter((line) => /^\s+at /.test(line)) ?? [];
  terminal.warn(places.join("\n"));
}

/**
 * Converts an error of commander. Its message quotes the argument, which may be a value: a private key begins with
 * hyphens, too, and a token can look like a command. Only plain words and the proposal of commander are repeated.
 */
export function usageError(error: CommanderError, program: Command): AutokestraError {
  if (program.opts()["version"] === true) return misplacedVersion();
  const [first = "", ...rest] = error.message.replace(/^error: /, "").split("\n");
  const proposal = /\(Did you mean (?:one of )?([^,]*).*\?\)$/.exec(error.message)?.[1];
  const didYouMean = proposal === undefined ? undefined : `Did you mean ${proposal}?`;
  switch (error.code) {
    case "commander.unknownOption":
      return usage("Unknown option", didYouMean ?? USE_HINTS.options);
    case "commander.unknownCommand": {
      const word = /^unknown command '([a-z-]{1,40})'$/.exec(first)?.[1] ?? null;
      if (word === null) return usage("Unknown command", USE_HINTS.help);
      return usage(first, proposeCommand(program, word) ?? didYouMean ?? USE_HINTS.help);
    }
    case "commander.invalidArgument": {
      const [, what = "The argument", reason = ""] =
        /^(option '[^']*'|command-argument).* is invalid(?: for argument '[^']*')?\.\s*([\s\S]*)$/s.exec(
          error.message.replace(/^error: /, ""),
        ) ?? [];
      return usage(`${what} has an invalid value. ${reason}`.trimEnd(), USE_HINTS.help);
    }
    default: {
      const hint = rest.join(" ").replace(/^\(|\)$/g, "");
      return usage(first, hint || USE_HINTS.help);
    }
  }
}

/** For people who mean the version of a secret: they must not get that of the program, and success, instead. */
export function misplacedVersion(): AutokestraError {
  return usage("--version is about autokestra itself, not about a command", USE_HINTS.versionOfSecret);
}

/** For a path that comes from a variable which is not set. */
export function emptyPath(option: string): AutokestraError {
  const hint = "Leave the option out for its default; the variable that the path comes from may not be set.";
  return usage(`${option} takes a path, and it is empty`, hint);
}

/** Finds the groups that have a command of this name, because people leave out `secrets`. */
function proposeCommand(program: Command, word: string): string | undefined {
  const groups = program.commands.filter((group) =>
    group.commands.some((command) => command.name() === word || command.aliases().includes(word)),
  );
  const paths = groups.map((group) => `\`${program.name()} ${group.name()} ${word}\``);
  return paths.length === 0 ? undefined : `Did you mean ${paths.join(" or ")}?`;
}

function usage(message: string, hint: string): AutokestraError {
  return new AutokestraError("USAGE", message, { hint });
}
