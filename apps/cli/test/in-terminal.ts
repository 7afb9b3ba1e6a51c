import { inTerminal as inAnyTerminal, type Step, type TerminalResult } from "@autokestra/test-kit";
import { CLI, type Sandbox } from "./run-cli.ts";

interface TerminalOptions {
  readonly columns?: number;
  readonly term?: string;
  /** Default: PATH, HOME and TERM alone. */
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs the command in a pseudo-terminal of its own. */
export async function inTerminal(
  box: Sandbox,
  args: readonly string[],
  steps: readonly Step[],
  { columns = 80, term = "xterm", env: more = {} }: TerminalOptions = {},
): Promise<TerminalResult> {
  const env = { PATH: process.env["PATH"], HOME: `${box.folder}/home`, TERM: term, ...more };
  return await inAnyTerminal({ argv: [process.execPath, CLI, ...args], env, cwd: box.folder, columns, steps });
}
