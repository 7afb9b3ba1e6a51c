import { type BigIntStats, lstatSync, type Stats } from "node:fs";
import { OTHERS, type Refuse, restrictToOwner } from "@autokestra/private-files";
import type { Database, SqliteLibrary } from "./database.ts";
import { READ_ONLY } from "./errors.ts";

/** The files of a database that are there. */
export interface DatabaseFiles {
  readonly database: Stats | undefined;
  readonly wal: Stats | undefined;
}

/**
 * Looks for the files of a database before SQLite opens them. By path, in a folder that nobody else can enter: to open and close a
 * file here would drop the locks of every connection of this process (https://sqlite.org/howtocorrupt.html, 2.2).
 *
 * @param irregular the error for a file that is a link or none at all
 */
export function findDatabaseFiles(
  path: string,
  irregular: (file: string, kind: "a symbolic link" | "not a regular file") => Error,
): DatabaseFiles {
  // The WAL before the database: another process may be making both at this moment, in the other order.
  const [wal, , database] = companionsFirst(path).map((file) => {
    const stat = lstatSync(file, { throwIfNoEntry: false });
    if (stat === undefined || stat.isFile()) return stat;
    throw irregular(file, stat.isSymbolicLink() ? "a symbolic link" : "not a regular file");
  });
  return { database, wal };
}

/** Closes the files of a database to other users. @throws what `refuse` makes where one is not ours to change */
export function restrictDatabaseFiles(path: string, refuse: Refuse): void {
  for (const file of companionsFirst(path)) {
    const stat = lstatSync(file, { throwIfNoEntry: false });
    if (stat !== undefined && (stat.mode & OTHERS) !== 0) restrictToOwner(file, "600", refuse);
  }
}

function companionsFirst(path: string): readonly string[] {
  return [`${path}-wal`, `${path}-shm`, path];
}

/** Numbers would round what some file systems count beyond 2^53; as text, these would take a tenth of the time of a write. */
function lookAt(path: string): BigIntStats | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false });
}

/** An open database in a file. */
export interface PlacedDatabase {
  readonly database: Database;
  /** False once the file was moved or removed: SQLite itself would go on writing into a file without a name. */
  readonly isInPlace: () => boolean;
}

/**
 * Opens the database in a file that is there, to read and to write. SQLite waits for no lock: that is the job of `retryWhileBusy`.
 *
 * @param pragmas what SQLite forgets with each connection
 * @throws what `refuse` makes of `it was moved or removed`, or an error of SQLite; nothing stays open then
 */
export function openInPlace(
  library: SqliteLibrary,
  path: string,
  pragmas: readonly string[],
  refuse: Refuse,
): PlacedDatabase {
  const opened = lookAt(path);
  const isInPlace = () => {
    const found = lookAt(path);
    return found?.ino === opened?.ino && found?.dev === opened?.dev;
  };
  const database = library.open(path, { mode: "rw" });
  try {
    for (const pragma of pragmas) database.pragma(pragma);
    // The first look into the file. Who has looked keeps others from replacing it, so its name is certain from here on.
    database.pragma("schema_version");
    if (!isInPlace()) throw movedOrRemoved(refuse);
    return { database, isInPlace };
  } catch (error) {
    database.close();
    throw error;
  }
}

/** The error for a database whose file is no longer under its name. */
export function movedOrRemoved(refuse: Refuse): Error {
  return refuse("it was moved or removed");
}

/** Brings the content of the WAL into the database and cuts it: what was removed stays there until then. */
export function truncateWal(database: Database): void {
  try {
    database.pragma("wal_checkpoint(TRUNCATE)");
  } catch {
    // What was written is safe in the WAL: this is no reason to call it failed. Where others still read it, the next cut will do.
  }
}

/**
 * Locks everybody else out until the connection is closed, and brings the content of the WAL into the database.
 *
 * @param check throws where something else is wrong: the others are let in again then
 * @throws what `refuse` makes where the database can only be read; an error of SQLite while others have it open
 */
export function lockWhole(database: Database, refuse: Refuse, check: () => void): void {
  database.pragma("locking_mode = EXCLUSIVE");
  try {
    if (database.pragma("journal_mode = DELETE") !== "delete") throw refuse(READ_ONLY);
    check();
  } catch (error) {
    database.pragma("locking_mode = NORMAL");
    throw error;
  }
}
