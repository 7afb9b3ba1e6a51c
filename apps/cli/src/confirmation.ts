import { AutokestraError } from "@autokestra/secrets-core";
import type { Parser } from "./command.ts";
import type { Terminal } from "./output/terminal.ts";

/** The options of a command that asks before it does something. */
export interface ForceOptions {
  readonly force?: boolean;
  /** An alias of `force` that other programs use. */
  readonly yes?: boolean;
}

/** Adds {@link ForceOptions}. */
export function addForceOptions(parser: Parser): Parser {
  return parser
    .option("-f, --force", "no confirmation")
    .addOption(parser.createOption("-y, --yes", "no confirmation; the same as --force").hideHelp());
}

/**
 * Checks, before any work, that somebody can be asked.
 *
 * @param what the question is about, such as `delete runs`
 * @throws AutokestraError `USAGE`
 */
export function checkCanAsk({ inputIsTty }: Terminal, what: string, hint: string): void {
  if (inputIsTty) return;
  throw new AutokestraError("USAGE", `Not at a terminal, so nobody can be asked whether to ${what}`, { hint });
}
