import { linkSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { errorCode } from "@autokestra/secrets-core";
import { makePrivateFolder, moveFile } from "@autokestra/secrets-files";
import { readBackendRecord, rememberBackend, writeBackendRecord } from "./backend-record.ts";
import { toStoreError } from "./open-store.ts";
import { type Backend, STORE_FILES } from "./store-backend.ts";

const DRAFT = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.draft$/;

/** What SQLite leaves beside a database: of another one, they would be read as changes to the new one. */
const COMPANIONS = ["-wal", "-shm", "-journal"];

/**
 * Lets `make` write a new store in a folder that nobody looks into, then puts it in the place of the one that is there, which is
 * kept under another name. Killed at any moment, the one or the other counts, whole. To be called while nobody can write.
 *
 * @param current the backend of the store that is there; null where there is none
 * @param make gets the path of the file to write; what it returns is given back
 * @throws what `make` throws; AutokestraError `STORE_UNAVAILABLE`; nothing is changed then
 */
export async function replaceStore<T>(
  folder: string,
  current: Backend | null,
  next: Backend,
  make: (path: string) => Promise<T>,
): Promise<{ readonly made: T; readonly kept: string | null }> {
  makePrivateFolder(folder);
  sweepDrafts(folder);
  const draft = join(folder, `${crypto.randomUUID()}.draft`);
  try {
    makePrivateFolder(draft);
    const path = join(draft, STORE_FILES[next]);
    const made = await make(path);
    return { made, kept: putInPlace(folder, current, next, path) };
  } catch (error) {
    throw toStoreError(error, folder);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

function putInPlace(folder: string, current: Backend | null, next: Backend, draft: string): string | null {
  const path = join(folder, STORE_FILES[next]);
  const stamp = `${new Date().toISOString().replaceAll(/[:.]/g, "-")}.backup`;
  for (const companion of next === "sqlite" ? COMPANIONS : []) {
    ifThere(() => renameSync(`${path}${companion}`, `${path}${companion}.${stamp}`));
  }
  if (current === null) {
    moveFile(draft, path);
    writeBackendRecord(folder, next);
    return null;
  }
  const old = join(folder, STORE_FILES[current]);
  const kept = `${old}.${stamp}`;
  if (current === next) {
    ifThere(() => linkSync(old, kept));
    moveFile(draft, path);
    return kept;
  }
  if (readBackendRecord(folder) === null) rememberBackend(folder, current, false);
  moveFile(draft, path);
  writeBackendRecord(folder, current, next);
  // This is the moment: from here on the new store counts, also for who finds the record as it is now.
  ifThere(() => moveFile(old, kept));
  writeBackendRecord(folder, next);
  return kept;
}

/** Of processes that were killed: whoever is here has the store for itself. */
function sweepDrafts(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (DRAFT.test(name)) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

function ifThere(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
}
