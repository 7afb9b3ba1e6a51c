import { basename, dirname, join } from "node:path";
import { createPrivateFile, makePrivateFolder, sweepTemporaryFiles } from "@autokestra/private-files";
import { AutokestraError, quotePath } from "@autokestra/secrets-core";
import {
  type Database,
  type DatabaseFiles,
  emptyDatabase,
  findDatabaseFiles,
  loadSqlite,
  movedOrRemoved,
  openFailureReason,
  openInPlace,
  type PlacedDatabase,
  restrictDatabaseFiles,
  type SqliteLibrary,
} from "@autokestra/sqlite";
import { z } from "zod";
import { APPLICATION_ID, createSchema, readVersion, SCHEMA_VERSION, upgradeSchema } from "./schema.ts";

/** The database of a run history, opened when it is first needed. Errors it throws are for {@link toHistoryError}. */
interface HistoryConnection {
  /** The database in whatever version it is; null where there is no file. */
  forRead(): Database | null;
  /** The database in the version of today: creates the file where there is none, and upgrades an older one. */
  forWrite(): Database;
  close(): void;
}

/** @param path absolute */
export async function createConnection(path: string): Promise<HistoryConnection> {
  const [library] = await Promise.allSettled([loadSqlite()]);
  let placed: PlacedDatabase | null = null;
  let isPrepared = false;
  let isClosed = false;

  function open(create: boolean): Database | null {
    if (library.status === "rejected") throw library.reason;
    if (isClosed) throw historyUnavailable(path, "it is closed");
    placed ??= openHistoryDatabase(library.value, path, create);
    if (placed?.isInPlace() === false) throw movedOrRemoved(refuseAt(path));
    return placed?.database ?? null;
  }

  return {
    forRead: () => open(false),
    forWrite() {
      const opened = open(true);
      if (opened === null) throw movedOrRemoved(refuseAt(path));
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
 * Turns an error of SQLite, of the file system or of a damaged row into one that names the path, and repeats nothing of the row.
 *
 * @param unwritten how many events were not written because of it
 */
export function toHistoryError(error: unknown, path: string, unwritten = 0): AutokestraError {
  const more = unwritten > 1 ? `; ${unwritten} events were not written` : "";
  if (error instanceof z.ZodError) return historyUnavailable(path, `it is damaged${more}`);
  if (!(error instanceof AutokestraError)) return historyUnavailable(path, `${openFailureReason(error, path)}${more}`);
  return error.code === "STORE_UNAVAILABLE" ? historyUnavailable(path, error.message) : error;
}

/**
 * Opens the database of a run history. Only its owner can read it: it holds the outputs of tasks. A file that is not a run
 * history is left untouched.
 *
 * @returns null where there is no file and none is to be created
 * @throws AutokestraError `HISTORY_UNAVAILABLE`, or an error of SQLite or the file system; nothing stays open then
 */
function openHistoryDatabase(library: SqliteLibrary, path: string, create: boolean): PlacedDatabase | null {
  // SQLite would open the file of the name without it.
  if (path !== path.trimEnd()) throw historyUnavailable(path, "its name ends with white space");
  const refuse = refuseAt(path);
  const { database, wal } = findFiles(path);
  if (database === undefined) {
    if (!create) return null;
    // SQLite would take the new database for the one that it belongs to.
    if (wal !== undefined) throw onlyWal(path);
    createFile(library, path);
  }
  checkFile(library, path);
  restrictDatabaseFiles(path, refuse);
  sweepTemporaryFiles(path);
  // NORMAL: each line of a log would wait for the disk. A power cut may take the last ones.
  return openInPlace(library, path, ["synchronous = NORMAL", "foreign_keys = ON"], refuse);
}

function createFile(library: SqliteLibrary, path: string): void {
  makePrivateFolder(dirname(path));
  keepOutOfGit(path);
  createPrivateFile(path, emptyDatabase(library, createSchema));
}

/** A folder with this name is ours, and often a part of a repository. */
function keepOutOfGit(path: string): void {
  const folder = dirname(path);
  if (basename(folder) === ".workflow") createPrivateFile(join(folder, ".gitignore"), "runs.db*\n");
}

/** Checks that it is a run history of this user. By path: to open the file itself would drop the locks of other connections. */
function checkFile(library: SqliteLibrary, path: string): void {
  const { uid } = findFiles(path).database ?? {};
  if (uid !== undefined && uid !== process.geteuid?.()) throw historyUnavailable(path, "it belongs to another user");
  // Read-only: another connection would bring the WAL of another program into its database.
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

/** The files of a history that are there. */
function findFiles(path: string): DatabaseFiles {
  return findDatabaseFiles(path, (file) =>
    historyUnavailable(path, `${file === path ? "it" : basename(file)} is not a regular file`),
  );
}

function onlyWal(path: string): AutokestraError {
  return historyUnavailable(path, "it was not found, only its WAL is left", `Remove ${quotePath(`${path}-wal`)}.`);
}

function refuseAt(path: string): (problem: string, hint?: string) => AutokestraError {
  return (problem, hint) => historyUnavailable(path, problem, hint);
}

function historyUnavailable(path: string, reason: string, hint?: string): AutokestraError {
  return new AutokestraError("HISTORY_UNAVAILABLE", `Run history ${quotePath(path)} cannot be used: ${reason}`, {
    hint,
  });
}
