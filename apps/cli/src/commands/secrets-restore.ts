import { type CommandContext, withSecrets } from "../command-context.ts";
import { toJson } from "../secret-json.ts";

/** Puts a deleted secret back into use. */
export async function restoreSecret(context: CommandContext, name: string): Promise<void> {
  const { terminal } = context;
  const metadata = await withSecrets(context, false, async (secrets) => await secrets.restore(name));
  if (terminal.json) terminal.write(`${JSON.stringify(toJson(metadata))}\n`);
  else terminal.note(`Secret '${name}' is back, with version ${metadata.version}`);
}
