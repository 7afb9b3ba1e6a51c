import { type Database, isBusy, retryWhileBusy, truncateWal } from "@autokestra/sqlite";

/** The longest pause between two attempts to use a locked history, in milliseconds. */
export const MAX_PAUSE_MS = 50;

/** After how many milliseconds nobody waits for a lock of another program any longer. */
const PATIENCE_MS = 1000;

/** Something to write. It may be called again after a transaction that was rolled back, so it changes nothing else. */
export interface Write<T> {
  work(database: Database): T;
  /** Called once it is on the disk. */
  done(result: T): void;
  /** Called instead, if it never will be. */
  failed(error: unknown): void;
}

/**
 * Writes all that one turn of the event loop brings in one transaction, because each one waits for the disk. While
 * another program has the database locked, writes wait in memory, and the event loop continues.
 */
export class WriteQueue {
  readonly #forWrite: () => Database;
  readonly #toError: (error: unknown) => Error;
  #writes: Write<unknown>[] = [];
  #isScheduled = false;
  /** Settles when everything is written that waits for a lock; null without a lock. */
  #unlocked: Promise<void> | null = null;
  #lockedSince = 0;
  #impatient: (() => void)[] = [];
  /** The time to give up at, on the clock of `performance.now()`. */
  giveUpAt: number = Number.POSITIVE_INFINITY;

  /**
   * @param forWrite opens the database or returns the open one; throws if it cannot be written to
   * @param toError turns an error into one that says which history it is about
   */
  constructor(forWrite: () => Database, toError: (error: unknown) => Error) {
    this.#forWrite = forWrite;
    this.#toError = toError;
  }

  add<T>(write: Write<T>): void {
    // Each is called with its own result.
    this.#writes.push(write);
    this.#schedule();
  }

  /** The same with a promise, which rejects with what `toError` makes of an error. */
  write<T>(work: (database: Database) => T): Promise<T> {
    return new Promise((resolve, reject) =>
      this.add({ work, done: resolve, failed: (error) => reject(this.#toError(error)) }),
    );
  }

  /**
   * Resolves when something is written, or once another program has had the database locked for a second.
   *
   * @param written must not reject
   */
  async unlessLocked(written: Promise<void>): Promise<void> {
    if (this.#isLockedForLong()) return;
    await new Promise<void>((resolve) => {
      this.#impatient.push(resolve);
      void written.then(resolve);
    });
  }

  /** Writes everything now, unless the database is locked. */
  flush(): void {
    if (this.#unlocked !== null || this.#writes.length === 0) return;
    try {
      this.#commit();
    } catch {
      const unlocked = this.#waitForLock().finally(() => {
        this.#unlocked = null;
        this.#schedule();
      });
      this.#unlocked = unlocked;
    }
  }

  /** Removes from the WAL what was deleted, as far as other processes let it. */
  checkpoint(): void {
    try {
      truncateWal(this.#forWrite());
    } catch {
      // The next one does.
    }
  }

  /** Writes everything. Resolves when that is done, or was given up at {@link giveUpAt}. */
  async end(): Promise<void> {
    while (this.#writes.length > 0 || this.#unlocked !== null) {
      this.flush();
      await this.#unlocked;
    }
  }

  #schedule(): void {
    if (this.#isScheduled || this.#unlocked !== null || this.#writes.length === 0) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.flush();
    });
  }

  #isLockedForLong(): boolean {
    return this.#unlocked !== null && performance.now() - this.#lockedSince > PATIENCE_MS;
  }

  /** @throws an error of SQLite while the database is locked; what is not written stays in the queue then */
  #commit(): void {
    const writes = this.#writes.splice(0);
    try {
      this.#transact(writes);
    } catch (error) {
      if (isBusy(error)) this.#writes.unshift(...writes);
      if (isBusy(error)) throw error;
      this.#commitEach(writes, error);
    }
    this.#impatient = [];
  }

  /** One of them is the reason of an error, and the others are not to be lost with it. */
  #commitEach(writes: readonly Write<unknown>[], reason: unknown): void {
    if (writes.length === 1) {
      writes[0]?.failed(reason);
      return;
    }
    for (const [at, write] of writes.entries()) {
      try {
        this.#transact([write]);
      } catch (error) {
        if (!isBusy(error)) write.failed(error);
        else {
          this.#writes.unshift(...writes.slice(at));
          throw error;
        }
      }
    }
  }

  #transact(writes: readonly Write<unknown>[]): void {
    const database = this.#forWrite();
    const results = database.immediate(() => writes.map((write) => write.work(database)));
    for (const [at, write] of writes.entries()) write.done(results[at]);
  }

  async #waitForLock(): Promise<void> {
    this.#lockedSince = performance.now();
    const attempt = (): void => {
      if (this.#isLockedForLong()) for (const resolve of this.#impatient.splice(0)) resolve();
      this.#commit();
    };
    try {
      await retryWhileBusy(attempt, { giveUpAt: () => this.giveUpAt, maxPauseMs: MAX_PAUSE_MS });
    } catch (error) {
      for (const write of this.#writes.splice(0)) write.failed(error);
    }
  }
}
