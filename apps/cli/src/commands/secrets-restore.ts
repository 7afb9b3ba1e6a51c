import { type CommandContext, withSecrets } from "../command-context.ts";
import { parseNameArgument } from "../rejected-input.ts";
import { toJson } from "../secret-json.ts";

export interface RestoreOptions {
  readonly id?: string;
}

/** Puts a deleted secret back into use. */
export async function restoreSecret(context: CommandContext, nameText: string, { id }: RestoreOptions): Promise<void> {
  const { terminal } = context;
  const name = parseNameArgument(nameText);
  const metadata = await withSecrets(context, false, async (secrets) => await secrets.restore(name, { id }));
  if (terminal.json) terminal.write(`${JSON.stringify(toJson(metadata))}\n`);
  else terminal.note(`Secret '${name}' is back, with version ${metadata.version}`);
}
