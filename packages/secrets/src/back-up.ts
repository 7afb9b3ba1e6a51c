import { fstatSync, lstatSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import {
  pathExists,
  streamPrivateFile,
  sweepTemporaryFiles,
  systemReason,
  withOpenFile,
} from "@autokestra/private-files";
import { AutokestraError, hasCode, type MasterKeyProvider, type SecretStore } from "@autokestra/secrets-core";
import { errorCode, quotePath, requireAbilities, storeUnavailable } from "@autokestra/secrets-core/internal";
import { createKeyManager, type Keyring } from "@autokestra/secrets-crypto";
import {
  fingerprintOfKey,
  keyFilePath,
  keyFolderOf,
  openKnownStores,
  parseHeader,
} from "@autokestra/secrets-crypto/internal";
import { recordOperation } from "./access/recorded-operation.ts";
import { type FolderDriver, folderDrivers, toStoreError } from "./drivers.ts";
import { type BackupCipher, type BackupEncryption, createBackupCipher, toPayload } from "./encrypted-backup.ts";
import { storeLocation } from "./folders.ts";
import type { Location } from "./location.ts";
import { createProvider, keyOptions, type SecretsOptions } from "./manager.ts";
import { findStore, noStoreYet } from "./open-store.ts";

export interface BackupReport {
  /** The absolute path of the backup. */
  readonly file: string;
  /** The name of the driver of the store. */
  readonly backend: string;
}

/**
 * Backs up the store into a file: a consistent copy with mode 0600, made while other processes read and write.
 * {@link restoreBackup} restores it.
 *
 * Without `encryption`, the copy is encrypted as the store is: names, descriptions and tags can be read in it, and it
 * needs the master key. With it, the whole file is encrypted, without a temporary file that is not, and it is read back
 * and compared before it gets its name.
 *
 * @param file the path of the new file, outside of the folder of the secrets
 * @throws AutokestraError `STORE_UNAVAILABLE` (no store yet, the file exists, the driver has no backups),
 * `STORE_CORRUPT`, `OPTION_INVALID`; for a backup with the key also `KEY_*` and `INTEGRITY_FAILED`
 *
 * @example
 * ```ts
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { backUpStore, openSecrets, restoreBackup } from "@autokestra/secrets";
 *
 * const folder = mkdtempSync(join(tmpdir(), "demo-"));
 * const options = { storagePath: join(folder, "secrets"), keyFile: join(folder, "secret.key") };
 * const secrets = await openSecrets(options);
 * await secrets.set({ name: "TOKEN", type: "apiKey", fields: { value: "s3cret-t0ken" } });
 * await secrets.close();
 *
 * const passphrase = "correct horse battery staple"; // or recipients: ["age1…"]
 * await backUpStore(options, join(folder, "backup.age"), { passphrase, withKey: true });
 *
 * // On another machine, with nothing but the file and the passphrase:
 * const restored = { storagePath: join(folder, "restored"), keyFile: join(folder, "restored.key") };
 * const report = await restoreBackup(restored, join(folder, "backup.age"), { passphrase });
 * console.log(report.secrets, report.keyFile === restored.keyFile); // prints 1 true
 * ```
 */
export async function backUpStore(
  options: SecretsOptions,
  file: string,
  encryption?: BackupEncryption,
): Promise<BackupReport> {
  const make = async () =>
    await recordOperation(options, "backup", async () => await backUp(options, file, encryption));
  return encryption?.withKey === true ? await recordOperation(options, "keys.export", make) : await make();
}

async function backUp(
  options: SecretsOptions,
  file: string,
  encryption: BackupEncryption | undefined,
): Promise<BackupReport> {
  const cipher = encryption === undefined ? null : await createBackupCipher(encryption);
  const found = await findStore(options);
  if (found === null) throw noStoreYet(storeLocation(options));
  const path = resolve(file);
  try {
    checkTarget(path, found.location, keyFilePath(keyOptions(options)));
    if (cipher === null) await requireAbilities(found.store, "backup").backup(path);
    else await writeEncrypted(path, cipher, async () => await payloadOf(found.store, options, encryption));
    await remember(options, path, await found.store.readHeader());
    return { file: path, backend: found.driver.name };
  } finally {
    await found.store.close();
  }
}

async function writeEncrypted(path: string, cipher: BackupCipher, read: () => Promise<Buffer>): Promise<void> {
  const exists = () => storeUnavailable(path, "it already exists", "Give the name of a new file.");
  try {
    if (pathExists(path)) throw exists();
    const payload = await read();
    const verify = async (temporary: string) => {
      if (!(await cipher.verify(temporary, payload))) throw storeUnavailable(path, "what was written is not read back");
    };
    try {
      if (!(await streamPrivateFile(path, cipher.encrypt(payload), verify))) throw exists();
    } finally {
      // It can contain the master key.
      payload.fill(0);
    }
    sweepTemporaryFiles(path);
  } catch (error) {
    throw toStoreError(error, path);
  }
}

/** Reads the store, and the master key that opens what was read: another process can replace it at any time. */
async function payloadOf(
  store: SecretStore,
  options: SecretsOptions,
  { withKey = false }: BackupEncryption = {},
): Promise<Buffer> {
  const copied = requireAbilities(store, "snapshot");
  if (!withKey) return toPayload(await copied.snapshot(), null);
  const provider = createProvider(options);
  const keys = createKeyManager(store, provider);
  try {
    for (;;) {
      const keyring = await keys.keyring();
      const masterKey = await masterKeyOf(keyring, provider);
      const content = await copied.snapshot();
      if ((await keys.keyring()).fingerprint === keyring.fingerprint) return toPayload(content, masterKey);
    }
  } finally {
    keys.close();
  }
}

/** Returns the master key that has opened a keyring. */
async function masterKeyOf({ fingerprint }: Keyring, provider: MasterKeyProvider): Promise<Buffer> {
  for await (const key of (await provider.search()).keys(fingerprint)) {
    const bytes = (await fingerprintOfKey(key, null)) === fingerprint ? await key.bytes(null) : null;
    if (bytes !== null) return Buffer.from(bytes);
  }
  throw new AutokestraError("KEY_INVALID", "The master key is a passphrase, which is not put into a backup", {
    hint: "Leave the key out, and keep the passphrase apart from the backup.",
  });
}

/** Records which key the backup needs. The header can be unreadable, because a damaged store can be backed up too. */
async function remember(options: SecretsOptions, path: string, header: string | null): Promise<void> {
  const fingerprint = header === null ? null : fingerprintIn(header);
  if (fingerprint === null) return;
  const known = openKnownStores(keyFolderOf(keyOptions(options)));
  await known.recordBackup({ path, fingerprint, madeAt: new Date().toISOString() });
}

function fingerprintIn(header: string): string | null {
  try {
    return parseHeader(header).header.fingerprint;
  } catch (error) {
    if (hasCode(error, "STORE_CORRUPT", "STORE_TOO_NEW")) return null;
    throw error;
  }
}

/** Refuses a path that the store, its files or the key has, or can have later. */
function checkTarget(path: string, location: Location, keyFile: string | null): void {
  const isBesideStore = location.kind === "folder" && dirname(path) === location.path;
  if (!isBesideStore && (keyFile === null || path !== resolve(keyFile))) return;
  throw new AutokestraError("OPTION_INVALID", `A backup cannot be written to ${quotePath(path)}`, {
    hint: "Give it a place outside of the secrets folder, better on another disk.",
  });
}

/** The maximum size of a backup in bytes, because it is read into memory. */
const MAX_SIZE = 1024 * 1024 * 1024;

export const BACKUP_HINT =
  "Nothing was changed. Use a file that a backup has written, and the master key that the store had then.";

/** Reads a file that may be a backup. @throws AutokestraError `STORE_CORRUPT`; `OPTION_INVALID` if there is no file */
export function readBackup(path: string): Buffer {
  const refuse = (problem: string) => backupUnusable(path, problem);
  try {
    const wal = lstatSync(`${path}-wal`, { throwIfNoEntry: false });
    if ((wal?.size ?? 0) > 0) throw refuse("is a database in use: make a backup of it instead");
    const content = withOpenFile(path, refuse, (descriptor) => {
      if (descriptor === null) return null;
      if (fstatSync(descriptor).size > MAX_SIZE) throw refuse("is larger than 1 GiB");
      return readFileSync(descriptor);
    });
    if (content !== null) return content;
  } catch (error) {
    const reason = systemReason(error);
    throw reason === null ? error : backupUnusable(path, `cannot be read: ${reason} (${errorCode(error)})`);
  }
  throw new AutokestraError("OPTION_INVALID", `There is no file ${quotePath(path)}`);
}

/** Returns the driver of the store that was backed up. */
export function driverOfBackup(source: string, content: Buffer): FolderDriver {
  const found = folderDrivers().find((driver) => driver.recognizes(content));
  if (found === undefined) throw backupUnusable(source, "is not a backup of a store");
  return found;
}

/**
 * Opens a copy of a backup.
 *
 * @param source the path of the backup itself, for messages
 */
export async function openBackup(driver: FolderDriver, path: string, source: string): Promise<SecretStore> {
  try {
    return await driver.open(path, false);
  } catch (error) {
    throw hasCode(error, "STORE_CORRUPT") ? backupUnusable(source, "is not a backup of a store, or is damaged") : error;
  }
}

/** `The backup "FILE" was not restored` */
export function refusal(file: string): string {
  return `The backup ${quotePath(file)} was not restored`;
}

export function backupUnusable(file: string, problem: string): AutokestraError {
  return new AutokestraError("STORE_CORRUPT", `${refusal(file)}: it ${problem}`, { hint: BACKUP_HINT });
}
