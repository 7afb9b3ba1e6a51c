import { fieldNotFound, primaryField } from "@autokestra/secrets-core/internal";
import {
  type CommandContext,
  type CommandDefinition,
  defineCommand,
  parseWholeNumber,
  SECRET_NAME,
} from "../command.ts";
import { parseNameArgument, shownInput } from "../rejected-input.ts";
import { withSecrets } from "../secrets.ts";

interface GetOptions {
  readonly field?: string;
  readonly atVersion?: string;
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    parser
      .argument("<name>", SECRET_NAME)
      .option("--field <field>", "name of the only field to print")
      .option("--at-version <n>", "version to read, instead of the newest one"),
  examples: ["autokestra secrets get GITHUB_TOKEN", "autokestra secrets get DB --field password --at-version 2"],
  prints: true,
  run: getSecret,
});

/** Prints the value of a secret and nothing else. */
async function getSecret(context: CommandContext, nameText: string, { field, ...options }: GetOptions): Promise<void> {
  const { terminal } = context;
  const name = parseNameArgument(nameText);
  const atVersion = parseWholeNumber("--at-version", options.atVersion);
  const { metadata, fields } = await withSecrets(
    context,
    false,
    async (secrets) => await secrets.get(name, { atVersion, fields: field === undefined ? undefined : [field] }),
  );
  const names = Object.keys(fields);
  if (field !== undefined && !names.includes(field)) throw fieldNotFound(shownInput(field), name, names);
  terminal.note("warning: the value of a secret is shown here; do not leave it in a log or a screenshot");
  const wanted = field ?? primaryField(metadata.type, names);
  if (terminal.json) {
    const shown = field === undefined ? fields : { [field]: fields[field] };
    const { type, version } = metadata;
    terminal.write(`${JSON.stringify({ name, type, version, fields: shown })}\n`);
    return;
  }
  const value = wanted === null ? fields : fields[wanted];
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  terminal.write(terminal.outputIsTty ? `${text}\n` : text);
}
