import { dirname, resolve } from "node:path";
import { AutokestraError, quotePath } from "@autokestra/secrets-core";
import { keyFilePath } from "@autokestra/secrets-crypto";
import type { SecretsOptions } from "./installation.ts";
import { noStoreYet } from "./no-store-yet.ts";
import { findStore, storeFolder } from "./open-store.ts";
import type { Backend } from "./store-backend.ts";

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
    checkTarget(path, found.folder, keyFilePath(options));
    await found.store.backup(path);
    return { file: path, backend: found.backend };
  } finally {
    await found.store.close();
  }
}

/** A name that something else of this installation has, or will have, is none for a backup. */
function checkTarget(path: string, folder: string, keyFile: string): void {
  if (dirname(path) !== folder && path !== resolve(keyFile)) return;
  throw new AutokestraError("USAGE", `A backup cannot be written to ${quotePath(path)}`, {
    hint: "Give it a place outside of the secrets folder, better on another disk.",
  });
}
