import { AutokestraError, plural, type SecretMetadata, type SecretName } from "@autokestra/secrets-core";
import { type CommandContext, withSecrets } from "../command-context.ts";
import { parseNameArgument } from "../rejected-input.ts";

export interface DeleteOptions {
  readonly force?: boolean;
  readonly purge?: boolean;
}

/** Deletes a secret, or removes everything of its name for good, after asking. */
export async function deleteSecret(
  context: CommandContext,
  nameText: string,
  { force = false, purge = false }: DeleteOptions,
): Promise<void> {
  const { terminal } = context;
  const name = parseNameArgument(nameText);
  if (!force && !terminal.inputIsTty) {
    throw new AutokestraError("USAGE", "Not at a terminal, so nobody can be asked whether to delete it", {
      hint: "Add --force.",
    });
  }
  await withSecrets(context, false, async (secrets) => {
    const found = (await secrets.list({ name, state: purge ? "all" : "active" })).filter((one) => one.name === name);
    if (!force && found.length > 0) {
      const { confirmOrExit } = await import("../prompt.ts");
      if (!(await confirmOrExit(question(name, found, purge)))) return terminal.note("Nothing was deleted");
    }
    await secrets.delete(name, { purge });
    if (terminal.json) terminal.write(`${JSON.stringify(toJson(name, found, purge))}\n`);
    else if (purge) terminal.note(`${describe(name, found)} removed for good`);
    else terminal.note(`Secret '${name}' deleted; for 30 days \`autokestra secrets restore ${name}\` brings it back`);
  });
}

function question(name: SecretName, found: readonly SecretMetadata[], purge: boolean): string {
  if (!purge) return `Delete secret '${name}'?`;
  const deleted = found.filter(({ deletedAt }) => deletedAt !== null).length;
  const among = deleted === 0 ? "" : deleted === found.length ? ", already deleted," : ` (${deleted} already deleted)`;
  return `Remove ${describe(name, found).replace("Secret", "secret")}${among} with all versions for good?`;
}

/** `Secret 'A'`, or `3 secrets named 'A'` with the deleted ones among them. */
function describe(name: SecretName, found: readonly SecretMetadata[]): string {
  return found.length <= 1 ? `Secret '${name}'` : `${plural(found.length, "secret")} named '${name}'`;
}

function toJson(name: SecretName, found: readonly SecretMetadata[], purge: boolean): object {
  return { deleted: name, purged: purge, ...(purge ? { secrets: found.length } : {}) };
}
