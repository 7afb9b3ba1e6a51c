import { lstatSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { closeToOthers, createPrivateFile, makePrivateFolder, OTHERS } from "@autokestra/secrets-files";
import type { SqliteLibrary } from "@autokestra/secrets-store-sqlite";
import { historyUnavailable } from "./history-error.ts";

export type HistoryDatabase = InstanceType<SqliteLibrary>;

/** `akrn`: marks a database as a run history. See https://sqlite.org/pragma.html#pragma_application_id */
const APPLICATION_ID = 0x616b726e;
const SCHEMA_VERSION = 1;
const BUSY_TIMEOUT_MS = 5000;

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

  CREATE INDEX runs_started ON runs (started_at);
  CREATE INDEX runs_workflow ON runs (workflow, started_at);

  CREATE TABLE events (
    execution TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    position  INTEGER NOT NULL,
    event     TEXT NOT NULL,
    PRIMARY KEY (execution, position)
  ) STRICT, WITHOUT ROWID;
`;

/**
 * Opens the database of a run history, which only its owner can read: outputs of tasks are nobody else's business.
 *
 * @param create without, there is none where there is no file
 * @throws AutokestraError `HISTORY_UNAVAILABLE`, or an error of SQLite or the file system; nothing stays open then
 */
export function openHistoryDatabase(library: SqliteLibrary, path: string, create: boolean): HistoryDatabase | null {
  if (!closeFile(path)) {
    if (!create) return null;
    makePrivateFolder(dirname(path));
    createPrivateFile(path, emptyHistory(library));
    keepOutOfGit(path);
  }
  const database = new library(path, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
  try {
    checkSchema(database, path);
    database.pragma("journal_mode = WAL");
    // What the last moments before a power cut are missing is no secret, and each line of a log would wait for the disk.
    database.pragma("synchronous = NORMAL");
    database.pragma("foreign_keys = ON");
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** By path: to open and close it here would drop the locks of other connections (https://sqlite.org/howtocorrupt.html, 2.2). */
function closeFile(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return false;
  if (!stat.isFile()) throw historyUnavailable(path, "it is not a regular file");
  if ((stat.mode & OTHERS) !== 0) closeToOthers(path, "600", (problem) => historyUnavailable(path, problem));
  return true;
}

/** A folder with this name is ours, and often a part of a repository. */
function keepOutOfGit(path: string): void {
  const folder = dirname(path);
  if (basename(folder) === ".workflow") createPrivateFile(join(folder, ".gitignore"), `${basename(path)}*\n`);
}

function checkSchema(database: HistoryDatabase, path: string): void {
  if (database.pragma("application_id", { simple: true }) !== APPLICATION_ID) {
    throw historyUnavailable(path, "it is a database of another program");
  }
  const version = database.pragma("user_version", { simple: true });
  if (version !== SCHEMA_VERSION) throw historyUnavailable(path, "a newer version of autokestra has written it");
}

function emptyHistory(library: SqliteLibrary): Uint8Array {
  const database = new library(":memory:");
  try {
    database.exec(SCHEMA);
    return database.serialize();
  } finally {
    database.close();
  }
}
