import { AutokestraError } from "@autokestra/secrets-core";
import { type CommandContext, withSecrets } from "../command-context.ts";

export interface DeleteOptions {
  readonly force?: boolean;
}

/** Deletes a secret, after asking. */
export async function deleteSecret(context: CommandContext, name: string, { force }: DeleteOptions): Promise<void> {
  const { terminal } = context;
  if (!force && !terminal.inputIsTty) {
    throw new AutokestraError("USAGE", "There is nobody to ask whether to delete it", { hint: "Add --force." });
  }
  await withSecrets(context, false, async (secrets) => {
    if (!force && (await secrets.describe(name)) !== null) {
      const { confirmOrExit } = await import("../prompt.ts");
      if (!(await confirmOrExit(`Delete secret '${name}'?`))) return terminal.note("Nothing was deleted");
    }
    await secrets.delete(name);
    terminal.note(`Secret '${name}' deleted`);
  });
}
