import { AutokestraError } from "@autokestra/secrets-core";
import { type CommandContext, withSecrets } from "../command-context.ts";

export interface DeleteOptions {
  readonly force?: boolean;
}

/** Deletes a secret, after asking. */
export async function deleteSecret(context: CommandContext, name: string, { force }: DeleteOptions): Promise<void> {
  const { terminal } = context;
  if (!force && !terminal.inputIsTty) {
    throw new AutokestraError("USAGE", "Not at a terminal, so nobody can be asked whether to delete it", {
      hint: "Add --force.",
    });
  }
  await withSecrets(context, false, async (secrets) => {
    if (!force && (await secrets.describe(name)) !== null) {
      const { confirmOrExit } = await import("../prompt.ts");
      if (!(await confirmOrExit(`Delete secret '${name}'?`))) return terminal.note("Nothing was deleted");
    }
    await secrets.delete(name);
    if (terminal.json) terminal.write(`${JSON.stringify({ deleted: name })}\n`);
    else terminal.note(`Secret '${name}' deleted`);
  });
}
