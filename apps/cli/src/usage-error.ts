import { AutokestraError } from "@autokestra/secrets-core";
import type { CommanderError } from "commander";

/**
 * What commander says of wrong arguments, as an error of ours. Its text for an unknown option quotes the argument, which may be a
 * value: a private key begins with hyphens too. Only what it proposes instead is repeated.
 */
export function usageError(error: CommanderError): AutokestraError {
  if (error.code === "commander.unknownOption") {
    const proposal = /\(Did you mean (.*)\?\)$/.exec(error.message)?.[1];
    return new AutokestraError("USAGE", "Unknown option", {
      hint:
        proposal === undefined
          ? "`--help` shows the options. A value that begins with '-' goes to standard input."
          : `Did you mean ${proposal}?`,
    });
  }
  const [first = "", ...rest] = error.message.replace(/^error: /, "").split("\n");
  const hint = rest.join(" ").replace(/^\(|\)$/g, "");
  return new AutokestraError("USAGE", first, { hint: hint || "`--help` shows how it is used." });
}
