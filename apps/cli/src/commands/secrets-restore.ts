import { metadataToJson } from "@autokestra/secrets-core";
import { type CommandContext, type CommandDefinition, defineCommand, SECRET_NAME } from "../command.ts";
import { parseNameArgument } from "../rejected-input.ts";
import { withSecrets } from "../secrets.ts";

interface RestoreOptions {
  readonly id?: string;
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    parser.argument("<name>", SECRET_NAME).option("--id <id>", "id of another deleted secret of that name"),
  examples: [
    "autokestra secrets restore GITHUB_TOKEN",
    "autokestra secrets restore GITHUB_TOKEN --id 0b9c2f3e-8a41-4a53-9c56-2f9a0c1d7e88",
  ],
  run: restoreSecret,
});

/** Restores a deleted secret. */
async function restoreSecret(context: CommandContext, nameText: string, { id }: RestoreOptions): Promise<void> {
  const { terminal } = context;
  const name = parseNameArgument(nameText);
  const metadata = await withSecrets(context, false, async (secrets) => await secrets.restore(name, { id }));
  if (terminal.json) terminal.write(`${JSON.stringify(metadataToJson(metadata))}\n`);
  else terminal.note(`Secret '${name}' is back, with version ${metadata.version}`);
}
