import { type CommandContext, withSecrets } from "../command-context.ts";
import { parseWholeNumber } from "../options.ts";
import { parseNameArgument } from "../rejected-input.ts";
import { toJson } from "../secret-json.ts";

export interface RollbackOptions {
  readonly to: string;
}

/** Makes an older version the newest. */
export async function rollBackSecret(
  context: CommandContext,
  nameText: string,
  options: RollbackOptions,
): Promise<void> {
  const { terminal } = context;
  const name = parseNameArgument(nameText);
  const to = parseWholeNumber("--to", options.to);
  const metadata = await withSecrets(context, false, async (secrets) => await secrets.rollback(name, to));
  if (terminal.json) terminal.write(`${JSON.stringify(toJson(metadata))}\n`);
  else terminal.note(`Secret '${name}' has the value of version ${to} again, as version ${metadata.version}`);
}
