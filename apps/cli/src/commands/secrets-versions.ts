import type { SecretMetadata } from "@autokestra/secrets-core";
import { metadataToJson } from "@autokestra/secrets-core";
import { type CommandContext, type CommandDefinition, defineCommand, SECRET_NAME } from "../command.ts";
import { printTable } from "../output/table.ts";
import { parseNameArgument } from "../rejected-input.ts";
import { withSecrets } from "../secrets.ts";

const HEADER = ["VERSION", "TYPE", "UPDATED", "EXPIRES", "TAGS", "DESCRIPTION"];

export const command: CommandDefinition = defineCommand({
  declare: (parser) => parser.argument("<name>", SECRET_NAME),
  examples: ["autokestra secrets versions DB", "autokestra secrets versions DB --json"],
  prints: true,
  run: listVersions,
});

/** Lists the versions of a secret, the newest first. */
async function listVersions(context: CommandContext, nameText: string): Promise<void> {
  const { terminal } = context;
  const name = parseNameArgument(nameText);
  const versions = await withSecrets(context, false, async (secrets) => await secrets.versions(name));
  if (terminal.json) return terminal.write(`${JSON.stringify(versions.map(metadataToJson))}\n`);
  await printTable(terminal, HEADER, versions.map(toRow));
}

function toRow({ version, type, updatedAt, expiresAt, tags, description }: SecretMetadata): string[] {
  return [String(version), type, updatedAt, expiresAt ?? "", tags.join(","), description ?? ""];
}
