import { AutokestraError } from "@autokestra/secrets-core";
import type { CommanderError } from "commander";

const HELP_HINT = "`--help` shows how it is used.";

/**
 * What commander says of wrong arguments, as an error of ours. Its texts quote the argument, which may be a value: a private key
 * begins with hyphens too, and a token looks like a command. Only plain words, and what it proposes instead, are repeated.
 */
export function usageError(error: CommanderError): AutokestraError {
  const [first = "", ...rest] = error.message.replace(/^error: /, "").split("\n");
  const proposal = /\(Did you mean (.*)\?\)$/.exec(error.message)?.[1];
  const didYouMean = proposal === undefined ? undefined : `Did you mean ${proposal}?`;
  switch (error.code) {
    case "commander.unknownOption":
      return usage(
        "Unknown option",
        didYouMean ?? "`--help` shows the options. A value that begins with '-' goes to standard input.",
      );
    case "commander.unknownCommand":
      return usage(/^unknown command '[a-z-]{1,40}'$/.test(first) ? first : "Unknown command", didYouMean ?? HELP_HINT);
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

function usage(message: string, hint: string): AutokestraError {
  return new AutokestraError("USAGE", message, { hint });
}
