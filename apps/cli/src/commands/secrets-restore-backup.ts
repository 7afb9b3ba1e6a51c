import { restoreBackup } from "@autokestra/secrets";
import { plural } from "@autokestra/secrets-core/internal";
import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";
import { withProgress } from "../output/progress-bar.ts";

export const command: CommandDefinition = defineCommand({
  declare: (parser) => parser.argument("<file>", "path of the backup"),
  examples: [
    "autokestra secrets restore-backup /backups/secrets-2027-01-31.db",
    "autokestra secrets restore-backup ./copy.db --key-file ~/.autokestra/secret.key.1f2e3d4c5b6a7988",
  ],
  run: restoreFromBackup,
});

/** Replaces the store with a backup. */
async function restoreFromBackup({ terminal, place }: CommandContext, file: string): Promise<void> {
  const report = await withProgress(
    terminal,
    "Decrypting every record",
    async ({ onProgress, onNotice }) => await restoreBackup({ ...place, onNotice }, file, onProgress),
  );
  if (terminal.json) return terminal.write(`${JSON.stringify(report)}\n`);
  const { secrets, versions, kept, tookKeys } = report;
  const before = kept === null ? "" : `. The old store is kept: ${kept}`;
  terminal.note(`Restored: ${plural(secrets, "secret")}, ${plural(versions, "version")}${before}`);
  if (tookKeys) {
    terminal.note(
      "note: no store here could be opened, so the keys are now those of the backup: it needs the master key of that time",
    );
  }
}
