import { resolve } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { AutokestraError, EncryptedSecret, SecretName } from "@autokestra/secrets-core";
import { type Database, deadlineAfter, retryWhileBusy } from "@autokestra/sqlite";
import { ChangeWatch } from "./change-watch.ts";
import { lastTime, type RunClaims, takeTime } from "./claims.ts";
import { DurableRun, type DurableRunParts, type KeptRun, openKept } from "./durable-run.ts";
import type { RecordedEvent, RunSink } from "./events.ts";
import { hasExpired, type KeptKeys, readKept, wipeExpired } from "./kept.ts";
import type { RunId, RunLedger } from "./ledger.ts";
import {
  beatQueued,
  findMine,
  findQueued,
  hasOthersQueued,
  listQueued,
  type QueuedRuns,
  queuedHere,
  removeQueued,
  takeLostQueued,
} from "./queued-runs.ts";
import { createRecorder } from "./recorder.ts";
import {
  deleteRuns,
  deleteRunsBefore,
  EVENT_BATCH,
  findRunId,
  type KeptRuns,
  listRuns,
  type RunFilter,
  type RunSummary,
  readEvents,
  readFile,
  readLeftLeases,
  readSecrets,
  runNotFound,
} from "./records.ts";
import { addToGroup, leaveGroup, takeTurn } from "./run-groups.ts";
import { hasLedger, hasQueue } from "./schema.ts";
import { SqliteRunLedger } from "./sqlite-ledger.ts";
import { MAX_PAUSE_MS, WriteQueue } from "./write-queue.ts";

declare module "@autokestra/secrets-core" {
  interface ErrorDetails {
    HISTORY_UNAVAILABLE: object;
    RUN_NOT_FOUND: object;
  }
}

/** How long `list`, `events` and `close` wait for a lock of another program, in milliseconds. */
const LOCK_TIMEOUT = 5000;

/** What {@link openRunHistory} takes. */
export interface RunHistoryOptions {
  /** The path of the database file, which is created with the first event. */
  readonly path: string;
  /** Which runs stay when another one begins. Default: the newest 1 000. */
  readonly keep?: KeptRuns | undefined;
  /** Looks up secrets for {@link RunLedger.release}. Default: there are none. */
  readonly secrets?: ((name: SecretName) => Promise<EncryptedSecret | null>) | undefined;
}

/** What a durable run of a history needs besides. */
export interface DurableRunOptions extends Pick<DurableRunParts, "from" | "cipher" | "keepMs" | "fromQueue"> {
  readonly id: RunId;
  /** Whether the run may be running on another host. Default: false. */
  readonly force?: boolean | undefined;
  /** As of {@link RunHistory.recorder}; called once for the run and its events together. */
  readonly onFailure: (error: AutokestraError) => void;
}

/** Running and past runs with their events. Events are masked: no sink gets others. */
export interface RunHistory {
  /**
   * Creates a sink that records one run. It never throws, because a run that cannot be recorded goes on. The first
   * event creates the history if it does not exist, and removes runs that are not kept any longer. The first and the
   * last event are on the disk when the sink returns, the others at the end of the turn of the event loop.
   *
   * While another program has locked the file, events wait in memory and keep the process alive until they are written
   * or {@link RunHistory.close} gives up. Beyond 64 MiB of JSON, the oldest log lines of the run are dropped, and a
   * `run.warning` in the history says how many.
   *
   * @param onFailure called once with `HISTORY_UNAVAILABLE` when the run cannot be recorded any longer; it must not
   * throw
   */
  recorder(onFailure: (error: AutokestraError) => void): RunSink;

  /** The states of the tasks of runs. Closing the history closes it. */
  readonly ledger: RunLedger;

  readonly claims: RunClaims;

  readonly queued: QueuedRuns;

  /**
   * Makes a run of this process durable.
   *
   * @returns the run, and the sink that records its events
   */
  durable(options: DurableRunOptions): { readonly run: DurableRun; readonly record: RunSink };

  /**
   * Opens what a run has kept, to go on with it.
   *
   * @param keys null if there are none
   * @throws AutokestraError `RUN_NOT_FOUND`; `RUN_NOT_RESUMABLE` if it has succeeded, or has kept nothing
   */
  kept(runId: RunId, keys: KeptKeys | null): Promise<KeptRun>;

  /**
   * Overwrites what runs have kept for longer than they may. The first use of a history does so, and each run that begins: call it
   * regularly where a history stays open.
   *
   * @throws AutokestraError `HISTORY_UNAVAILABLE`
   */
  wipeExpired(): Promise<void>;

  /** The masked path of the file of a run; null if it was not read from a file, or by an earlier version. */
  file(runId: RunId): Promise<string | null>;

