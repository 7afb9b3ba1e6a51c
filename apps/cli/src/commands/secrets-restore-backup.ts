import { restoreBackup } from "@autokestra/secrets";
import { readTextFile } from "@autokestra/secrets/internal";
import { plural, quotePath } from "@autokestra/secrets-core/internal";
import { type CommandContext, type CommandDefinition, collect, defineCommand } from "../command.ts";
import { withProgress } from "../output/progress-bar.ts";

interface RestoreBackupOptions {
  readonly identity?: readonly string[];
  readonly passphraseFile?: string;
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    parser
      .argument("<file>", "path of the backup")
      .option("--identity <file>", "path of age identities that decrypt an encrypted backup; may be repeated", collect)
      .option("--passphrase-file <file>", "path of the passphrase that decrypts an encrypted backup"),
  examples: [
    "autokestra secrets restore-backup /backups/secrets-2027-01-31.db",
    "autokestra secrets restore-backup /backups/secrets.age --identity ~/age-identity.txt",
  ],
  run: restoreFromBackup,
});

/** Replaces the store with a backup. */
async function restoreFromBackup(
  { terminal, place }: CommandContext,
  file: string,
  { identity = [], passphraseFile }: RestoreBackupOptions,
): Promise<void> {
  const identities = (await Promise.all(identity.map(readIdentities))).flat();
  const passphrase = passphraseFile === undefined ? undefined : await readTextFile(passphraseFile);
  const report = await withProgress(
    terminal,
    "Decrypting every record",
    async ({ onProgress, onNotice }) =>
      await restoreBackup({ ...place, onNotice }, file, { identities, passphrase, onVerified: onProgress }),
  );
  if (terminal.json) return terminal.write(`${JSON.stringify(report)}\n`);
  const { secrets, versions, kept, tookKeys, keyFile } = report;
  const before = kept === null ? "" : `. The old store is kept: ${kept}`;
  terminal.note(`Restored: ${plural(secrets, "secret")}, ${plural(versions, "version")}${before}`);
  if (keyFile !== null) {
    const next = place.keyFile === undefined ? "Keep a copy of it elsewhere" : "Name it with --key-file from now on";
    terminal.note(`The master key of the backup was written to ${quotePath(keyFile)}. ${next}`);
  } else if (tookKeys) {
    terminal.note(
      "note: no store here could be opened, so the keys are now those of the backup: the store needs its master key",
    );
  }
}

/** Reads a file as `age-keygen` writes it: an identity in each line, and comments. */
async function readIdentities(path: string): Promise<readonly string[]> {
  const lines = (await readTextFile(path)).split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "" && !line.startsWith("#"));
}
