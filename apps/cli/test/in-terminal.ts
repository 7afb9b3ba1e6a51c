import { inTerminal as inAnyTerminal, type Step, type TerminalResult } from "@autokestra/test-kit";
import { CLI, type Sandbox } from "./run-cli.ts";

/** Runs the command in a pseudo-terminal of its own. */
export async function inTerminal(
  box: Sandbox,
  args: readonly string[],
  steps: readonly Step[],
  { columns = 80, term = "xterm" }: { readonly columns?: number; readonly term?: string } = {},
): Promise<TerminalResult> {
  const env = { PATH: process.env["PATH"], HOME: `${box.folder}/home`, TERM: term };
  return await inAnyTerminal({ argv: [process.execPath, CLI, ...args], env, cwd: box.folder, columns, steps });
}
