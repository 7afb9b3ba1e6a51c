import { basename, dirname, join } from "node:path";
import { createPrivateFile, makePrivateFolder, sweepTemporaryFiles } from "@autokestra/private-files";
import { AutokestraError } from "@autokestra/secrets-core";
import { quotePath } from "@autokestra/secrets-core/internal";
import {
  type Database,
  type DatabaseFiles,
  emptyDatabase,
  type FileDatabase,
  findDatabaseFiles,
  loadSqlite,
  movedOrRemovedError,
  openFailureReason,
  openInPlace,
  restrictDatabaseFiles,
  type SqliteLibrary,
} from "@autokestra/sqlite";
import { z } from "zod";
import { RunTakenError } from "./recorder.ts";
import { APPLICATION_ID, createSchema, readVersion, SCHEMA_VERSION, upgradeSchema } from "./schema.ts";

/** The database of a run history, opened when it is first needed. Pass what it throws to {@link toHistoryError}. */
export interface HistoryConnection {
  /** The database, in any version; null if there is no file. */
  forRead(): Database | null;
  /** The database in the current version: creates a missing file and upgrades an older one. */
  forWrite(): Database;
  close(): void;
}

/** @param path absolute */
export async function createConnection(path: string): Promise<HistoryConnection> {
  const [library] = await Promise.allSettled([loadSqlite()]);
  let placed: FileDatabase | null = null;
  let isPrepared = false;
  let isClosed = false;

  function open(create: boolean): Database | null {
    if (library.status === "rejected") throw library.reason;
    if (isClosed) throw historyUnavailable(path, "it is closed");
    placed ??= openHistoryDatabase(library.value, path, create);
    if (placed?.isInPlace() === false) throw movedOrRemovedError(refuseAt(path));
    return placed?.database ?? null;
  }

  return {
    forRead: () => open(false),
    forWrite() {
      const opened = open(true);
      if (opened === null) throw movedOrRemovedError(refuseAt(path));
      if (!isPrepared) {
        opened.pragma("journal_mode = WAL");
        upgradeSchema(opened);
        isPrepared = true;
      }
      return opened;
    },
    close() {
      isClosed = true;
      placed?.database.close();
    },
  };
}

/**
 * Turns an error of SQLite, of the file system or of a damaged row into one that names the path and quotes nothing of
 * the row.
 *
 * @param unwritten the number of events that were not written because of it
 */
export function toHistoryError(error: unknown, path: string, unwritten = 0): AutokestraError {
  const more = unwritten > 1 ? `; ${unwritten} events were not written` : "";
  if (error instanceof RunTakenError) return historyUnavailable(path, `another process goes on with the run${more}`);
  if (error instanceof z.ZodError) return historyUnavailable(path, `it is damaged${more}`);
  if (!(error instanceof AutokestraError)) return historyUnavailable(path, `${openFailureReason(error, path)}${more}`);
  return error.code === "STORE_UNAVAILABLE" ? historyUnavailable(path, error.message) : error;
}

/**
 * Opens the database of a run history. Only its owner can read it, because it holds the outputs of tasks. Files that
 * are not a run history are left untouched.
 *
 * @returns null if there is no file and `create` is false
 * @throws AutokestraError `HISTORY_UNAVAILABLE`, or an error of SQLite or the file system; nothing stays open
 */
function openHistoryDatabase(library: SqliteLibrary, path: string, create: boolean): FileDatabase | null {
  // SQLite would open the file whose name lacks the white space.
  if (path !== path.trimEnd()) throw historyUnavailable(path, "its name ends with white space");
  const refuse = refuseAt(path);
  const { database, wal } = findFiles(path);
  if (database === undefined) {
    if (!create) return null;
    // SQLite would apply the WAL to the new database.
    if (wal !== undefined) throw onlyWal(path);
    createFile(library, path);
  }
  checkFile(library, path);
  restrictDatabaseFiles(path, refuse);
  sweepTemporaryFiles(path);
  // FULL: a result that a run has gone on with survives a power cut. Kept values are overwritten when they are deleted.
  return openInPlace(library, path, ["synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"], refuse);
}

function createFile(library: SqliteLibrary, path: string): void {
  makePrivateFolder(dirname(path));
  keepOutOfGit(path);
  createPrivateFile(path, emptyDatabase(library, createSchema));
}

/** Adds a .gitignore, because `.workflow` is a folder of autokestra and often part of a repository. */
function keepOutOfGit(path: string): void {
  const folder = dirname(path);
  if (basename(folder) === ".workflow") createPrivateFile(join(folder, ".gitignore"), "runs.db*\n");
}

/**
 * Checks that the file is a run history of this user. It reads by way of SQLite, because opening and closing the file
 * directly would drop the locks of other connections in this process.
 */
function checkFile(library: SqliteLibrary, path: string): void {
  const { uid } = findFiles(path).database ?? {};
  if (uid !== undefined && uid !== process.geteuid?.()) throw historyUnavailable(path, "it belongs to another user");
  // Read-only, because a writing connection would apply the WAL of another program to its database.
  const database = library.open(path, { mode: "ro" });
  try {
    const applicationId = database.pragma("application_id");
    const version = readVersion(database);
    if (applicationId !== APPLICATION_ID || version < 1) throw historyUnavailable(path, "it is not a run history");
    if (version > SCHEMA_VERSION) throw historyUnavailable(path, "a newer version of autokestra has written it");
  } finally {
    database.close();
  }
}

/** Finds the files of a history that exist. */
function findFiles(path: string): DatabaseFiles {
  return findDatabaseFiles(path, (file) =>
    historyUnavailable(path, `${file === path ? "it" : basename(file)} is not a regular file`),
  );
}

function onlyWal(path: string): AutokestraError {
  return historyUnavailable(path, "it was deleted, and only its WAL is left", `Remove ${quotePath(`${path}-wal`)}.`);
}

function refuseAt(path: string): (problem: string, hint?: string) => AutokestraError {
  return (problem, hint) => historyUnavailable(path, problem, hint);
}

function historyUnavailable(path: string, reason: string, hint?: string): AutokestraError {
  return new AutokestraError("HISTORY_UNAVAILABLE", `Run history ${quotePath(path)} cannot be used: ${reason}`, {
    hint,
  });
}
