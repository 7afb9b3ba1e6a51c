import type { SecretMetadata } from "@autokestra/secrets-core";
import { type CommandContext, withSecrets } from "../command-context.ts";
import { printTable } from "../print-table.ts";
import { parseNameArgument } from "../rejected-input.ts";
import { toJson } from "../secret-json.ts";

const HEADER = ["VERSION", "TYPE", "UPDATED", "EXPIRES", "TAGS", "DESCRIPTION"];

/** Lists the versions of a secret, the newest first. */
export async function listVersions(context: CommandContext, nameText: string): Promise<void> {
  const { terminal } = context;
  const name = parseNameArgument(nameText);
  const versions = await withSecrets(context, false, async (secrets) => await secrets.versions(name));
  if (terminal.json) return terminal.write(`${JSON.stringify(versions.map(toJson))}\n`);
  await printTable(terminal, HEADER, versions.map(toRow));
}

function toRow({ version, type, updatedAt, expiresAt, tags, description }: SecretMetadata): string[] {
  return [String(version), type, updatedAt, expiresAt ?? "", tags.join(","), description ?? ""];
}
