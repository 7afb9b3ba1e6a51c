import { AutokestraError } from "@autokestra/secrets-core";
import type { CommanderError } from "commander";

const OPTION_NAME = /'(--?[a-zA-Z][a-zA-Z-]{0,30})(?:=[\s\S]*)?'$/;

/**
 * What commander says of wrong arguments, as an error of ours. Its text for an unknown option quotes the whole argument; a
 * private key begins with hyphens too, so that only what looks like an option's name is repeated.
 */
export function usageError(error: CommanderError): AutokestraError {
  if (error.code === "commander.unknownOption") {
    const name = OPTION_NAME.exec(error.message.replace(/\n\(Did you mean[\s\S]*$/, ""))?.[1];
    return new AutokestraError("USAGE", name === undefined ? "Unknown option" : `Unknown option '${name}'`, {
      hint: "`--help` shows the options. A value that begins with '-' goes to standard input.",
    });
  }
  const [first = "", ...rest] = error.message.replace(/^error: /, "").split("\n");
  const hint = rest.join(" ").replace(/^\(|\)$/g, "");
  return new AutokestraError("USAGE", first, { hint: hint || "`--help` shows how it is used." });
}