  /**
   * The names of the secrets that a run may use, as its workflow declared them when it began, and when it was resumed: who may not know of
   * one of them may not see the run. None for a run that has not begun, or that an earlier version has recorded.
   */
  secrets(runId: RunId): Promise<readonly string[]>;

  /**
   * Finds the id of a run.
   *
   * @param text a whole id, at least four characters of its beginning, or `last`
   * @param options `withQueued`: runs that wait to start are found, too. Default: false
   * @throws AutokestraError `RUN_NOT_FOUND`, `RUN_AMBIGUOUS`
   */
  find(text: string, options?: { readonly withQueued?: boolean }): Promise<RunId>;

  /**
   * For what other processes change: calls `look` soon, and within a second after each change. It keeps no process alive.
   *
   * @returns a function that ends it
   */
  watch(look: () => Promise<void>): () => void;

  /**
   * Removes runs with all that belongs to them, all of these or none.
   *
   * @throws AutokestraError `RUN_NOT_FOUND`; `RUN_ACTIVE` if one of them is running
   */
  remove(runIds: readonly RunId[]): Promise<void>;

  /** Removes the runs that were started before this time, but no running one. Returns how many. */
  removeBefore(time: Date): Promise<number>;

  /**
   * Lists runs, newest first. A history that does not exist yet is empty.
   *
   * @param filter which runs to list. Default: the newest 50
   * @throws AutokestraError `HISTORY_UNAVAILABLE`, also if the file stays locked for 5 seconds
   */
  list(filter?: RunFilter): Promise<readonly RunSummary[]>;

  /**
   * Returns all events of a run, in their order.
   *
   * @param runId the id of the run
   * @throws AutokestraError `RUN_NOT_FOUND`, or `HISTORY_UNAVAILABLE`, also if the file stays locked for 5 seconds
   */
  events(runId: string): Promise<readonly RecordedEvent[]>;

  /**
   * The same, some events at a time: a run can have more than fit into memory. None for a run that is not there.
   *
   * @param runId the id of the run
   * @throws AutokestraError `HISTORY_UNAVAILABLE`, also if the file stays locked for 5 seconds
   */
  iterateEvents(runId: string): AsyncIterable<RecordedEvent>;

  /**
   * Closes the file. Events that wait for a lock get 5 seconds; a recorder that still cannot write them calls its
   * `onFailure`.
   */
  close(): Promise<void>;
}

/**
 * Opens a run history, to record runs or to read past ones. `openEngine` of `@autokestra/engine` does so for its runs;
 * call this function to record runs of your own, or to read a history without an engine.
 *
 * No file is read or created before it is needed. Call `close` at the end: otherwise, events that wait for a lock keep
 * the process alive.
 *
 * @example
 * ```ts
 * import { mkdtempSync } from "node:fs";
 * import { openRunHistory } from "@autokestra/runs";
 *
 * const history = await openRunHistory({ path: `${mkdtempSync("/tmp/demo-")}/runs.db` });
 * const record = history.recorder((error) => console.warn(error.message));
 * const run = { execution: crypto.randomUUID(), level: "info", time: new Date().toISOString() } as const;
 * record({ ...run, event: "run.started", workflow: "demo", message: "workflow demo" });
 * record({ ...run, event: "run.finished", status: "success", durationMs: 12, tasks: {}, masked: {} });
 *
 * const [newest] = await history.list({ workflow: "demo", limit: 1 });
 * console.log(newest?.status, (await history.events(run.execution)).length); // success 2
 * await history.close();
 * ```
 */
