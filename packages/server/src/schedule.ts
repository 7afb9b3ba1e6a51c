import type { RunClaims } from "@autokestra/runs";
import { Cron } from "croner";

/** A workflow that runs at certain times. */
export interface ScheduledWorkflow {
  readonly id: string;
  /** A cron expression of five fields. */
  readonly cron: string;
  /** Default: the time zone of the machine. */
  readonly timeZone?: string | undefined;
  /** What to do about a time that passed while no server was running. Default: `skip`. */
  readonly missed?: "skip" | "once" | undefined;
  /** What to do while the previous run is running. Default: `skip`. */
  readonly overlap?: "skip" | "allow" | undefined;
}

export interface ScheduleOptions {
  readonly claims: Pick<RunClaims, "take" | "last">;
  /** Starts a run. It is not waited for. */
  readonly start: (workflow: string, time: Date) => void;
  /** Whether a run of the workflow is waiting or running, on this server or another one. */
  readonly isRunning: (workflow: string) => Promise<boolean>;
  /** Called if a workflow could not be started at its time. It is tried again at the next one. */
  readonly onFailure: (workflow: string, error: unknown) => void;
}

/** After a machine has slept, or its clock was changed, timers are wrong: the clock is looked at this often. */
const LOOK_MS = 5 * 60_000;

/** A time that nobody acted on for so long counts as missed. */
const LATE_MS = LOOK_MS + 60_000;

/** By less than this, clocks are put back all the time. */
const BACK_MS = 60_000;

interface Entry {
  readonly workflow: ScheduledWorkflow;
  readonly times: Cron;
  next: Date | null;
}

/**
 * Starts workflows at their times. Times are those of the wall clock in the time zone of each workflow: one that comes twice, when clocks
 * are put back, counts once, and one that is left out, when they are put forward, is as much later. Of several times that have passed,
 * the first one counts.
 */
export class Schedule {
  readonly #options: ScheduleOptions;
  #entries: ReadonlyMap<string, Entry> = new Map();
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #readAt = 0;

  constructor(options: ScheduleOptions) {
    this.#options = options;
  }

  /** These are the workflows from now on. One whose times have not changed keeps its next time. */
  async set(workflows: readonly ScheduledWorkflow[]): Promise<void> {
    const now = this.#readClock();
    const before = this.#entries;
    const entries = workflows.flatMap((workflow) => this.#toEntry(workflow, now));
    this.#entries = new Map(entries.map((entry) => [entry.workflow.id, entry]));
    const added = entries.filter(({ workflow }) => !before.has(workflow.id));
    await Promise.all(added.map(async (entry) => await this.#catchUp(entry)));
    this.#plan();
  }

  /** The next time of a workflow; null where it has none. */
  next(workflow: string): Date | null {
    return this.#entries.get(workflow)?.next ?? null;
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #toEntry(workflow: ScheduledWorkflow, now: Date): Entry[] {
    const before = this.#entries.get(workflow.id);
    const isKnown = before !== undefined && hasSameTimes(before.workflow, workflow);
    try {
      const times = createTimes(workflow);
      return [{ workflow, times, next: (isKnown ? before.next : null) ?? times.nextRun(now) }];
    } catch (error) {
      // The others keep theirs.
      this.#options.onFailure(workflow.id, error);
      return [];
    }
  }

  /** The next times are wrong once the clock was put back: they are those of one that was ahead. */
  #readClock(): Date {
    const now = new Date();
    if (now.getTime() < this.#readAt - BACK_MS) {
      for (const entry of this.#entries.values()) entry.next = entry.times.nextRun(now);
    }
    this.#readAt = now.getTime();
    return now;
  }

  #plan(): void {
    clearTimeout(this.#timer);
    if (this.#isStopped || this.#entries.size === 0) return;
    const times = [...this.#entries.values()].map(({ next }) => next?.getTime() ?? Number.POSITIVE_INFINITY);
    const ms = Math.min(LOOK_MS, Math.max(0, Math.min(...times) - Date.now()));
    this.#timer = setTimeout(() => void this.#look(), ms);
  }

  async #look(): Promise<void> {
    const now = this.#readClock();
    const due = [...this.#entries.values()].filter(({ next }) => next !== null && next <= now);
    await Promise.all(
      due.map(async (entry) => {
        const { next: time, times } = entry;
        entry.next = times.nextRun(now);
        if (time !== null) await this.#act(entry, time);
      }),
    );
    this.#plan();
  }

  /** Times that passed before this server was there. */
  async #catchUp(entry: Entry): Promise<void> {
    const { claims, onFailure } = this.#options;
    const { id, missed } = entry.workflow;
    try {
      const last = await claims.last(id);
      const time = last === null ? null : entry.times.nextRun(last);
      if (last === null) await claims.take(id, new Date());
      else if (missed === "once" && time !== null && time <= new Date()) await this.#act(entry, time);
    } catch (error) {
      onFailure(id, error);
    }
  }

  async #act(entry: Entry, time: Date): Promise<void> {
    const { claims, isRunning, start, onFailure } = this.#options;
    const { id, missed, overlap } = entry.workflow;
    try {
      const isLate = Date.now() - time.getTime() >= LATE_MS;
      if (!(await claims.take(id, time)) || (isLate && missed !== "once")) return;
      if (overlap === "allow" || !(await isRunning(id))) start(id, time);
    } catch (error) {
      onFailure(id, error);
    }
  }
}

function createTimes({ cron, timeZone }: ScheduledWorkflow): Cron {
  return new Cron(cron, { mode: "5-part", paused: true, ...(timeZone !== undefined && { timezone: timeZone }) });
}

function hasSameTimes(one: ScheduledWorkflow, other: ScheduledWorkflow): boolean {
  return one.cron === other.cron && one.timeZone === other.timeZone;
}
