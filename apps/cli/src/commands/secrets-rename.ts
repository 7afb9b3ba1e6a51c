import { type CommandContext, withSecrets } from "../command-context.ts";
import { parseNameArgument } from "../rejected-input.ts";
import { toJson } from "../secret-json.ts";

/** Gives a secret another name. */
export async function renameSecret(context: CommandContext, fromText: string, toText: string): Promise<void> {
  const { terminal } = context;
  const from = parseNameArgument(fromText);
  const to = parseNameArgument(toText);
  const metadata = await withSecrets(context, false, async (secrets) => await secrets.rename(from, to));
  if (terminal.json) return terminal.write(`${JSON.stringify(toJson(metadata))}\n`);
  terminal.note(`Secret '${from}' is now '${to}'. Workflows that name '${from}' must be changed`);
}
