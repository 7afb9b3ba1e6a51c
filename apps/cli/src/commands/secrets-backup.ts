import { backUpStore } from "@autokestra/secrets";
import { quotePath } from "@autokestra/secrets-core/internal";
import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";

export const command: CommandDefinition = defineCommand({
  declare: (parser) => parser.argument("<file>", "path of the backup, which must not exist yet"),
  examples: ["autokestra secrets backup /backups/secrets-2027-01-31.db", "autokestra secrets backup ./copy.db --json"],
  run: backUp,
});

/** Writes a copy of the store. */
async function backUp({ terminal, place }: CommandContext, file: string): Promise<void> {
  const report = await backUpStore(place, file);
  if (terminal.json) return terminal.write(`${JSON.stringify(report)}\n`);
  terminal.note(
    `The store was copied to ${quotePath(report.file)}, still encrypted. It opens only with the master key, which is not in it`,
  );
}