export async function openRunHistory({ path, keep = {}, secrets }: RunHistoryOptions): Promise<RunHistory> {
  const file = toAbsolute(path);
  const { createConnection, toHistoryError } = await import("./database.ts");
  const connection = await createConnection(file);
  const toError = (error: unknown) => toHistoryError(error, file);
  const queue = new WriteQueue(() => connection.forWrite(), toError);
  const pending = new Set<Promise<unknown>>();
  const changes = new ChangeWatch(() => connection.forRead()?.pragma("data_version"));

  let isLookedAt = false;
  /** What runs have kept for too long goes with the first use. A history that can only be read keeps it. */
  function wipeAtFirst(database: Database): void {
    if (!isLookedAt && hasLedger(database) && hasExpired(database)) {
      queue.add({ work: wipeExpired, done: () => queue.checkpoint(), failed: () => undefined });
    }
    isLookedAt = true;
  }

  async function read<T>(work: (database: Database) => T): Promise<T | null> {
    queue.flush();
    const attempt = () => {
      const database = connection.forRead();
      if (database === null) return null;
      wipeAtFirst(database);
      return database.transaction(() => work(database));
    };
    try {
      return await retryWhileBusy(attempt, { giveUpAt: deadlineAfter(LOCK_TIMEOUT), maxPauseMs: MAX_PAUSE_MS });
    } catch (error) {
      throw toError(error);
    }
  }

  async function readQueued<T>(work: (database: Database) => T): Promise<T | null> {
    return await read((database) => (hasQueue(database) ? work(database) : null));
  }

  /** Also where something is removed that is not to be found in the WAL. */
  async function change<T>(work: (database: Database) => T): Promise<T> {
    const result = await queue.write(work);
    queue.checkpoint();
    return result;
  }

  async function close(): Promise<void> {
    queue.giveUpAt = performance.now() + LOCK_TIMEOUT;
    await queue.end();
    // What was written can lead to something else to write.
    while (pending.size > 0) {
      await setImmediate();
      await queue.end();
    }
    connection.close();
  }

  const ledger = new SqliteRunLedger({ queue, keep, read, secrets, onChange: () => changes.tell(), close });
  const recorder = (onFailure: (error: AutokestraError) => void, token?: string) =>
    createRecorder({ queue, keep }, (error, unwritten) => onFailure(toHistoryError(error, file, unwritten)), token);

  return {
    ledger,
    claims: {
      take: async (workflow, time) => await change((database) => takeTime(database, workflow, time)),
      last: async (workflow) => await read((database) => (hasLedger(database) ? lastTime(database, workflow) : null)),
    },
    queued: {
      async add({ group, ...run }, key) {
        const [owner, hasCancelled] = await queue.write((database) => addToGroup(database, run, key, group));
        if (hasCancelled) changes.tell();
        return owner;
      },
      takeTurn: async (id) => await queue.write((database) => takeTurn(database, id)),
      leaveGroup: async (id) => await queue.write((database) => leaveGroup(database, id)),
      remove: async (id, key) => await queue.write((database) => removeQueued(database, id, key)),
      find: async (id) => await readQueued((database) => findQueued(database, id)),
      list: async (workflow) => (await readQueued((database) => listQueued(database, workflow))) ?? [],
      isOurs: async (id) => (await readQueued((database) => findMine(database, id))) !== null,
      ours: async () => (await readQueued(queuedHere)) ?? new Set(),
      beat: async () => await queue.write(beatQueued),
      // Nothing is made, upgraded or locked where there is nothing to take.
      async takeLost(limit) {
        const isAny = await readQueued(hasOthersQueued);
        return isAny === true ? await queue.write((database) => takeLostQueued(database, limit)) : [];
      },
    },
    recorder: (onFailure) => recorder(onFailure),
    durable({ force = false, onFailure, ...options }) {
      let isTold = false;
      const tell = (error: AutokestraError) => {
        if (!isTold) onFailure(error);
        isTold = true;
      };
      const run = new DurableRun({
        ...options,
        force,
        ledger,
        queue,
        pending,
        watch: (look) => changes.add(look),
        onFailure: (error) => tell(toError(error)),
      });
      return { run, record: recorder(tell, run.token) };
    },
    async kept(runId, keys) {
      const found = await read((database) => {
        const stored = hasLedger(database) ? readKept(database, runId) : null;
        return stored && { stored, leases: readLeftLeases(database, runId) };
      });
      if (found === null) throw runNotFound(runId);
      return { ...(await openKept(runId, found.stored, keys)), leases: found.leases };
    },
    secrets: async (runId) =>
      (await read((database) => (hasLedger(database) ? readSecrets(database, runId) : []))) ?? [],
    file: async (runId) => await read((database) => (hasLedger(database) ? readFile(database, runId) : null)),
    async find(text, { withQueued = false } = {}) {
      const found = await read((database) => findRunId(database, text, withQueued));
      if (found === null) throw runNotFound(text);
      return found;
    },
    watch: (look) => changes.add(look),
    async wipeExpired() {
      const isDue = await read((database) => (hasLedger(database) ? hasExpired(database) : null));
      if (isDue === true) await change(wipeExpired);
      // The start of a run has overwritten some, too.
      if (isDue === false) queue.checkpoint();
    },
    remove: async (ids) => await change((database) => deleteRuns(database, ids)),
    removeBefore: async (time) => await change((database) => deleteRunsBefore(database, time.toISOString())),
    list: async (filter = {}) => (await read((database) => listRuns(database, filter))) ?? [],
    async events(runId) {
      const events = (await read((database) => readEvents(database, runId))) ?? [];
      if (events.length === 0) throw runNotFound(runId);
      return events;
    },
    async *iterateEvents(runId) {
      for (let position = 0, isAll = false; !isAll; ) {
        const events = (await read((database) => readEvents(database, runId, position, EVENT_BATCH))) ?? [];
        yield* events;
        position += events.length;
        isAll = events.length < EVENT_BATCH;
      }
    },
    close,
  };
}

function toAbsolute(path: string): string {
  try {
    return resolve(path);
  } catch {
    // The current folder was deleted. Opening the file reports that.
    return path;
  }
}
