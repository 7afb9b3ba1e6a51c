import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createPrivateFile, replacePrivateFile, withOpenFile } from "@autokestra/private-files";
import { AutokestraError, type ErrorDetails } from "@autokestra/secrets-core";
import { quotePath, storeUnavailable } from "@autokestra/secrets-core/internal";
import { type FolderDriver, folderDrivers, hasEntry, oneOf, toStoreError } from "./drivers.ts";

/** What a folder of secrets records about its store. */
export interface DriverRecord {
  readonly driver: FolderDriver;
  /** True if the preferred driver could not be used. */
  readonly isFallback: boolean;
  /** During a migration: the driver of the new store, which is complete. Null otherwise. */
  readonly next: FolderDriver | null;
  /** During a migration: the new name of the old file. As soon as a file has it, the new store counts. */
  readonly kept: string | null;
}

/** Returns the record of a store that is not being migrated. */
export function recordOf(driver: FolderDriver): DriverRecord {
  return { driver, isFallback: false, next: null, kept: null };
}

/**
 * Returns the driver of the store of a folder, even of a damaged or removed one; null if there never was one.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE`
 */
export function storedDriver(folder: string): FolderDriver | null {
  return driverOf(folder, readDriverRecord(folder));
}

/**
 * Tells whether a folder has a store or a record of one. A folder that cannot be read counts as one: it is not skipped.
 */
export function hasStore(folder: string): boolean {
  try {
    return storedDriver(folder) !== null;
  } catch {
    return true;
  }
}

function driverOf(folder: string, record: DriverRecord | null): FolderDriver | null {
  if (record === null) return folderDrivers().find((driver) => driver.exists(folder)) ?? null;
  const { driver, next, kept } = record;
  // As soon as the old file has its new name, the new store counts.
  const isMoved = next !== null && kept !== null && !driver.exists(folder) && hasEntry(join(folder, kept));
  return isMoved ? next : driver;
}

/**
 * Returns the driver of the store of a folder, whose file must exist; null if there never was a store.
 *
 * @param asked the requested driver, or `auto`
 * @throws AutokestraError `STORE_UNAVAILABLE`; `STORE_CORRUPT` if the store was removed
 */
export function existingDriver(folder: string, asked: FolderDriver | "auto"): FolderDriver | null {
  const record = readDriverRecord(folder);
  const stored = driverOf(folder, record);
  if (stored === null) return null;
  if (!stored.exists(folder)) {
    const message = `The secrets in ${quotePath(folder)} were not found: there is no ${stored.file}`;
    throw new AutokestraError("STORE_CORRUPT", message, {
      hint: "Put a backup in its place. To start over, remove the file `backend` there.",
      details: { reason: "store not found" } satisfies ErrorDetails["STORE_CORRUPT"],
    });
  }
  if (record !== null) return stored;
  const existing = folderDrivers().filter((driver) => driver.exists(folder));
  if (existing.length === 1) return stored;
  if (asked !== "auto") return asked;
  const hint = "Say which one it is, or move the other one away.";
  const files = existing.map(({ file }) => file).join(" and ");
  throw storeUnavailable(folder, `there are two stores: ${files}`, hint, { reason: "two stores" });
}

type Line = Omit<DriverRecord, "kept">;

/** Returns all possible first lines of a record. A second line is the name in `kept`. */
function firstLines(): ReadonlyMap<string, Line> {
  const drivers = folderDrivers();
  const [preferred] = drivers;
  const lines = drivers.flatMap((driver): [string, Line][] => {
    const others = drivers.filter((other) => other !== driver);
    return [
      [driver.name, { driver, isFallback: false, next: null }],
      ...others.map((next): [string, Line] => [`${driver.name} to ${next.name}`, { driver, isFallback: false, next }]),
      ...others
        .filter((other) => other === preferred)
        .map((other): [string, Line] => [
          `${driver.name} instead of ${other.name}`,
          { driver, isFallback: true, next: null },
        ]),
    ];
  });
  return new Map(lines);
}

/** The record is beside the store, so that no second store is ever made. */
function recordPath(folder: string): string {
  return join(folder, "backend");
}

/**
 * Reads the record of a folder; null if it has none.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE` if it cannot be read, or names an unknown driver
 */
export function readDriverRecord(folder: string): DriverRecord | null {
  const path = recordPath(folder);
  const refuse = (problem: string, hint?: string) => storeUnavailable(folder, `${path} ${problem}`, hint);
  const text = readText(path, folder, refuse);
  if (text === null) return null;
  const [first = "", kept = ""] = text.split("\n");
  const known = firstLines().get(first);
  if (known === undefined) {
    const names = folderDrivers().map(({ name }) => name);
    const quoted = names.map((name) => `\`${name}\``);
    throw refuse(`does not name ${oneOf(names)}`, `Write ${oneOf(quoted)} into it: what the store there is.`);
  }
  return { ...known, kept: kept === "" ? null : kept };
}

function readText(path: string, folder: string, refuse: (problem: string) => Error): string | null {
  try {
    return withOpenFile(path, refuse, (file) => (file === null ? null : readFileSync(file, "utf8")));
  } catch (error) {
    throw toStoreError(error, folder);
  }
}

/** Writes the record of a folder that has none yet. If another process was faster, its record counts. */
export function rememberDriver(folder: string, record: DriverRecord): void {
  createPrivateFile(recordPath(folder), format(record));
}

/**
 * Replaces the record of a folder.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE` if another process removes the temporary file
 */
export function writeDriverRecord(folder: string, record: DriverRecord): void {
  if (replacePrivateFile(recordPath(folder), format(record), () => true)) return;
  throw storeUnavailable(folder, "another process has removed a temporary file of its record", "Try again.");
}

function format({ driver, isFallback, next, kept }: DriverRecord): string {
  const [line = driver.name] =
    [...firstLines()].find(
      ([, known]) => known.driver === driver && known.isFallback === isFallback && known.next === next,
    ) ?? [];
  return kept === null ? `${line}\n` : `${line}\n${kept}\n`;
}
