import { type BigIntStats, lstatSync, type Stats } from "node:fs";
import { GROUP_AND_OTHERS, type Refuse, restrictToOwner } from "@autokestra/private-files";
import type { Database, SqliteLibrary } from "./database.ts";
import { READ_ONLY } from "./errors.ts";
import { plantedCheck } from "./planted.ts";

/** The existing files of a database. */
export interface DatabaseFiles {
  readonly database: Stats | undefined;
  readonly wal: Stats | undefined;
}

/**
 * Finds the files of a database before SQLite opens them. Looks at the paths only, because opening and closing a file
 * would drop the locks of all connections of this process (https://sqlite.org/howtocorrupt.html, 2.2).
 *
 * @param irregular returns the error for a link, or for something that is not a regular file
 */
export function findDatabaseFiles(
  path: string,
  irregular: (file: string, kind: "a symbolic link" | "not a regular file") => Error,
): DatabaseFiles {
  // The WAL before the database, because another process that is creating them does it in the other order.
  const [wal, , , database] = companionsFirst(path).map((file) => {
    const stat = lstatSync(file, { throwIfNoEntry: false });
    if (stat === undefined || stat.isFile()) return stat;
    throw irregular(file, stat.isSymbolicLink() ? "a symbolic link" : "not a regular file");
  });
  return { database, wal };
}

/** Closes the files of a database to other users. @throws what `refuse` returns if a mode cannot be changed */
export function restrictDatabaseFiles(path: string, refuse: Refuse): void {
  for (const file of companionsFirst(path)) {
    const stat = lstatSync(file, { throwIfNoEntry: false });
    if (stat !== undefined && (stat.mode & GROUP_AND_OTHERS) !== 0) restrictToOwner(file, "600", refuse);
  }
}

function companionsFirst(path: string): readonly string[] {
  return [`${path}-wal`, `${path}-shm`, `${path}-journal`, path];
}

/** Numbers would round what some file systems count beyond 2^53; as text, these would take a tenth of the time of a write. */
function lookAt(path: string): BigIntStats | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false });
}

/** An open database in a file. */
export interface FileDatabase {
  readonly database: Database;
  /** Returns false if the file was moved or removed, because SQLite would keep writing into a file without a name. */
  readonly isInPlace: () => boolean;
}

/**
 * Opens the database in an existing file for reading and writing. SQLite does not wait for locks: use `retryWhileBusy`.
 *
 * @param pragmas the settings of the connection
 * @throws what `refuse` returns for `it was moved or removed`; an error of SQLite; nothing stays open then
 */
export function openInPlace(
  library: SqliteLibrary,
  path: string,
  pragmas: readonly string[],
  refuse: Refuse,
): FileDatabase {
  const opened = lookAt(path);
  const isInPlace = () => {
    const found = lookAt(path);
    return found?.ino === opened?.ino && found?.dev === opened?.dev;
  };
  const database = library.open(path, { mode: "rw" });
  try {
    database.exec(pragmas.map((pragma) => `PRAGMA ${pragma};`).join("\n"));
    // This reads the file, which keeps others from replacing it. So its identity is certain from here on.
    database.pragma("schema_version");
    if (!isInPlace()) throw movedOrRemovedError(refuse);
    return { database: withoutTriggers(database, refuse), isInPlace };
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * Refuses to write where there is a trigger or a view, also one that was put in after the opening: none is ours. Who can write to the file,
 * and has no key, could remove with one what others write later: a record of the audit log in the very transaction that lets its value go
 * out.
 */
function withoutTriggers(database: Database, refuse: Refuse): Database {
  const schemaVersion = database.prepare<[], number>("SELECT schema_version FROM pragma_schema_version").pluck();
  const hasPlanted = plantedCheck(database);
  let checked: number | undefined;

  function check(): void {
    const version = schemaVersion.get();
    if (version === checked) return;
    if (hasPlanted()) throw refuse("it has a trigger or a view, and autokestra makes none");
    checked = version;
  }

  return {
    ...database,
    immediate: (work) =>
      database.immediate(() => {
        check();
        return work();
      }),
  };
}

/** Returns the error for a database whose file was moved or removed. */
export function movedOrRemovedError(refuse: Refuse): Error {
  return refuse("it was moved or removed");
}

/** Moves the content of the WAL into the database and truncates it. Until then, removed content stays in the WAL. */
export function truncateWal(database: Database): void {
  try {
    database.pragma("wal_checkpoint(TRUNCATE)");
  } catch {
    // Not a failure: what was written is safe in the WAL. While other processes read it, it is left to the next call.
  }
}

/**
 * Locks other processes out until the connection is closed, and moves the content of the WAL into the database.
 *
 * @param check throws to release the lock again
 * @throws what `refuse` returns if the database can only be read; what `check` throws; an error of SQLite while other
 * processes have it open
 */
export function lockExclusively(database: Database, refuse: Refuse, check: () => void): void {
  database.pragma("locking_mode = EXCLUSIVE");
  try {
    if (database.pragma("journal_mode = DELETE") !== "delete") throw refuse(READ_ONLY);
    check();
  } catch (error) {
    database.pragma("locking_mode = NORMAL");
    throw error;
  }
}
