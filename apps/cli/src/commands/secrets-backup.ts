import { backUpStore } from "@autokestra/secrets";
import { readTextFile } from "@autokestra/secrets/internal";
import { AutokestraError } from "@autokestra/secrets-core";
import { quotePath } from "@autokestra/secrets-core/internal";
import { type CommandContext, type CommandDefinition, collect, defineCommand } from "../command.ts";
import { USE_HINTS } from "../hints.ts";

interface BackupOptions {
  readonly recipient?: readonly string[];
  readonly passphraseFile?: string;
  readonly withKey?: boolean;
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    parser
      .argument("<file>", "path of the backup, which must not exist yet")
      .option("--recipient <recipient>", "age recipient that the whole file is encrypted to; may be repeated", collect)
      .option("--passphrase-file <file>", "path of a passphrase that the whole file is encrypted with")
      .option("--with-key", "master key in the encrypted file as well, so that nothing else is needed to restore it"),
  examples: [
    "autokestra secrets backup /backups/secrets-2027-01-31.db",
    "autokestra secrets backup /backups/secrets.age --recipient age1… --with-key",
  ],
  run: backUp,
});

/** Writes a copy of the store. */
async function backUp({ terminal, place }: CommandContext, file: string, options: BackupOptions): Promise<void> {
  const { recipient: recipients, passphraseFile, withKey = false } = options;
  const isEncrypted = recipients !== undefined || passphraseFile !== undefined;
  if (withKey && !isEncrypted) {
    throw new AutokestraError("USAGE", "The master key is put into an encrypted backup only", {
      hint: USE_HINTS.encryptBackup,
    });
  }
  const passphrase = passphraseFile === undefined ? undefined : await readTextFile(passphraseFile);
  const encryption = isEncrypted ? { recipients, passphrase, withKey } : undefined;
  const report = await backUpStore(place, file, encryption);
  if (terminal.json) return terminal.write(`${JSON.stringify(report)}\n`);
  const path = quotePath(report.file);
  terminal.note(isEncrypted ? describeEncrypted(path, withKey) : describeCopy(path));
}

function describeCopy(path: string): string {
  return `The store was copied to ${path}, still encrypted. Restoring it needs the master key, which is not in it`;
}

function describeEncrypted(path: string, hasKey: boolean): string {
  const key = hasKey
    ? "It contains the master key: anyone who can decrypt it can read all secrets"
    : "Restoring it needs the master key, which is not in it";
  return `The store was encrypted into ${path}, read back and compared. ${key}`;
}
