import { RunCancellation } from "@autokestra/engine";
import type { Turn } from "@autokestra/runs";
import { AutokestraError } from "@autokestra/secrets-core";

declare module "@autokestra/secrets-core" {
  interface ErrorDetails {
    /** So many runs wait that no other is taken. */
    QUEUE_FULL: { readonly retryAfterSeconds: number };
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
  readonly group?: string | undefined;
  /** Whether it is its turn: `busy` while others of its group go on, here or elsewhere. It never throws. */
  readonly takeTurn: () => Promise<Turn>;
  /** Runs it to its end, after its turn. It never throws. */
  readonly execute: (signal: AbortSignal) => Promise<void>;
  /** Instead: it waits here no more. */
  readonly leave: () => void;
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
  /** @throws AutokestraError `QUEUE_FULL`, `SHUTTING_DOWN` */
  add(run: QueuedRun): void;
  /** @throws AutokestraError `QUEUE_FULL`, `SHUTTING_DOWN` where no run with so many bytes would be taken */
  check(bytes: number): void;
  /** Another number of runs goes on at once from now on. Those that go on already do. Default: 10. */
  limit(maxRuns: number | undefined): void;
  /** Cancels a run that goes on. False: none does. */
  cancel(id: string): boolean;
  /** Forgets a run that waits. False: none does. */
  drop(id: string): boolean;
  /** Groups that were busy may not be any more. */
  retry(): void;
  /** Whether runs wait for others of their group. */
  isHeld(): boolean;
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
  /** Its place. */
  readonly number: number;
}

/** How many runs wait. */
export const MAX_WAITING: number = 1000;

const MAX_RUNS = 10;

export function createRunQueue(options: RunQueueOptions = {}): RunQueue {
  const { maxWaiting = MAX_WAITING, maxWaitingBytes = 64 * 1024 * 1024 } = options;
  let maxRuns = options.maxRuns ?? MAX_RUNS;
  const waiting: Entry[] = [];
  const running = new Map<string, { readonly entry: Entry; readonly ended: Promise<void> }>();
  /** Groups of which another run goes on, as far as is known. */
  const held = new Set<string>();
  let lastNumber = 0;
  let isClosed = false;

  /** It counts as running meanwhile, so that it can be cancelled, and nobody passes it. */
  function execute(entry: Entry, work: () => Promise<void>): void {
    const end = async (): Promise<void> => {
      await work();
      running.delete(entry.id);
      startWaiting();
    };
    running.set(entry.id, { entry, ended: end() });
  }

  async function begin(entry: Entry): Promise<void> {
    const turn = await entry.takeTurn();
    if (turn === "busy") return await waitAgain(entry);
    if (turn === "gone") entry.leave();
    else await entry.execute(entry.stop.signal);
    held.clear();
  }

  async function waitAgain(entry: Entry): Promise<void> {
    const { reason } = entry.stop.signal;
    if (reason instanceof RunCancellation) return await entry.cancel(reason.by);
    if (isClosed) return await entry.cancel("shutdown");
    if (entry.group !== undefined) held.add(entry.group);
    const after = waiting.findIndex((other) => other.number > entry.number);
    waiting.splice(after < 0 ? waiting.length : after, 0, entry);
  }

  /** In their order; one whose group is busy lets others pass. */
  function startWaiting(): void {
    const isBusy = ({ group }: Entry) =>
      group !== undefined && (held.has(group) || [...running.values()].some(({ entry }) => entry.group === group));
    for (let at = 0; at < waiting.length && running.size < maxRuns; ) {
      const entry = waiting[at];
      if (entry === undefined || isBusy(entry)) at += 1;
      else {
        waiting.splice(at, 1);
        execute(entry, async () => await begin(entry));
      }
    }
  }

  function retry(): void {
    held.clear();
    startWaiting();
  }

  function endUnstarted(entry: Entry, by: RunCancellation["by"]): void {
    waiting.splice(waiting.indexOf(entry), 1);
    execute(entry, async () => await entry.cancel(by));
  }

  function check(bytes: number): void {
    if (isClosed) throw new AutokestraError("SHUTTING_DOWN", "The server is shutting down and starts no more runs");
    const kept = waiting.reduce((sum, entry) => sum + (entry.bytes ?? 0), 0);
    if (waiting.length >= maxWaiting || (kept > 0 && kept + bytes > maxWaitingBytes)) throw queueFull(waiting.length);
  }

  return {
    check,
    add(run) {
      check(run.bytes ?? 0);
      lastNumber += 1;
      waiting.push({ ...run, stop: new AbortController(), number: lastNumber });
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
    retry,
    isHeld: () => held.size > 0,
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
  return new AutokestraError("QUEUE_FULL", `${count} runs are waiting, and no more are accepted`, {
    details: { retryAfterSeconds: RETRY_SECONDS },
  });
}
