import { fieldNotFound, primaryField } from "@autokestra/secrets-core";
import { type CommandContext, withSecrets } from "../command-context.ts";
import { parseWholeNumber } from "../options.ts";
import { parseNameArgument, shownInput } from "../rejected-input.ts";

export interface GetOptions {
  readonly field?: string;
  readonly atVersion?: string;
}

/** Prints the value of a secret and nothing else. */
export async function getSecret(
  context: CommandContext,
  nameText: string,
  { field, ...options }: GetOptions,
): Promise<void> {
  const { terminal } = context;
  const name = parseNameArgument(nameText);
  const atVersion = options.atVersion === undefined ? undefined : parseWholeNumber("--at-version", options.atVersion);
  const { metadata, fields } = await withSecrets(
    context,
    false,
    async (secrets) => await secrets.get(name, { atVersion }),
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
