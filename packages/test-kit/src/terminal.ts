import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** What a person does, or waits for, at a terminal. */
export type Step =
  | { readonly wait: string }
  | { readonly waitForFile: string }
  | { readonly makeFile: string }
  | { readonly send: string; readonly bytes?: boolean }
  | { readonly signal: NodeJS.Signals }
  | { readonly pause: number };

/** A command, and what a person does with it. */
export interface TerminalTask {
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly columns: number;
  readonly steps: readonly Step[];
}

export interface TerminalResult {
  readonly output: string;
  /** Null where it had to be killed. */
  readonly code: number | null;
  /** Whether the settings of the terminal are the same as before. */
  readonly restored: boolean;
}

/** Runs a command in a pseudo-terminal of its own (`in_terminal.py`). */
export async function inTerminal(task: TerminalTask): Promise<TerminalResult> {
  const child = spawn("python3", [fileURLToPath(new URL("in_terminal.py", import.meta.url))], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.end(JSON.stringify(task));
  const chunks: Buffer[] = [];
  for await (const chunk of child.stdout) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}
