import { resolve } from "node:path";
import { noStoreYet } from "./no-store-yet.ts";
import { findStore, type StoreOptions, storeFolder } from "./open-store.ts";

export interface BackupReport {
  readonly file: string;
  readonly backend: string;
}

/**
 * Writes a copy of the store as it is at one moment, while others read and write: sealed, mode 0600. The master key is not in it.
 *
 * @param file a path where there is nothing yet
 * @throws AutokestraError `STORE_UNAVAILABLE` (no store yet, something is there already), `STORE_CORRUPT`
 */
export async function backUpStore(options: StoreOptions, file: string): Promise<BackupReport> {
  const found = await findStore(options);
  if (found === null) throw noStoreYet(storeFolder(options));
  const path = resolve(file);
  try {
    await found.store.backup(path);
    return { file: path, backend: found.backend };
  } finally {
    await found.store.close();
  }
}
