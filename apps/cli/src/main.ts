import { errorCode } from "@autokestra/secrets-core/internal";
import type { CommandLine, ProgramState } from "./command-line.ts";
import { commandsFor } from "./commands.ts";
import { printError, systemRefusal } from "./errors.ts";
import { EXIT, exitOnSignals, signalExitOr } from "./exit.ts";
import { standardError, standardOutput, type Terminal } from "./output/terminal.ts";
import { readPlain } from "./plain-command-line.ts";

/** The error codes for a pipe or a socket whose reader has closed it. */
const READER_LEFT = new Set(["EPIPE", "ECONNRESET"]);

/** Runs one command and waits until its output is written. Returns its exit code. */
export async function main(args: readonly string[]): Promise<number> {
  exitOnSignals();
  const state: ProgramState = { exitCode: EXIT.done, help: "", command: "", prints: true };
  const line = await readCommandLine(args, state);
  tellLostOutput(line.context().terminal, state);
  // Node would print everything that an uncaught error contains.
  process.on("uncaughtException", (error) => process.exit(printError(error, line.context().terminal)));
  const leave = tellStall(line);
  const exitCode = await runLine(line, args, state);
  const code = await finishOutput(line.context().terminal, state, exitCode);
  leave();
  return code;
}

/**
 * Reports that the process has nothing left to wait for in the middle of a command: Node then ends it silently.
 *
 * @returns to be called when the command has ended
 */
function tellStall(line: CommandLine): () => void {
  let isStalled = false;
  const stall = () => {
    // Another listener may still schedule work.
    isStalled = true;
  };
  const tell = () => {
    if (isStalled) printError(new Stall(), line.context().terminal);
  };
  process.on("beforeExit", stall).on("exit", tell);
  return () => process.off("beforeExit", stall).off("exit", tell);
}

class Stall extends Error {
  override readonly name = "there was nothing left to wait for";
}

async function readCommandLine(args: readonly string[], state: ProgramState): Promise<CommandLine> {
  const entries = commandsFor(args);
  const [entry] = entries;
  const plain = entry !== undefined && entries.length === 1 ? await readPlain(entry, args, state) : null;
  if (plain !== null) return plain;
  const { createCommandLine } = await import("./program.ts");
  return await createCommandLine(entries, args, state);
}

async function runLine(line: CommandLine, args: readonly string[], state: ProgramState): Promise<number> {
  try {
    await line.run();
    return state.exitCode;
  } catch (error) {
    const { command } = state;
    return signalExitOr(printError(error, line.context().terminal, { command, args }));
  }
}

/** Warns once if the output of a command cannot be written while its work continues. */
function tellLostOutput(terminal: Terminal, state: ProgramState): void {
  standardOutput().onFailure = (error) => {
    if (state.prints) return;
    terminal.warn(`warning: the output could not be written: ${reasonOf(error)}. The command continues without it`);
  };
}

/**
 * Waits until all output is written, as long as the reader needs. Returns the exit code: failed output changes only
 * that of commands whose purpose is printing.
 */
async function finishOutput(terminal: Terminal, { prints }: ProgramState, exitCode: number): Promise<number> {
  await standardOutput().drained();
  const { failure } = standardOutput();
  const code = failure !== null && prints ? failedPrint(terminal, failure) : exitCode;
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
