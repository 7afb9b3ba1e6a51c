import { AutokestraError } from "@autokestra/secrets-core";
import { type CommandContext, withSecrets } from "../command-context.ts";

export interface DeleteOptions {
  readonly force?: boolean;
  readonly purge?: boolean;
}

/** Deletes a secret, after asking. */
export async function deleteSecret(
  context: CommandContext,
  name: string,
  { force = false, purge = false }: DeleteOptions,
): Promise<void> {
  const { terminal } = context;
  if (!force && !terminal.inputIsTty) {
    throw new AutokestraError("USAGE", "Not at a terminal, so nobody can be asked whether to delete it", {
      hint: "Add --force.",
    });
  }
  await withSecrets(context, false, async (secrets) => {
    if (!force && (await secrets.describe(name)) !== null) {
      const { confirmOrExit } = await import("../prompt.ts");
      const question = purge ? `Remove secret '${name}' and all its versions for good?` : `Delete secret '${name}'?`;
      if (!(await confirmOrExit(question))) return terminal.note("Nothing was deleted");
    }
    await secrets.delete(name, { purge });
    if (terminal.json) terminal.write(`${JSON.stringify({ deleted: name, purged: purge })}\n`);
    else if (purge) terminal.note(`Secret '${name}' removed for good`);
    else terminal.note(`Secret '${name}' deleted; for 30 days \`autokestra secrets restore ${name}\` brings it back`);
  });
}
