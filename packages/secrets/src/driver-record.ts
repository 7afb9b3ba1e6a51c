import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createPrivateFile, replacePrivateFile, withOpenFile } from "@autokestra/private-files";
import { AutokestraError, type ErrorDetails } from "@autokestra/secrets-core";
import { quotePath, storeUnavailable } from "@autokestra/secrets-core/internal";
import { type FolderDriver, folderDrivers, hasEntry, oneOf, toStoreError } from "./drivers.ts";

/** What a folder of secrets remembers of its store. */
export interface DriverRecord {
  readonly driver: FolderDriver;
  /** It was taken because the driver that is preferred could not be used. */
  readonly isFallback: boolean;
  /** The driver of the store that takes its place: whole already. */
  readonly next: FolderDriver | null;
  /** The name that the old store's file then has: only once there is one, the next store counts. */
  readonly kept: string | null;
}

/** The record of a store that stays. */
export function recordOf(driver: FolderDriver): DriverRecord {
  return { driver, isFallback: false, next: null, kept: null };
}

/**
 * The driver of the store that a folder has or had, even a damaged or removed one; null where there never was one.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE`
 */
export function storedDriver(folder: string): FolderDriver | null {
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

function driverOf(folder: string, record: DriverRecord | null): FolderDriver | null {
  if (record === null) return folderDrivers().find((driver) => driver.exists(folder)) ?? null;
  const { driver, next, kept } = record;
  // Once the old file has its other name, the new store counts.
  const isMoved = next !== null && kept !== null && !driver.exists(folder) && hasEntry(join(folder, kept));
  return isMoved ? next : driver;
}

/**
 * The same, of a store whose file is there.
 *
 * @param asked the driver that a person wants, or `auto`
 * @throws AutokestraError `STORE_UNAVAILABLE`; `STORE_CORRUPT` where the store is not there any more
 */
export function existingDriver(folder: string, asked: FolderDriver | "auto"): FolderDriver | null {
  const record = readDriverRecord(folder);
  const stored = driverOf(folder, record);
  if (stored === null) return null;
  if (!stored.exists(folder)) {
    const message = `The secrets in ${quotePath(folder)} were not found: there is no ${stored.file}`;
    throw new AutokestraError("STORE_CORRUPT", message, {
      hint: "Put a backup in its place. To begin anew, remove the file `backend` there.",
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

/** What the first line of a record can be; a second one is the name that is kept. */
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
  throw storeUnavailable(folder, "another process has removed a temporary file of its record", "Try again.");
}

function format({ driver, isFallback, next, kept }: DriverRecord): string {
  const [line = driver.name] =
    [...firstLines()].find(
      ([, known]) => known.driver === driver && known.isFallback === isFallback && known.next === next,
    ) ?? [];
  return kept === null ? `${line}\n` : `${line}\n${kept}\n`;
}
