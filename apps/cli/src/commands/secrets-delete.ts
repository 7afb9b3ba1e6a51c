import {
  hasCode,
  RETENTION_DAYS,
  type SecretMetadata,
  type SecretName,
  type SecretService,
} from "@autokestra/secrets-core";
import { plural } from "@autokestra/secrets-core/internal";
import { type CommandContext, type CommandDefinition, defineCommand, SECRET_NAME } from "../command.ts";
import { addForceOptions, checkCanAsk, type ForceOptions } from "../confirmation.ts";
import { USE_HINTS } from "../hints.ts";
import { parseNameArgument } from "../rejected-input.ts";
import { withSecrets } from "../secrets.ts";

interface DeleteOptions extends ForceOptions {
  readonly purge?: boolean;
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    addForceOptions(
      parser
        .argument("<name>", SECRET_NAME)
        .option("--purge", "permanent removal of all secrets of that name, deleted ones included, with all versions"),
    ),
  examples: ["autokestra secrets delete GITHUB_TOKEN", "autokestra secrets delete GITHUB_TOKEN --purge --force"],
  run: deleteSecret,
});

/** Deletes a secret, or removes everything of its name for good, after asking. */
async function deleteSecret(
  context: CommandContext,
  nameText: string,
  { yes = false, force = yes, purge = false }: DeleteOptions,
): Promise<void> {
  const { terminal } = context;
  const name = parseNameArgument(nameText);
  if (!force) checkCanAsk(terminal, "delete it", USE_HINTS.force);
  await withSecrets(context, false, async (secrets) => {
    const asked = force ? null : await question(secrets, name, purge);
    if (asked !== null) {
      const { confirmOrExit } = await import("../input/prompt.ts");
      if (!(await confirmOrExit(asked))) return terminal.note("Nothing was deleted");
    }
    const count = await secrets.delete(name, { purge });
    if (terminal.json) terminal.write(`${JSON.stringify(toJson(name, count, purge))}\n`);
    else if (purge) terminal.note(`${describe(name, count)} removed for good`);
    else
      terminal.note(
        `Secret '${name}' deleted; for ${RETENTION_DAYS} days \`autokestra secrets restore ${name}\` restores it`,
      );
  });
}

/** The question to ask; null if nothing has the name. */
async function question(secrets: SecretService, name: SecretName, purge: boolean): Promise<string | null> {
  try {
    const found = await secrets.list({ name, state: purge ? "all" : "active" });
    if (found.length === 0) return null;
    return purge ? purgeQuestion(name, found) : `Delete secret '${name}'?`;
  } catch (error) {
    // Damaged secrets cannot be counted, but they can be removed.
    if (!purge || !hasCode(error, "STORE_CORRUPT")) throw error;
    return `Remove everything named '${name}' with all versions for good?`;
  }
}

function purgeQuestion(name: SecretName, found: readonly SecretMetadata[]): string {
  const deleted = found.filter(({ deletedAt }) => deletedAt !== null).length;
  const among = deleted === 0 ? "" : deleted === found.length ? ", already deleted," : ` (${deleted} already deleted)`;
  return `Remove ${describe(name, found.length).replace("Secret", "secret")}${among} with all versions for good?`;
}

/** `Secret 'A'`, or `3 secrets named 'A'` with the deleted ones among them. */
function describe(name: SecretName, count: number): string {
  return count <= 1 ? `Secret '${name}'` : `${plural(count, "secret")} named '${name}'`;
}

function toJson(name: SecretName, count: number, purge: boolean): object {
  return { deleted: name, purged: purge, ...(purge ? { secrets: count } : {}) };
}
