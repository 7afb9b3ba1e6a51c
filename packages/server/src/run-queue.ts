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
export interface WaitingRun {
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

/** How long a client should wait before it tries again. */
const RETRY_SECONDS = 10;

interface Entry extends WaitingRun {
  readonly stop: AbortController;
  /** Its place. */
  readonly number: number;
}

const MAX_RUNS = 10;
const MAX_WAITING = 1000;
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

/** Runs that wait and that go on, in this process. */
export class RunQueue {
  readonly #maxWaiting: number;
  readonly #maxWaitingBytes: number;
  readonly #onWaiting: () => void;
  readonly #waiting: Entry[] = [];
  readonly #running = new Map<string, { readonly entry: Entry; readonly ended: Promise<void> }>();
  /** Groups of which another run goes on, as far as is known. */
  readonly #held = new Set<string>();
  #maxRuns: number;
  #lastNumber = 0;
  #isClosed = false;

  /** @param onWaiting called whenever runs wait that could not begin. Default: nothing is */
  constructor(options: RunQueueOptions = {}, onWaiting: () => void = () => undefined) {
    const { maxRuns = MAX_RUNS, maxWaiting = MAX_WAITING, maxWaitingBytes = MAX_WAITING_BYTES } = options;
    this.#maxRuns = maxRuns;
    this.#maxWaiting = maxWaiting;
    this.#maxWaitingBytes = maxWaitingBytes;
    this.#onWaiting = onWaiting;
  }

  /** @throws AutokestraError `QUEUE_FULL`, `SHUTTING_DOWN` */
  add(run: WaitingRun): void {
    this.check(run.bytes ?? 0);
    this.#lastNumber += 1;
    this.#waiting.push({ ...run, stop: new AbortController(), number: this.#lastNumber });
    this.#startWaiting();
  }

  /** @throws AutokestraError `QUEUE_FULL`, `SHUTTING_DOWN` where no run with so many bytes would be taken */
  check(bytes: number): void {
    if (this.#isClosed) {
      throw new AutokestraError("SHUTTING_DOWN", "The server is shutting down and starts no more runs");
    }
    const { length } = this.#waiting;
    const kept = this.#waiting.reduce((sum, entry) => sum + (entry.bytes ?? 0), 0);
    if (length >= this.#maxWaiting || (kept > 0 && kept + bytes > this.#maxWaitingBytes)) throw queueFull(length);
  }

  /** How many more runs can wait here. Runs of busy groups that wait again can be more than there is room for. */
  get room(): number {
    return Math.max(0, this.#maxWaiting - this.#waiting.length);
  }

  /** Another number of runs goes on at once from now on. Those that go on already do. Default: 10. */
  limit(maxRuns: number = MAX_RUNS): void {
    this.#maxRuns = maxRuns;
    this.#startWaiting();
  }

  /** Cancels a run that goes on. False: none does. */
  cancel(id: string): boolean {
    this.#running.get(id)?.entry.stop.abort(new RunCancellation("user"));
    return this.#running.has(id);
  }

  /** Forgets a run that waits. False: none does. */
  drop(id: string): boolean {
    const at = this.#waiting.findIndex((entry) => entry.id === id);
    if (at >= 0) this.#waiting.splice(at, 1);
    return at >= 0;
  }

  /** Groups that were busy may not be any more. */
  retry(): void {
    this.#held.clear();
    this.#startWaiting();
  }

  /** The ids of those that wait, in their order. */
  waiting(): readonly string[] {
    return this.#waiting.map(({ id }) => id);
  }

  running(): readonly string[] {
    return [...this.#running.keys()];
  }

  isBusyWith(workflow: string): boolean {
    return (
      [...this.#running.values()].some(({ entry }) => entry.workflow === workflow) ||
      this.#waiting.some((entry) => entry.workflow === workflow)
    );
  }

  /**
   * Takes no more runs, and starts none. Those that go on get this long to end; then they are cancelled, as all that wait are at once.
   * Ends when all have ended.
   */
  async drain(ms: number): Promise<void> {
    this.#isClosed = true;
    for (const entry of this.#waiting.splice(0)) this.#execute(entry, async () => await entry.cancel("shutdown"));
    const overdue = setTimeout(() => {
      for (const { entry } of this.#running.values()) entry.stop.abort(shutdown());
    }, ms);
    await Promise.all([...this.#running.values()].map(async ({ ended }) => await ended));
    clearTimeout(overdue);
  }

  /** In their order; one whose group is busy lets others pass. */
  #startWaiting(): void {
    for (let at = 0; at < this.#waiting.length && this.#running.size < this.#maxRuns; ) {
      const entry = this.#waiting[at];
      if (entry === undefined || this.#isGroupBusy(entry)) at += 1;
      else {
        this.#waiting.splice(at, 1);
        this.#execute(entry, async () => await this.#begin(entry));
      }
    }
    if (this.#waiting.length > 0) this.#onWaiting();
  }

  #isGroupBusy({ group }: Entry): boolean {
    if (group === undefined) return false;
    return this.#held.has(group) || [...this.#running.values()].some(({ entry }) => entry.group === group);
  }

  /** It counts as running meanwhile, so that it can be cancelled, and nobody passes it. */
  #execute(entry: Entry, work: () => Promise<void>): void {
    const end = async (): Promise<void> => {
      await work();
      this.#running.delete(entry.id);
      this.#startWaiting();
    };
    this.#running.set(entry.id, { entry, ended: end() });
  }

  async #begin(entry: Entry): Promise<void> {
    const turn = await entry.takeTurn();
    if (turn === "busy") return await this.#waitAgain(entry);
    if (turn === "gone") entry.leave();
    else await entry.execute(entry.stop.signal);
    this.#held.clear();
  }

  async #waitAgain(entry: Entry): Promise<void> {
    const { reason } = entry.stop.signal;
    if (reason instanceof RunCancellation) return await entry.cancel(reason.by);
    if (this.#isClosed) return await entry.cancel("shutdown");
    if (entry.group !== undefined) this.#held.add(entry.group);
    const after = this.#waiting.findIndex((other) => other.number > entry.number);
    this.#waiting.splice(after < 0 ? this.#waiting.length : after, 0, entry);
  }
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
