import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { CLI, type Sandbox } from "./run-cli.ts";

/** What a person does, or waits for, at a terminal. */
export type Step =
  | { readonly wait: string }
  | { readonly send: string; readonly bytes?: boolean }
  | { readonly signal: NodeJS.Signals }
  | { readonly pause: number };

export interface TerminalResult {
  readonly output: string;
  /** Null where it had to be killed. */
  readonly code: number | null;
  /** The settings of the terminal are those of before. */
  readonly restored: boolean;
}

/** Runs the command in a pseudo-terminal of its own (`in_terminal.py`). */
export async function inTerminal(
  box: Sandbox,
  args: readonly string[],
  steps: readonly Step[],
  { columns = 80, term = "xterm" }: { readonly columns?: number; readonly term?: string } = {},
): Promise<TerminalResult> {
  const task = {
    argv: [process.execPath, CLI, ...args],
    env: { PATH: process.env["PATH"] ?? "", HOME: `${box.folder}/home`, TERM: term },
    cwd: box.folder,
    columns,
    steps,
  };
  const child = spawn("python3", [fileURLToPath(new URL("in_terminal.py", import.meta.url))], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.end(JSON.stringify(task));
  const chunks: Buffer[] = [];
  for await (const chunk of child.stdout) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}
