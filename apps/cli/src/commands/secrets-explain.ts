import type { Explanation } from "@autokestra/secrets-core";
import { type CommandContext, type CommandDefinition, defineCommand, SECRET_NAME } from "../command.ts";
import { EXIT } from "../exit.ts";
import { describeExplanation, explanationToJson } from "../explanation.ts";
import { hideArguments, parseNameArgument } from "../rejected-input.ts";
import { withEngine } from "../secrets.ts";

interface ExplainOptions {
  /** `--no-env` makes it false. */
  readonly env: boolean;
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    parser.argument("<name>", SECRET_NAME).option("--no-env", "no declared secrets from environment variables"),
  examples: ["autokestra secrets explain DB", "autokestra secrets explain DB --json"],
  prints: true,
  run: explain,
});

/** Prints which source a run would read a secret from. Returns the exit code: that of a missing secret if no source has it. */
async function explain(context: CommandContext, nameText: string, { env }: ExplainOptions): Promise<number> {
  const { terminal } = context;
  const name = parseNameArgument(nameText);
  const explanation: Explanation = await withEngine(
    context,
    { environment: env ? undefined : false },
    async (engine) => await engine.explain(name),
  );
  const { source, binding, asked } = explanation;
  const text = terminal.json ? `${JSON.stringify(explanationToJson(explanation))}\n` : describeExplanation(explanation);
  // A name that nothing knows can be a value that was pasted.
  terminal.write(source === null && binding === undefined ? hideArguments(text, [nameText], true) : text);
  if (source !== null) return EXIT.done;
  return asked.every(({ status }) => status === "notFound") ? EXIT.notFound : EXIT.failed;
}
