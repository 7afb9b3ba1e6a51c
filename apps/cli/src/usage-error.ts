import { AutokestraError } from "@autokestra/secrets-core";
import type { Command, CommanderError } from "commander";

const HELP_HINT = "`--help` shows how it is used.";

/**
 * What commander says of wrong arguments, as an error of ours. Its texts quote the argument, which may be a value: a private key
 * begins with hyphens too, and a token looks like a command. Only plain words, and what it proposes instead, are repeated.
 */
export function usageError(error: CommanderError, program: Command): AutokestraError {
  if (program.opts()["version"] === true) return misplacedVersion();
  const [first = "", ...rest] = error.message.replace(/^error: /, "").split("\n");
  const proposal = /\(Did you mean (?:one of )?([^,]*).*\?\)$/.exec(error.message)?.[1];
  const didYouMean = proposal === undefined ? undefined : `Did you mean ${proposal}?`;
  switch (error.code) {
    case "commander.unknownOption":
      return usage(
        "Unknown option",
        didYouMean ?? "`--help` shows the options. A value that begins with '-' goes to standard input.",
      );
    case "commander.unknownCommand": {
      const word = /^unknown command '([a-z-]{1,40})'$/.exec(first)?.[1] ?? null;
      if (word === null) return usage("Unknown command", HELP_HINT);
      return usage(first, proposeCommand(program, word) ?? didYouMean ?? HELP_HINT);
    }
    case "commander.invalidArgument": {
      const [, what = "The argument", reason = ""] =
        /^(option '[^']*'|command-argument).* is invalid(?: for argument '[^']*')?\.\s*([\s\S]*)$/s.exec(
          error.message.replace(/^error: /, ""),
        ) ?? [];
      return usage(`${what} has an invalid value. ${reason}`.trimEnd(), HELP_HINT);
    }
    default: {
      const hint = rest.join(" ").replace(/^\(|\)$/g, "");
      return usage(first, hint || HELP_HINT);
    }
  }
}

/** Whoever means the version of a secret must not get that of the program, and success, instead. */
export function misplacedVersion(): AutokestraError {
  return usage(
    "--version is about autokestra itself, not about a command",
    "`autokestra --version` prints the version of autokestra; `secrets get NAME --at-version N` and `secrets rollback NAME --to N` take the version of a secret.",
  );
}

/** Where a word is a command: people leave out `secrets`. */
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
