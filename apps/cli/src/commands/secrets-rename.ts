import { metadataToJson } from "@autokestra/secrets-core";
import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";
import { parseNameArgument } from "../rejected-input.ts";
import { withSecrets } from "../secrets.ts";

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    parser.argument("<from>", "current name of the secret").argument("<to>", "new name of the secret"),
  examples: ["autokestra secrets rename TOKN TOKEN", "autokestra secrets rename DB DB_OLD --json"],
  run: renameSecret,
});

/** Gives a secret another name. */
async function renameSecret(context: CommandContext, fromText: string, toText: string): Promise<void> {
  const { terminal } = context;
  const from = parseNameArgument(fromText);
  const to = parseNameArgument(toText);
  const metadata = await withSecrets(context, false, async (secrets) => await secrets.rename(from, to));
  if (terminal.json) return terminal.write(`${JSON.stringify(metadataToJson(metadata))}\n`);
  terminal.note(`Secret '${from}' is now '${to}'. Change workflows that use '${from}'`);
}
