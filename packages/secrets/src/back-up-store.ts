import { dirname, resolve } from "node:path";
import { AutokestraError, hasCode, quotePath } from "@autokestra/secrets-core";
import { keyFilePath, keyFolderOf, openKnownStores, parseHeader } from "@autokestra/secrets-crypto";
import { keyOptions, type SecretsOptions } from "./installation.ts";
import { noStoreYet } from "./no-store-yet.ts";
import { findStore } from "./open-store.ts";
import type { Backend } from "./store-backend.ts";
import { storeFolder } from "./workflow-folder.ts";

export interface BackupReport {
  readonly file: string;
  readonly backend: Backend;
}

/**
 * Writes a copy of the store as it is at one moment, while others read and write: sealed, mode 0600. The master key is not in it.
 *
 * @param file a path where there is nothing yet
 * @throws AutokestraError `STORE_UNAVAILABLE` (no store yet, something is there already), `STORE_CORRUPT`
 */
export async function backUpStore(options: SecretsOptions, file: string): Promise<BackupReport> {
  const found = await findStore(options);
  if (found === null) throw noStoreYet(storeFolder(options));
  const path = resolve(file);
  try {
    checkTarget(path, found.folder, keyFilePath(keyOptions(options)));
    await found.store.backup(path);
    await remember(options, path, await found.store.readHeader());
    return { file: path, backend: found.backend };
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
function checkTarget(path: string, folder: string, keyFile: string | null): void {
  if (dirname(path) !== folder && (keyFile === null || path !== resolve(keyFile))) return;
  throw new AutokestraError("USAGE", `A backup cannot be written to ${quotePath(path)}`, {
    hint: "Give it a place outside of the secrets folder, better on another disk.",
  });
}
