import { lstatSync, type Stats } from "node:fs";
import { basename, dirname, join } from "node:path";
import { quotePath } from "@autokestra/secrets-core";
import { closeToOthers, createPrivateFile, makePrivateFolder, OTHERS, sweepDrafts } from "@autokestra/secrets-files";
import { emptyDatabase, type SqliteLibrary } from "@autokestra/secrets-store-sqlite";
import { historyUnavailable } from "./history-error.ts";

export type HistoryDatabase = InstanceType<SqliteLibrary>;

/** `akrn`: marks a database as a run history. See https://sqlite.org/pragma.html#pragma_application_id */
const APPLICATION_ID = 0x616b726e;
const SCHEMA_VERSION = 1;

/** Milliseconds. Everything in the process waits meanwhile, also the tasks. */
const BUSY_TIMEOUT = 1000;

const SCHEMA = `
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};

  CREATE TABLE runs (
    execution   TEXT PRIMARY KEY,
    workflow    TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('success', 'failed', 'unfinished')),
    started_at  TEXT NOT NULL,
    finished_at TEXT,
    duration_ms INTEGER,
    masked      TEXT NOT NULL
  ) STRICT;

  CREATE TABLE events (
    execution TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    position  INTEGER NOT NULL,
    event     TEXT NOT NULL,
    PRIMARY KEY (execution, position)
  ) STRICT, WITHOUT ROWID;
`;

/**
 * Opens the database of a run history, which only its owner can read: outputs of tasks are nobody else's business. What is none is
 * left as it is.
 *
 * @param path absolute
 * @param create without, there is none where there is no file
 * @throws AutokestraError `HISTORY_UNAVAILABLE`, or an error of SQLite or the file system; nothing stays open then
 */
export function openHistoryDatabase(library: SqliteLibrary, path: string, create: boolean): HistoryDatabase | null {
  // SQLite would open the file of the name without it.
  if (path !== path.trimEnd()) throw historyUnavailable(path, "its name ends with white space");
  if (create) createHistory(library, path);
  else if (regularFile(path, path) === undefined) return null;
  checkFile(library, path);
  for (const file of [path, `${path}-wal`, `${path}-shm`]) closeFile(path, file);
  sweepDrafts(path);
  const database = new library(path, { fileMustExist: true, timeout: BUSY_TIMEOUT });
  try {
    database.pragma("journal_mode = WAL");
    // NORMAL: each line of a log would wait for the disk. A power cut may take the last ones.
    database.pragma("synchronous = NORMAL");
    database.pragma("foreign_keys = ON");
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function createHistory(library: SqliteLibrary, path: string): void {
  // Before the database: another process may be making both at this moment, in the other order.
  const wal = regularFile(path, `${path}-wal`);
  if (regularFile(path, path) !== undefined) return;
  // SQLite would take the new database for the one that it belongs to.
  if (wal !== undefined) {
    throw historyUnavailable(path, "it is gone, and only its WAL is left", `Remove ${quotePath(`${path}-wal`)}.`);
  }
  makePrivateFolder(dirname(path));
  keepOutOfGit(path);
  createPrivateFile(
    path,
    emptyDatabase(library, (database) => database.exec(SCHEMA)),
  );
}

/** A folder with this name is ours, and often a part of a repository. */
function keepOutOfGit(path: string): void {
  const folder = dirname(path);
  if (basename(folder) === ".workflow") createPrivateFile(join(folder, ".gitignore"), "runs.db*\n");
}

/** Looks whether it is a run history, of this user. By path: to open it here would drop the locks of other connections. */
function checkFile(library: SqliteLibrary, path: string): void {
  const { uid } = regularFile(path, path) ?? {};
  if (uid !== undefined && uid !== process.geteuid?.()) throw historyUnavailable(path, "it belongs to another user");
  // Another one would bring the changes of somebody else's WAL into the database.
  const database = new library(path, { fileMustExist: true, readonly: true, timeout: BUSY_TIMEOUT });
  try {
    const applicationId = database.pragma("application_id", { simple: true });
    const version = Number(database.pragma("user_version", { simple: true }));
    if (applicationId !== APPLICATION_ID || version < 1) throw historyUnavailable(path, "it is not a run history");
    if (version > SCHEMA_VERSION) throw historyUnavailable(path, "a newer version of autokestra has written it");
  } finally {
    database.close();
  }
}

function closeFile(path: string, file: string): void {
  const stat = regularFile(path, file);
  if (stat === undefined || (stat.mode & OTHERS) === 0) return;
  closeToOthers(file, "600", (problem, hint) => historyUnavailable(path, problem, hint));
}

function regularFile(path: string, file: string): Stats | undefined {
  const stat = lstatSync(file, { throwIfNoEntry: false });
  if (stat === undefined || stat.isFile()) return stat;
  throw historyUnavailable(path, `${file === path ? "it" : basename(file)} is not a regular file`);
}
