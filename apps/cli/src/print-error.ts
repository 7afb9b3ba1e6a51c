import { getSystemErrorMap } from "node:util";
import { AutokestraError } from "@autokestra/secrets-core";
import { EXIT, EXIT_CODES } from "./exit-code.ts";
import { hintFor } from "./hints.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Tells what went wrong, on standard error. Returns the exit code.
 *
 * @param command which one failed, such as `secrets set`: it decides about the hint. Default: none
 */
export function printError(error: unknown, terminal: Terminal, command = ""): number {
  if (!(error instanceof AutokestraError)) return printInternal(error, terminal);
  const { code, message } = error;
  const hint = hintFor(error, command) ?? null;
  if (terminal.json) {
    const problems = "problems" in error ? { problems: error.problems } : {};
    terminal.warn(JSON.stringify({ error: { code, message, hint, ...problems } }));
  } else {
    terminal.warn(`error: ${message}`);
    if ("frames" in error && error.frames !== "") terminal.warn(String(error.frames));
    if (hint !== null) terminal.warn(`hint: ${hint}`);
  }
  printTrace(error, terminal);
  return EXIT_CODES[code];
}

/** The message of an error that nobody expected may hold anything: it is not shown. */
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

/** What the operating system calls an error, such as `too many open files (EMFILE)`; null where it is none of the system's. */
function systemRefusal(error: unknown): string | null {
  const errno = error instanceof Error && "errno" in error ? Number(error.errno) : Number.NaN;
  const known = getSystemErrorMap().get(errno);
  return known === undefined ? null : `${known[1]} (${known[0]})`;
}

/** Only the places: the first lines of a stack repeat the message. */
function printTrace(error: unknown, terminal: Terminal): void {
  if (process.env["AUTOKESTRA_DEBUG"] !== "1" || !(error instanceof Error)) return;
  const places = error.stack?.split("\n").filter((line) => /^\s+at /.test(line)) ?? [];
  terminal.warn(places.join("\n"));
}
