import { metadataToJson } from "@autokestra/secrets-core";
import {
  type CommandContext,
  type CommandDefinition,
  defineCommand,
  parseWholeNumber,
  SECRET_NAME,
} from "../command.ts";
import { parseNameArgument } from "../rejected-input.ts";
import { withSecrets } from "../secrets.ts";

interface RollbackOptions {
  readonly to: string;
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) => parser.argument("<name>", SECRET_NAME).requiredOption("--to <n>", "version to go back to"),
  examples: ["autokestra secrets rollback DB --to 3", "autokestra secrets rollback DB --to 3 --json"],
  run: rollBackSecret,
});

/** Makes an older version the newest. */
async function rollBackSecret(context: CommandContext, nameText: string, options: RollbackOptions): Promise<void> {
  const { terminal } = context;
  const name = parseNameArgument(nameText);
  const to = parseWholeNumber("--to", options.to);
  const metadata = await withSecrets(context, false, async (secrets) => await secrets.rollback(name, to));
  if (terminal.json) terminal.write(`${JSON.stringify(metadataToJson(metadata))}\n`);
  else terminal.note(`Secret '${name}' was rolled back to the value of version ${to}, as version ${metadata.version}`);
}
