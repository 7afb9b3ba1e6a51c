import { join } from "node:path";
import { isThere, systemReason } from "@autokestra/private-files";
import { AutokestraError, type SecretStore } from "@autokestra/secrets-core";
import { errorCode, storeUnavailable } from "@autokestra/secrets-core/internal";

/** Keeps the secrets of a folder in one file there. */
export interface FolderDriver {
  readonly kind: "folder";
  /** What a person asks for, and what the folder remembers. */
  readonly name: string;
  /** The name of its file. */
  readonly file: string;
  /** How names of files go on that it leaves beside its file: of another store, they would be read as changes to this one. */
  readonly companions: readonly string[];
  /**
   * Opens the store whose file has this path.
   *
   * @param create make it if there is none
   * @throws AutokestraError `STORE_*`
   */
  open(path: string, create: boolean): Promise<SecretStore>;
  /**
   * Whether a folder has such a store, or what is left of one.
   *
   * @throws AutokestraError `STORE_UNAVAILABLE` where that cannot be seen: it must not count as "nothing there"
   */
  exists(folder: string): boolean;
  /** Whether a file with this content is a store of this driver. The first driver that recognizes it opens it. */
  recognizes(content: Buffer): boolean;
  /**
   * Why a store at this path could not keep its secrets, as the beginning of a sentence; null if it can. A driver without this method
   * can be used everywhere.
   *
   * @param path in a folder that is removed afterwards
   */
  unsuitableReason?(path: string): Promise<string | null>;
}

/** Keeps secrets where a URL says. */
export interface UrlDriver {
  readonly kind: "url";
  readonly name: string;
  /** The protocols of the URLs that it takes, such as `postgres:`. */
  readonly protocols: readonly string[];
  /** See {@link FolderDriver.open}. */
  open(url: URL, create: boolean): Promise<SecretStore>;
  /** Whether there is a store. @throws AutokestraError `STORE_UNAVAILABLE` */
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
    // A WAL without its database is what is left of a store.
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
  // Whatever no other driver recognizes: opening it says what is wrong with it.
  recognizes: () => true,
};

/** All drivers. A folder for which none is asked gets the first one that can be used there. */
export const DRIVERS: readonly Driver[] = [SQLITE, FILE];

/** Those that keep the secrets of a folder, in the order of preference. */
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

/** @throws AutokestraError `OPTION_INVALID` where no driver takes such a URL */
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
 * Whether something has this name, even a link that leads nowhere.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE` where that cannot be seen
 */
export function hasEntry(path: string): boolean {
  try {
    return isThere(path);
  } catch (error) {
    throw toStoreError(error, path);
  }
}

/** The error to throw for one of the file system: place and reason. Any other error stays as it is. */
export function toStoreError(error: unknown, place: string): unknown {
  const reason = systemReason(error);
  return reason === null ? error : storeUnavailable(place, `${reason} (${errorCode(error)})`);
}
