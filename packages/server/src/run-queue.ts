import { RunCancellation } from "@autokestra/engine";
import { AutokestraError } from "@autokestra/secrets-core";

declare module "@autokestra/secrets-core" {
  interface ErrorDetails {
    /** So many runs wait that no other is taken. */
    QUEUE_FULL: { readonly retryAfterSeconds: number };
    /** Another run of its concurrency group goes on, and the workflow says that a new one is left out. */
    RUN_LEFT_OUT: object;
    SHUTTING_DOWN: object;
  }
}

/** A run that is to be started. */
export interface QueuedRun {
  readonly id: string;
  readonly workflow: string;
  /** What it keeps in memory while it waits, roughly. Default: nothing that counts. */
  readonly bytes?: number | undefined;
  /** Runs of one group do not go on at the same time. Default: none. */
  readonly group?: { readonly name: string; readonly busy: "queue" | "skip" | "cancel" } | undefined;
  /** Runs it to its end. It never throws. */
  readonly execute: (signal: AbortSignal) => Promise<void>;
  /** Instead: records that it was cancelled while it waited. It never throws. */
  readonly cancel: (by: RunCancellation["by"]) => Promise<void>;
}

export interface RunQueueOptions {
  /** How many runs go on at once. Default: 10. */
  readonly maxRuns?: number | undefined;
  /** How many wait. Default: 1000. */
  readonly maxWaiting?: number | undefined;
  /** How many bytes those keep that wait. Default: 64 MiB. */
  readonly maxWaitingBytes?: number | undefined;
}

/** Runs that wait and that go on. */
export interface RunQueue {
  /** @throws AutokestraError `QUEUE_FULL`, `RUN_LEFT_OUT`, `SHUTTING_DOWN` */
  add(run: QueuedRun): void;
  /** @throws AutokestraError `QUEUE_FULL`, `SHUTTING_DOWN` where no run with so many bytes would be taken */
  check(bytes: number): void;
  /** Another number of runs goes on at once from now on. Those that go on already do. Default: 10. */
  limit(maxRuns: number | undefined): void;
  /** Cancels a run that goes on. False: none does. */
  cancel(id: string): boolean;
  /** Forgets a run that waits. False: none does. */
  drop(id: string): boolean;
  /** The ids of those that wait, in their order. */
  waiting(): readonly string[];
  running(): readonly string[];
  isBusyWith(workflow: string): boolean;
  /**
   * Takes no more runs, and starts none. Those that go on get this long to end; then they are cancelled, as all that wait are at once.
   * Ends when all have ended.
   */
  drain(ms: number): Promise<void>;
}

/** How long a client should wait before it tries again. */
const RETRY_SECONDS = 10;

interface Entry extends QueuedRun {
  readonly stop: AbortController;
}

/** How many runs wait. */
export const MAX_WAITING: number = 1000;

const MAX_RUNS = 10;

export function createRunQueue(options: RunQueueOptions = {}): RunQueue {
  const { maxWaiting = MAX_WAITING, maxWaitingBytes = 64 * 1024 * 1024 } = options;
  let maxRuns = options.maxRuns ?? MAX_RUNS;
  const waiting: Entry[] = [];
  const running = new Map<string, { readonly entry: Entry; readonly ended: Promise<void> }>();
  let isClosed = false;

  const entriesOf = (group: string) =>
    [...running.values()].map(({ entry }) => entry).filter((entry) => entry.group?.name === group);

  function execute(entry: Entry, work = entry.execute(entry.stop.signal)): void {
    const ended = work.finally(() => {
      running.delete(entry.id);
      startWaiting();
    });
    running.set(entry.id, { entry, ended });
  }

  /** In their order; one whose group is busy lets others pass. */
  function startWaiting(): void {
    for (let at = 0; at < waiting.length && running.size < maxRuns; ) {
      const entry = waiting[at];
      if (entry === undefined || (entry.group !== undefined && entriesOf(entry.group.name).length > 0)) at += 1;
      else {
        waiting.splice(at, 1);
        execute(entry);
      }
    }
  }

  /** A new run of a group that cancels takes the place of the one that goes on, and of those that wait. */
  function makeWay(group: string): void {
    for (const { stop } of entriesOf(group)) stop.abort(new RunCancellation("superseded"));
    for (const entry of waiting.filter((other) => other.group?.name === group)) {
      endUnstarted(entry, "superseded");
    }
  }

  function endUnstarted(entry: Entry, by: RunCancellation["by"]): void {
    waiting.splice(waiting.indexOf(entry), 1);
    execute(entry, entry.cancel(by));
  }

  function check(bytes: number): void {
    if (isClosed) throw new AutokestraError("SHUTTING_DOWN", "The server is shutting down and starts no more runs");
    const held = waiting.reduce((sum, entry) => sum + (entry.bytes ?? 0), 0);
    if (waiting.length >= maxWaiting || (held > 0 && held + bytes > maxWaitingBytes)) throw queueFull(waiting.length);
  }

  return {
    check,
    add(run) {
      const { group } = run;
      const isBusy =
        group !== undefined &&
        (entriesOf(group.name).length > 0 || waiting.some((other) => other.group?.name === group.name));
      if (!isClosed && isBusy && group.busy === "skip") throw leftOut(run.workflow);
      check(run.bytes ?? 0);
      if (isBusy && group.busy === "cancel") makeWay(group.name);
      waiting.push({ ...run, stop: new AbortController() });
      startWaiting();
    },
    limit(count = MAX_RUNS) {
      maxRuns = count;
      startWaiting();
    },
    cancel(id) {
      running.get(id)?.entry.stop.abort(new RunCancellation("user"));
      return running.has(id);
    },
    drop(id) {
      const at = waiting.findIndex((entry) => entry.id === id);
      if (at >= 0) waiting.splice(at, 1);
      return at >= 0;
    },
    waiting: () => waiting.map(({ id }) => id),
    running: () => [...running.keys()],
    isBusyWith: (workflow) =>
      [...running.values()].some(({ entry }) => entry.workflow === workflow) ||
      waiting.some((entry) => entry.workflow === workflow),
    async drain(ms) {
      isClosed = true;
      for (const entry of waiting.slice()) endUnstarted(entry, "shutdown");
      const overdue = setTimeout(() => {
        for (const { entry } of running.values()) entry.stop.abort(shutdown());
      }, ms);
      await Promise.all([...running.values()].map(async ({ ended }) => await ended));
      clearTimeout(overdue);
    },
  };
}

/** The time for `finally` is over by then. */
function shutdown(): RunCancellation {
  return new RunCancellation("shutdown", { finallySeconds: 0 });
}

function queueFull(count: number): AutokestraError {
  return new AutokestraError("QUEUE_FULL", `${count} runs are waiting, and no other is taken`, {
    details: { retryAfterSeconds: RETRY_SECONDS },
  });
}

function leftOut(workflow: string): AutokestraError {
  return new AutokestraError(
    "RUN_LEFT_OUT",
    `Workflow '${workflow}' was not started: another run of its group goes on`,
  );
}
