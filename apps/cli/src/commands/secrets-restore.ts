import { AutokestraError, metadataToJson, type SecretService } from "@autokestra/secrets-core";
import { type CommandContext, type CommandDefinition, defineCommand, SECRET_NAME } from "../command.ts";
import { parseNameArgument } from "../rejected-input.ts";
import { withSecrets } from "../secrets.ts";

interface RestoreOptions {
  readonly id?: string;
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    parser
      .argument("<name>", SECRET_NAME)
      .option("--id <id>", "id of another deleted secret of that name, or its first characters"),
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
  const metadata = await withSecrets(
    context,
    false,
    async (secrets) => await secrets.restore(name, { id: await wholeId(secrets, name, id) }),
  );
  if (terminal.json) terminal.write(`${JSON.stringify(metadataToJson(metadata))}\n`);
  else terminal.note(`Secret '${name}' was restored, with version ${metadata.version}`);
}

/** The id that begins like this: a narrow terminal shows no more of it. */
async function wholeId(secrets: SecretService, name: string, id: string | undefined): Promise<string | undefined> {
  if (id === undefined || id.length < 4) return id;
  const deleted = await secrets.list({ state: "deleted", prefix: name });
  const [found, ...others] = deleted.filter((secret) => secret.name === name && secret.id.startsWith(id));
  if (others.length === 0) return found?.id ?? id;
  throw new AutokestraError("USAGE", `Several deleted secrets '${name}' have ids that begin so`, {
    hint: "Give more characters of the id.",
  });
}
