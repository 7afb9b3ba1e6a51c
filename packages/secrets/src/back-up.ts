import { fstatSync, lstatSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { systemReason, withOpenFile } from "@autokestra/private-files";
import { AutokestraError, hasCode, type SecretStore } from "@autokestra/secrets-core";
import { errorCode, quotePath, requireAbilities } from "@autokestra/secrets-core/internal";
import { keyFilePath, keyFolderOf, openKnownStores, parseHeader } from "@autokestra/secrets-crypto/internal";
import { recordOperation } from "./access/recorded-operation.ts";
import { type FolderDriver, folderDrivers } from "./drivers.ts";
import { storeLocation } from "./folders.ts";
import type { Location } from "./location.ts";
import { keyOptions, type SecretsOptions } from "./manager.ts";
import { findStore, noStoreYet } from "./open-store.ts";

export interface BackupReport {
  readonly file: string;
  /** The name of the driver of the store. */
  readonly backend: string;
}

/**
 * Writes a copy of the store as it is at one moment, while others read and write: encrypted, mode 0600. The master key is not in it.
 *
 * @param file a path where there is nothing yet
 * @throws AutokestraError `STORE_UNAVAILABLE` (no store yet, something is there already, a store that cannot be copied into a file), `STORE_CORRUPT`
 */
export async function backUpStore(options: SecretsOptions, file: string): Promise<BackupReport> {
  return await recordOperation(options, "backup", async () => await backUp(options, file));
}

async function backUp(options: SecretsOptions, file: string): Promise<BackupReport> {
  const found = await findStore(options);
  if (found === null) throw noStoreYet(storeLocation(options));
  const path = resolve(file);
  try {
    checkTarget(path, found.location, keyFilePath(keyOptions(options)));
    await requireAbilities(found.store, "backup").backup(path);
    await remember(options, path, await found.store.readHeader());
    return { file: path, backend: found.driver.name };
  } finally {
    await found.store.close();
  }
}

/** Notes which key the backup needs, as far as its header says so: the backup of a damaged store is one, too. */
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

/** A name that something else of this installation has, or will have, is none for a backup. */
function checkTarget(path: string, location: Location, keyFile: string | null): void {
  const isBesideStore = location.kind === "folder" && dirname(path) === location.path;
  if (!isBesideStore && (keyFile === null || path !== resolve(keyFile))) return;
  throw new AutokestraError("OPTION_INVALID", `A backup cannot be written to ${quotePath(path)}`, {
    hint: "Give it a place outside of the secrets folder, better on another disk.",
  });
}

/** In bytes: it is read whole. */
const MAX_SIZE = 1024 * 1024 * 1024;

export const BACKUP_HINT =
  "Nothing was changed. A backup is a copy that was made of a store, and needs the master key of its time.";

/** Reads a file that may be a backup. @throws AutokestraError `STORE_CORRUPT`, `OPTION_INVALID` where there is none */
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

/** The driver of the store that a backup is a copy of. */
export function driverOfBackup(source: string, content: Buffer): FolderDriver {
  const found = folderDrivers().find((driver) => driver.recognizes(content));
  if (found === undefined) throw backupUnusable(source, "is no backup of a store");
  return found;
}

/**
 * Opens a copy of a backup.
 *
 * @param source where the backup itself is, for messages
 */
export async function openBackup(driver: FolderDriver, path: string, source: string): Promise<SecretStore> {
  try {
    return await driver.open(path, false);
  } catch (error) {
    throw hasCode(error, "STORE_CORRUPT") ? backupUnusable(source, "is no backup of a store, or is damaged") : error;
  }
}

/** `The backup "FILE" was not restored` */
export function refusal(file: string): string {
  return `The backup ${quotePath(file)} was not restored`;
}

export function backupUnusable(file: string, problem: string): AutokestraError {
  return new AutokestraError("STORE_CORRUPT", `${refusal(file)}: it ${problem}`, { hint: BACKUP_HINT });
}
