import { lstatSync, type Stats } from "node:fs";
import { basename, dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import {
  closeToOthers,
  createPrivateFile,
  fileIdentity,
  makePrivateFolder,
  OTHERS,
  sweepDrafts,
} from "@autokestra/private-files";
import { AutokestraError, quotePath } from "@autokestra/secrets-core";
import { type Database, emptyDatabase, isBusy, loadSqlite, type SqliteLibrary, whyNotOpened } from "@autokestra/sqlite";
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
  let database: Database | null = null;
  let identity: string | null = null;
  let isPrepared = false;
  let isClosed = false;

  function open(create: boolean): Database | null {
    if (library.status === "rejected") throw library.reason;
    if (isClosed) throw historyUnavailable(path, "it is closed");
    if (database === null) {
      database = openHistoryDatabase(library.value, path, create);
      identity = fileIdentity(path);
    }
    // SQLite itself would go on writing into a file without a name.
    if (identity !== fileIdentity(path)) throw movedOrRemoved(path);
    return database;
  }

  return {
    forRead: () => open(false),
    forWrite() {
      const opened = open(true);
      if (opened === null) throw movedOrRemoved(path);
      if (!isPrepared) {
        opened.pragma("journal_mode = WAL");
        upgradeSchema(opened);
        isPrepared = true;
      }
      return opened;
    },
    close() {
      isClosed = true;
      database?.close();
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
  if (!(error instanceof AutokestraError)) return historyUnavailable(path, `${whyNotOpened(error, path)}${more}`);
  return error.code === "STORE_UNAVAILABLE" ? historyUnavailable(path, error.message) : error;
}

/**
 * Opens the database of a run history. Only its owner can read it: it holds the outputs of tasks. A file that is not a run
 * history is left untouched.
 *
 * @returns null where there is no file and none is to be created
 * @throws AutokestraError `HISTORY_UNAVAILABLE`, or an error of SQLite or the file system; nothing stays open then
 */
function openHistoryDatabase(library: SqliteLibrary, path: string, create: boolean): Database | null {
  // SQLite would open the file of the name without it.
  if (path !== path.trimEnd()) throw historyUnavailable(path, "its name ends with white space");
  if (create) createFile(library, path);
  else if (regularFile(path, path) === undefined) return null;
  checkFile(library, path);
  for (const file of [path, `${path}-wal`, `${path}-shm`]) restrictFile(path, file);
  sweepDrafts(path);
  // Timeout 0: SQLite's own waiting would block the event loop.
  const database = library.open(path, { mode: "rw" });
  try {
    // NORMAL: each line of a log would wait for the disk. A power cut may take the last ones.
    database.pragma("synchronous = NORMAL");
    database.pragma("foreign_keys = ON");
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function createFile(library: SqliteLibrary, path: string): void {
  // Before the database: another process may be making both at this moment, in the other order.
  const wal = regularFile(path, `${path}-wal`);
  if (regularFile(path, path) !== undefined) return;
  // SQLite would take the new database for the one that it belongs to.
  if (wal !== undefined) {
    throw historyUnavailable(path, "it is gone, and only its WAL is left", `Remove ${quotePath(`${path}-wal`)}.`);
  }
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
  const { uid } = regularFile(path, path) ?? {};
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

function restrictFile(path: string, file: string): void {
  const stat = regularFile(path, file);
  if (stat === undefined || (stat.mode & OTHERS) === 0) return;
  closeToOthers(file, "600", (problem, hint) => historyUnavailable(path, problem, hint));
}

function regularFile(path: string, file: string): Stats | undefined {
  const stat = lstatSync(file, { throwIfNoEntry: false });
  if (stat === undefined || stat.isFile()) return stat;
  throw historyUnavailable(path, `${file === path ? "it" : basename(file)} is not a regular file`);
}

function movedOrRemoved(path: string): AutokestraError {
  return historyUnavailable(path, "it was moved or removed");
}

function historyUnavailable(path: string, reason: string, hint?: string): AutokestraError {
  return new AutokestraError("HISTORY_UNAVAILABLE", `Run history ${quotePath(path)} cannot be used: ${reason}`, {
    hint,
  });
}

/** The longest pause between two attempts, in milliseconds. */
const MAX_PAUSE = 50;

/**
 * Runs `attempt` again while another connection has the database locked. SQLite's own timeout would block the event loop; here
 * only the caller waits. The pauses are random, so that no writer starves.
 *
 * @param giveUpAt when to stop, as `performance.now()` counts; called after each attempt
 * @throws the error of the last attempt
 */
export async function retryWhileLocked<T>(attempt: () => T, giveUpAt: () => number): Promise<T> {
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error) || performance.now() >= giveUpAt()) throw error;
    }
    await setTimeout(Math.random() * MAX_PAUSE);
  }
}
