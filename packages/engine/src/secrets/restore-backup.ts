import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { AutokestraError, storeUnavailable } from "@autokestra/secrets-core";
import { createMasterKeyProvider, createSecretEncryption, createStoreKeys } from "@autokestra/secrets-crypto";
import { createPrivateFile, withOpenFile } from "@autokestra/secrets-files";
import type { StoreCount } from "./copy-store.ts";
import { examineRecords, type OnExamined } from "./examine-records.ts";
import type { SecretsOptions } from "./installation.ts";
import { type FoundStore, findStore, storedBackend, storeFolder } from "./open-store.ts";
import { replaceStore } from "./replace-store.ts";
import { type Backend, openStoreFile } from "./store-backend.ts";

export interface RestoreReport extends StoreCount {
  readonly backend: Backend;
  /** Where the store that was there is kept; null where there was none. */
  readonly kept: string | null;
}

/**
 * Puts a backup in the place of the store, once every version in it has opened under the master key of this installation. What
 * was there, be it damaged, is kept under another name. No other process may have it open.
 *
 * @param file what `backUpStore` has written
 * @param onExamined told how many secrets of the backup were tried
 * @throws AutokestraError `STORE_CORRUPT`, `INTEGRITY_FAILED`, `KEY_*` where the backup does not open, `STORE_UNAVAILABLE`;
 * nothing is changed then
 */
export async function restoreBackup(
  options: SecretsOptions,
  file: string,
  onExamined?: OnExamined,
): Promise<RestoreReport> {
  const folder = storeFolder(options);
  const content = readBackup(resolve(file));
  const backend = content.subarray(0, 16).toString("latin1") === "SQLite format 3\0" ? "sqlite" : "file";
  const replace = async (current: Backend | null): Promise<RestoreReport> => {
    const { made, kept } = await replaceStore(folder, current, backend, async (path) => {
      createPrivateFile(path, content);
      return await examineBackup(options, backend, path, onExamined);
    });
    return { backend, ...made, kept };
  };
  const found = await findUndamaged(options);
  if (found === null) return await replace(storedBackend(folder));
  try {
    return await found.store.exclusively(async () => await replace(found.backend));
  } finally {
    await found.store.close();
  }
}

/** The store that is there; null where none is, or none that anybody could use. */
async function findUndamaged(options: SecretsOptions): Promise<FoundStore | null> {
  try {
    return await findStore({ ...options, backend: "auto" });
  } catch (error) {
    if (error instanceof AutokestraError && error.code === "STORE_CORRUPT") return null;
    throw error;
  }
}

function readBackup(path: string): Buffer {
  const refuse = (problem: string) => storeUnavailable(dirname(path), `${path} ${problem}`);
  const content = withOpenFile(path, refuse, (descriptor) => (descriptor === null ? null : readFileSync(descriptor)));
  if (content === null) throw new AutokestraError("USAGE", `There is no file ${path}`);
  return content;
}

async function examineBackup(
  options: SecretsOptions,
  backend: Backend,
  path: string,
  onExamined: OnExamined | undefined,
): Promise<StoreCount> {
  const store = await openStoreFile(backend, path, false);
  const keys = createStoreKeys(store, createMasterKeyProvider(options));
  const encryption = createSecretEncryption(keys);
  try {
    if ((await store.readHeader()) === null) return { secrets: 0, versions: 0 };
    const { problems, ...count } = await examineRecords({ store, encryption }, await keys.current(), onExamined);
    const [first] = problems;
    if (first === undefined) return count;
    throw new AutokestraError("INTEGRITY_FAILED", `Of the backup ${problems.length} records do not open: ${first}`, {
      hint: "Nothing was changed. A backup needs the master key of its time: --key-file.",
    });
  } finally {
    encryption.close();
    await store.close();
  }
}
