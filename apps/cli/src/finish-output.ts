import { errorCode } from "@autokestra/secrets-core";
import { EXIT } from "./exit-code.ts";
import { standardError, standardOutput } from "./output.ts";
import { systemRefusal } from "./print-error.ts";
import type { Terminal } from "./terminal.ts";

/** The commands whose product is what they print; `--help` and `--version` have no name. All others work. */
const PRINTING = new Set([
  "",
  "check",
  "doctor",
  "export",
  "keys list",
  "runs list",
  "runs show",
  "secrets describe",
  "secrets get",
  "secrets list",
  "secrets versions",
]);

/** How the system says that nobody reads a pipe or a socket any more. */
const READER_LEFT = new Set(["EPIPE", "ECONNRESET"]);

/** Tells, once, when the output of a command that works cannot be written. The work goes on. */
export function tellLostOutput(terminal: Terminal, command: () => string): void {
  standardOutput().onFailure = (error) => {
    if (PRINTING.has(command())) return;
    terminal.warn(`warning: the output could not be written: ${reasonOf(error)}. The command goes on without it`);
  };
}

/**
 * Waits until all output is written, for as long as the reader needs. Returns the exit code: output trouble decides only over a
 * command whose product is what it prints.
 */
export async function finishOutput(terminal: Terminal, command: string, exitCode: number): Promise<number> {
  await standardOutput().drained();
  const { failure } = standardOutput();
  const code = failure !== null && PRINTING.has(command) ? failedPrint(terminal, failure) : exitCode;
  await standardError().drained();
  return code;
}

function failedPrint(terminal: Terminal, failure: Error): number {
  if (READER_LEFT.has(errorCode(failure))) return EXIT.done;
  const message = `The output could not be written: ${reasonOf(failure)}`;
  const hint = "What was written before is not complete.";
  if (terminal.json) terminal.warn(JSON.stringify({ error: { code: "OUTPUT_FAILED", message, hint } }));
  else terminal.warn(`error: ${message}\nhint: ${hint}`);
  return EXIT.failed;
}

function reasonOf(error: Error): string {
  return systemRefusal(error) ?? "unknown error";
}
