import { lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createPrivateFile, replacePrivateFile, systemReason, withOpenFile } from "@autokestra/private-files";
import {
  AutokestraError,
  type ErrorDetails,
  errorCode,
  quotePath,
  type SecretStoreFile,
  storeUnavailable,
} from "@autokestra/secrets-core";

/** A kind of store that an installation can have. */
export type Driver = "sqlite" | "file";

/** The file of each, in the folder of the installation. */
export const STORE_FILES: Readonly<Record<Driver, string>> = { sqlite: "secrets.db", file: "secrets.json" };

/** @throws AutokestraError `OPTION_INVALID` */
export function parseDriver(text: string): Driver {
  if (text === "sqlite" || text === "file") return text;
  throw new AutokestraError("OPTION_INVALID", "There is no such storage backend", {
    hint: "Use auto, sqlite or file.",
  });
}

/** The one that is not this one. */
export function otherDriver(backend: Driver): Driver {
  return backend === "sqlite" ? "file" : "sqlite";
}

/**
 * Opens a store.
 *
 * @param create make it where there is none
 * @throws AutokestraError `STORE_*`
 */
export async function openStoreFile(backend: Driver, path: string, create: boolean): Promise<SecretStoreFile> {
  if (backend === "sqlite") {
    const { openSqliteStore } = await import("@autokestra/secrets-store-sqlite");
    return await openSqliteStore(path, { create });
  }
  const { openFileStore } = await import("@autokestra/secrets-store-file");
  return await openFileStore(path, { create });
}

/**
 * The backend of the store that a folder has or had, be it damaged or gone; null where there never was one.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE`
 */
export function storedDriver(folder: string): Driver | null {
  return driverOf(folder, readDriverRecord(folder));
}

/** Whether a folder has a store or remembers one. What cannot be seen counts as one: it must not be passed over. */
export function hasStore(folder: string): boolean {
  try {
    return storedDriver(folder) !== null;
  } catch {
    return true;
  }
}

function driverOf(folder: string, record: DriverRecord | null): Driver | null {
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
export function existingDriver(folder: string, asked: Driver | "auto"): Driver | null {
  const record = readDriverRecord(folder);
  const stored = driverOf(folder, record);
  if (stored === null) return null;
  if (!isThere(folder, stored)) {
    const message = `The secrets in ${quotePath(folder)} are gone: there is no ${STORE_FILES[stored]}`;
    throw new AutokestraError("STORE_CORRUPT", message, {
      hint: "Put a backup in its place. To begin anew, remove the file `backend` there.",
      details: { reason: "store not found" } satisfies ErrorDetails["STORE_CORRUPT"],
    });
  }
  if (record !== null || !isThere(folder, otherDriver(stored))) return stored;
  if (asked !== "auto") return asked;
  const hint = "Say which one it is, or move the other one away.";
  throw storeUnavailable(folder, "there are two stores: secrets.db and secrets.json", hint, { reason: "two stores" });
}

/** Whether the file of a store has its name. A WAL without its database is what is left of one. */
export function isThere(folder: string, backend: Driver): boolean {
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

/** What a folder of secrets remembers of its store. */
interface DriverRecord {
  readonly backend: Driver;
  /** The file store was taken because SQLite could not be used. */
  readonly isFallback: boolean;
  /** The store that takes its place: whole already. */
  readonly next: Driver | null;
  /** The name that the old store's file then has: only once there is one, the next store counts. */
  readonly kept: string | null;
}

/** The first line of a record; a second one is the name that is kept. */
const FIRST_LINES: Readonly<Record<string, Omit<DriverRecord, "kept">>> = {
  sqlite: { backend: "sqlite", isFallback: false, next: null },
  file: { backend: "file", isFallback: false, next: null },
  "file instead of sqlite": { backend: "file", isFallback: true, next: null },
  "sqlite to file": { backend: "sqlite", isFallback: false, next: "file" },
  "file to sqlite": { backend: "file", isFallback: false, next: "sqlite" },
};

/** The record of a store that stays. */
export function recordOf(backend: Driver): DriverRecord {
  return { backend, isFallback: false, next: null, kept: null };
}

/** Beside the store, so that no second one is ever made. */
function recordPath(folder: string): string {
  return join(folder, "backend");
}

/**
 * Reads what the folder remembers; null where it remembers nothing.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE` where it cannot be read, or says what we do not know
 */
export function readDriverRecord(folder: string): DriverRecord | null {
  const path = recordPath(folder);
  const refuse = (problem: string) => storeUnavailable(folder, `${path} ${problem}`);
  const text = readText(path, folder, refuse);
  if (text === null) return null;
  const [first = "", kept = ""] = text.split("\n");
  const known = Object.hasOwn(FIRST_LINES, first) ? FIRST_LINES[first] : undefined;
  if (known === undefined)
    throw storeUnavailable(
      folder,
      `${path} does not name sqlite or file`,
      "Write `sqlite` or `file` into it: what the store there is.",
    );
  return { ...known, kept: kept === "" ? null : kept };
}

function readText(path: string, folder: string, refuse: (problem: string) => Error): string | null {
  try {
    return withOpenFile(path, refuse, (file) => (file === null ? null : readFileSync(file, "utf8")));
  } catch (error) {
    throw toStoreError(error, folder);
  }
}

/** Remembers the store of a folder that remembers none yet. What another process has written first counts. */
export function rememberDriver(folder: string, record: DriverRecord): void {
  createPrivateFile(recordPath(folder), format(record));
}

/**
 * Replaces what the folder remembers.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE` where somebody removes what is being written
 */
export function writeDriverRecord(folder: string, record: DriverRecord): void {
  if (replacePrivateFile(recordPath(folder), format(record), () => true)) return;
  throw storeUnavailable(folder, "another process has removed a draft of its record", "Try again.");
}

function format({ backend, isFallback, next, kept }: DriverRecord): string {
  const [line = backend] =
    Object.entries(FIRST_LINES).find(
      ([, known]) => known.backend === backend && known.isFallback === isFallback && known.next === next,
    ) ?? [];
  return kept === null ? `${line}\n` : `${line}\n${kept}\n`;
}

/** The error to throw for one of the file system: place and reason. Any other error stays as it is. */
export function toStoreError(error: unknown, place: string): unknown {
  const reason = systemReason(error);
  return reason === null ? error : storeUnavailable(place, `${reason} (${errorCode(error)})`);
}
