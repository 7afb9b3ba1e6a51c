import { join } from "node:path";
import { pathExists, systemReason } from "@autokestra/private-files";
import { AutokestraError, type SecretStore } from "@autokestra/secrets-core";
import { errorCode, storeUnavailable } from "@autokestra/secrets-core/internal";

/** Keeps the secrets of a folder in one file there. */
export interface FolderDriver {
  readonly kind: "folder";
  /** The name that people use, and that the folder records. */
  readonly name: string;
  /** The name of its file. */
  readonly file: string;
  /**
   * The suffixes of files that it leaves beside its file. Those of another store would be read as changes to this one.
   */
  readonly companions: readonly string[];
  /**
   * Opens the store at the path of its file.
   *
   * @param create create it if it does not exist
   * @throws AutokestraError `STORE_*`
   */
  open(path: string, create: boolean): Promise<SecretStore>;
  /**
   * Tells whether a folder has a store of this driver, or a remainder of one.
   *
   * @throws AutokestraError `STORE_UNAVAILABLE` if the folder cannot be read, which must not count as "no store"
   */
  exists(folder: string): boolean;
  /** Tells whether a file with this content is a store of this driver. The first driver that recognizes it opens it. */
  recognizes(content: Buffer): boolean;
  /**
   * Returns why a store cannot be used at this path, as the beginning of a sentence; null if it can. Default: it can be
   * used everywhere.
   *
   * @param path a path in a temporary folder on the same file system
   */
  unsuitableReason?(path: string): Promise<string | null>;
}

/** Keeps secrets at a URL. */
export interface UrlDriver {
  readonly kind: "url";
  readonly name: string;
  /** The protocols of its URLs, such as `postgres:`. */
  readonly protocols: readonly string[];
  /** Opens the store at a URL. See {@link FolderDriver.open}. */
  open(url: URL, create: boolean): Promise<SecretStore>;
  /** Tells whether there is a store. @throws AutokestraError `STORE_UNAVAILABLE` */
  exists(url: URL): Promise<boolean>;
}

/** An implementation of a store. */
export type Driver = FolderDriver | UrlDriver;

const SQLITE: FolderDriver = {
  kind: "folder",
  name: "sqlite",
  file: "secrets.db",
  companions: ["-wal", "-shm", "-journal"],
  async open(path, create) {
    const { openSqliteStore } = await import("@autokestra/secrets-store-sqlite");
    return await openSqliteStore(path, { create });
  },
  exists(folder) {
    const path = join(folder, SQLITE.file);
    // A WAL without its database is the remainder of a store.
    return hasEntry(path) || hasEntry(`${path}-wal`);
  },
  recognizes: (content) => content.subarray(0, 16).toString("latin1") === "SQLite format 3\0",
  async unsuitableReason(path) {
    const { isSqliteMissing, unsuitableReason } = await import("@autokestra/sqlite");
    try {
      const reason = await unsuitableReason(path);
      return reason === null ? null : `SQLite cannot be used on this file system, as ${reason}`;
    } catch (error) {
      if (isSqliteMissing(error)) return "SQLite cannot be loaded here";
      throw error;
    }
  },
};

const FILE: FolderDriver = {
  kind: "folder",
  name: "file",
  file: "secrets.json",
  companions: [],
  async open(path, create) {
    const { openFileStore } = await import("@autokestra/secrets-store-file");
    return await openFileStore(path, { create });
  },
  exists: (folder) => hasEntry(join(folder, FILE.file)),
  // Everything that no other driver recognizes: opening it then says what is wrong.
  recognizes: () => true,
};

/** All drivers, in the order of preference. */
export const DRIVERS: readonly Driver[] = [SQLITE, FILE];

/** Returns the drivers that keep secrets in a folder, in the order of preference. */
export function folderDrivers(): readonly FolderDriver[] {
  return DRIVERS.filter((driver) => driver.kind === "folder");
}

/** @throws AutokestraError `OPTION_INVALID` */
export function parseDriver(name: string): FolderDriver {
  const drivers = folderDrivers();
  const found = drivers.find((driver) => driver.name === name);
  if (found !== undefined) return found;
  throw new AutokestraError("OPTION_INVALID", "There is no such storage backend", {
    hint: `Use ${oneOf(["auto", ...drivers.map((driver) => driver.name)])}.`,
  });
}

/** `a, b or c` */
export function oneOf(names: readonly string[]): string {
  return `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}

/** @throws AutokestraError `OPTION_INVALID` if no driver supports the protocol of the URL */
export function driverOfUrl({ protocol }: URL): UrlDriver {
  const found = DRIVERS.find((driver) => driver.kind === "url" && driver.protocols.includes(protocol));
  if (found?.kind === "url") return found;
  throw new AutokestraError(
    "OPTION_INVALID",
    `The secrets cannot be kept at this URL: there is no driver for ${protocol}`,
    {
      hint: "Give the path of a folder.",
    },
  );
}

/**
 * Tells whether a path exists, even as a dangling link.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE` if that cannot be found out
 */
export function hasEntry(path: string): boolean {
  try {
    return pathExists(path);
  } catch (error) {
    throw toStoreError(error, path);
  }
}

/** Converts an error of the file system into one that names path and reason. Returns any other error unchanged. */
export function toStoreError(error: unknown, place: string): unknown {
  const reason = systemReason(error);
  return reason === null ? error : storeUnavailable(place, `${reason} (${errorCode(error)})`);
}
