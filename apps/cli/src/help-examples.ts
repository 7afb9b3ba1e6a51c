import type { Command } from "commander";

/** Ends the help of a command with examples of its use. */
export function withExamples(command: Command, examples: readonly string[]): void {
  const lines = examples.map((example) => `  $ ${example}\n`).join("");
  command.addHelpText("after", `\nExamples:\n${lines.trimEnd()}`);
}
