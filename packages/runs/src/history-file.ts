import { resolve } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { AutokestraError } from "@autokestra/secrets-core";
import { type Database, deadlineAfter, retryWhileBusy } from "@autokestra/sqlite";
import { ChangeWatch } from "./change-watch.ts";
import type { HistoryConnection } from "./database.ts";
import { hasExpired, wipeExpired } from "./kept.ts";
import { hasLedger, hasQueue } from "./schema.ts";
import { MAX_PAUSE_MS, WriteQueue } from "./write-queue.ts";

/** How long a read, and closing, wait for a lock of another program, in milliseconds. */
const LOCK_TIMEOUT = 5000;

/** Turns an error into one that names the history. @param unwritten how many events were not written because of it. Default: 0 */
type ToError = (error: unknown, unwritten?: number) => AutokestraError;

/** No file is read or created before it is needed. */
export async function openHistoryFile(path: string): Promise<HistoryFile> {
  const file = toAbsolute(path);
  const { createConnection, toHistoryError } = await import("./database.ts");
  return new HistoryFile(await createConnection(file), (error, unwritten) => toHistoryError(error, file, unwritten));
}

/** The file of a run history: what all read from and write to. Waits for the locks of other programs. */
export class HistoryFile {
  readonly queue: WriteQueue;
  /** Calls those who want to know when another process has changed the file. */
  readonly changes: ChangeWatch;
  /** What can lead to more to write. Closing waits for it. */
  readonly pending: Set<Promise<unknown>> = new Set();
  readonly toError: ToError;
  readonly #connection: HistoryConnection;
  #isLookedAt = false;

  constructor(connection: HistoryConnection, toError: ToError) {
    this.#connection = connection;
    this.toError = toError;
    this.queue = new WriteQueue(
      () => connection.forWrite(),
      (error) => toError(error),
    );
    this.changes = new ChangeWatch(() => connection.forRead()?.pragma("data_version"));
  }

  /** Reads, in any version of the database, also what was added to the queue before. Null where there is no file. */
  async read<T>(work: (database: Database) => T): Promise<T | null> {
    this.queue.flush();
    const attempt = () => {
      const database = this.#connection.forRead();
      if (database === null) return null;
      this.#wipeAtFirst(database);
      return database.transaction(() => work(database));
    };
    try {
      return await retryWhileBusy(attempt, { giveUpAt: deadlineAfter(LOCK_TIMEOUT), maxPauseMs: MAX_PAUSE_MS });
    } catch (error) {
      throw this.toError(error);
    }
  }

  /** Reads where the file has a ledger, and returns null where an earlier version has written it. */
  async readLedger<T>(work: (database: Database) => T): Promise<T | null> {
    return await this.read((database) => (hasLedger(database) ? work(database) : null));
  }

  /** The same for the queue of runs. */
  async readQueued<T>(work: (database: Database) => T): Promise<T | null> {
    return await this.read((database) => (hasQueue(database) ? work(database) : null));
  }

  /** Writes, and empties the WAL: what was removed is not to be found there either. */
  async change<T>(work: (database: Database) => T): Promise<T> {
    const result = await this.queue.write(work);
    this.queue.checkpoint();
    return result;
  }

  async close(): Promise<void> {
    this.queue.giveUpAt = performance.now() + LOCK_TIMEOUT;
    await this.queue.end();
    // What was written can lead to something else to write.
    while (this.pending.size > 0) {
      await setImmediate();
      await this.queue.end();
    }
    this.#connection.close();
  }

  /** What runs have kept for too long goes with the first use. A history that can only be read keeps it. */
  #wipeAtFirst(database: Database): void {
    if (!this.#isLookedAt && hasLedger(database) && hasExpired(database)) {
      this.queue.add({ work: wipeExpired, done: () => this.queue.checkpoint(), failed: () => undefined });
    }
    this.#isLookedAt = true;
  }
}

function toAbsolute(path: string): string {
  try {
    return resolve(path);
  } catch {
    // The current folder was deleted. Opening the file reports that.
    return path;
  }
}
