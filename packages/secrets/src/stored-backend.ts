import { lstatSync } from "node:fs";
import { join } from "node:path";
import { AutokestraError, quotePath, storeUnavailable } from "@autokestra/secrets-core";
import { type BackendRecord, readBackendRecord } from "./backend-record.ts";
import { type Backend, otherBackend, STORE_FILES } from "./store-backend.ts";
import { toStoreError } from "./to-store-error.ts";

/**
 * The backend of the store that a folder has or had, be it damaged or gone; null where there never was one.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE`
 */
export function storedBackend(folder: string): Backend | null {
  return backendOf(folder, readBackendRecord(folder));
}

/** Whether a folder has a store or remembers one. What cannot be seen counts as one: it must not be passed over. */
export function hasStore(folder: string): boolean {
  try {
    return storedBackend(folder) !== null;
  } catch {
    return true;
  }
}

function backendOf(folder: string, record: BackendRecord | null): Backend | null {
  if (record === null) return isThere(folder, "sqlite") ? "sqlite" : isThere(folder, "file") ? "file" : null;
  const { backend, next, kept } = record;
  // Once the old file has its other name, the new store counts.
  const isMoved = next !== null && kept !== null && !isThere(folder, backend) && exists(join(folder, kept));
  return isMoved ? next : backend;
}

/**
 * The same, of a store whose file is there.
 *
 * @param asked the backend that a person wants, or `auto`
 * @throws AutokestraError `STORE_UNAVAILABLE`; `STORE_CORRUPT` where the store is gone
 */
export function existingBackend(folder: string, asked: Backend | "auto"): Backend | null {
  const record = readBackendRecord(folder);
  const stored = backendOf(folder, record);
  if (stored === null) return null;
  if (!isThere(folder, stored)) {
    const message = `The secrets in ${quotePath(folder)} are gone: there is no ${STORE_FILES[stored]}`;
    throw new AutokestraError("STORE_CORRUPT", message, {
      hint: "`autokestra secrets restore-backup FILE` puts a backup in its place. To begin anew, remove the file `backend` there.",
    });
  }
  if (record !== null || !isThere(folder, otherBackend(stored))) return stored;
  if (asked !== "auto") return asked;
  const hint = "Say which one with --storage-backend sqlite or file, or move the other one away.";
  throw storeUnavailable(folder, "there are two stores: secrets.db and secrets.json", hint);
}

/** Whether the file of a store has its name. A WAL without its database is what is left of one. */
export function isThere(folder: string, backend: Backend): boolean {
  const path = join(folder, STORE_FILES[backend]);
  return exists(path) || (backend === "sqlite" && exists(`${path}-wal`));
}

/**
 * Whether something has this name, be it a link that leads nowhere.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE` where that cannot be seen: it must not count as "nothing there"
 */
function exists(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw toStoreError(error, path);
  }
}
