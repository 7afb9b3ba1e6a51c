import type { Engine } from "@autokestra/engine";
import { type ClaimedRequest, type ListedRun, listedAsQueued, type RunGroup, type Turn } from "@autokestra/runs";
import { AutokestraError, hasCode } from "@autokestra/secrets-core";
import { bytesOf, doJob, groupOf, keptJob, type RunJob, recoverJob } from "./run-job.ts";
import { RunQueue, type RunQueueOptions } from "./run-queue.ts";
import { notRecorded, UnstartedRuns, type UnstartedRunsOptions } from "./unstarted-runs.ts";

export interface TakenRunsOptions extends RunQueueOptions, UnstartedRunsOptions {
  readonly engine: Pick<Engine, "run" | "resume" | "rerun" | "toResume" | "toRerun" | "history" | "queued">;
}

interface ActiveRun {
  readonly run: ListedRun;
  /** The absolute path of its workflow; null for one that came as text. */
  readonly file: string | null;
}

/** How often to look whether groups are free again, in milliseconds. */
const RETRY_MS = 2000;

/**
 * The runs that this server has taken: they wait here, and in the queue that all servers of a history share, until it is their turn. Other
 * processes cancel runs that wait here, take them over, and have runs of the same groups.
 */
export class TakenRuns {
  readonly #engine: TakenRunsOptions["engine"];
  readonly #onNotice: TakenRunsOptions["onNotice"];
  readonly #onEnded: TakenRunsOptions["onEnded"];
  readonly #unstarted: UnstartedRuns;
  readonly #active = new Map<string, ActiveRun>();
  /** Those of this process alone. */
  readonly queue: RunQueue;
  #unwatch: (() => void) | null = null;
  #retrying: NodeJS.Timeout | undefined;

  constructor(options: TakenRunsOptions) {
    this.#engine = options.engine;
    this.#onNotice = options.onNotice;
    this.#onEnded = options.onEnded;
    this.#unstarted = new UnstartedRuns(options);
    this.queue = new RunQueue(options, () => this.#watch());
  }

  /** A run that waits or goes on here. It is `queued` until its first event is recorded. */
  active(id: string): ActiveRun | null {
    return this.#active.get(id) ?? null;
  }

  /**
   * Takes a run: from here on it is started, whatever becomes of this process.
   *
   * @param key the run is its run; null for none
   * @param request what is asked for, where another request with the key is to be refused
   * @returns the id of the run that has the key
   */
  async take(job: RunJob, key: string | null, request?: ClaimedRequest): Promise<string> {
    const { id } = job.run;
    const group = await groupOf(job);
    // Of two requests to resume a run, the second one would take its place.
    if ((await this.#engine.queued.find(id)) !== null || this.#active.has(id)) throw isActive();
    const bytes = bytesOf(job);
    this.queue.check(bytes);
    this.#active.set(id, { run: listedAsQueued(job.run), file: job.run.file });
    try {
      const queued = { ...job.run, start: keptJob(job), group };
      const owner = await this.#engine.queued.add(queued, key ?? undefined, request);
      if (owner === id) this.#enqueue(job, group, bytes);
      else this.#active.delete(id);
      return owner;
    } catch (error) {
      this.#active.delete(id);
      await this.#engine.queued.remove(id, key ?? undefined, request).catch(() => undefined);
      throw error;
    }
  }

  /** Takes over what other servers have taken and not begun before they were lost. */
  async recover(): Promise<void> {
    for (const { start, ...run } of await this.#engine.queued.takeLost(this.queue.room)) {
      try {
        const job = await recoverJob(this.#engine, run, start);
        const group = await groupOf(job);
        this.#active.set(run.id, { run: listedAsQueued(run), file: run.file });
        // Whether there is room was decided elsewhere.
        this.#enqueue(job, group, undefined);
        this.#onNotice(`run ${run.id} of '${run.workflow}' now waits on this server: its own was lost`);
      } catch (error) {
        this.#active.delete(run.id);
        // Another server takes it once this one has ended.
        if (!hasCode(error, "SHUTTING_DOWN")) await this.#unstarted.refuse(run, error);
      }
    }
    if (this.#active.size > 0) await this.#engine.queued.beat();
  }

  /** Cancels the runs that wait, and after this time those that go on. Ends when all have ended. */
  async close(drainMs: number): Promise<void> {
    await this.queue.drain(drainMs);
    this.#stopWatching();
  }

  #enqueue(job: RunJob, group: RunGroup | undefined, bytes: number | undefined): void {
    const { run } = job;
    this.queue.add({
      id: run.id,
      workflow: run.workflow,
      bytes,
      group: group?.name,
      takeTurn: async () => (group === undefined ? "begin" : await this.#takeTurn(run.id)),
      leave: () => void this.#active.delete(run.id),
      execute: async (signal) => {
        try {
          await this.#execute(job, signal);
        } finally {
          if (group !== undefined) void this.#engine.queued.leaveGroup(run.id).catch(() => undefined);
        }
      },
      cancel: async (by) => {
        await this.#unstarted.cancel(run, by);
        this.#active.delete(run.id);
      },
    });
  }

  async #takeTurn(id: string): Promise<Turn> {
    // While the history cannot be written, nobody knows whether another one goes on.
    return await this.#engine.queued.takeTurn(id).catch((): Turn => "busy");
  }

  async #execute(job: RunJob, signal: AbortSignal): Promise<void> {
    const { id } = job.run;
    const running: ActiveRun = { run: { ...listedAsQueued(job.run), status: "running" }, file: job.run.file };
    try {
      // It was cancelled, or another server has it, which took this one for lost.
      if (!(await this.#engine.queued.isOurs(id))) return;
      const status = await doJob(this.#engine, job, {
        signal,
        sink: () => void this.#active.set(id, running),
        onUnrecorded: (error) => this.#onNotice(notRecorded(id, error)),
        fromQueue: true,
      });
      this.#onEnded?.(status);
    } catch (error) {
      await this.#unstarted.end(job.run, signal, error);
    } finally {
      this.#active.delete(id);
    }
  }

  /** Looks, while runs wait here, for what other processes do to them and to their groups. */
  #watch(): void {
    this.#unwatch ??= this.#engine.history.watch(async () => await this.#dropGone());
    // A process that is lost tells nobody that its runs have their groups no longer.
    this.#retrying ??= setInterval(() => this.#retry(), RETRY_MS).unref();
  }

  #retry(): void {
    if (this.queue.waiting().length > 0) this.queue.retry();
    else this.#stopWatching();
  }

  #stopWatching(): void {
    this.#unwatch?.();
    this.#unwatch = null;
    clearInterval(this.#retrying);
    this.#retrying = undefined;
  }

  async #dropGone(): Promise<void> {
    const ours = await this.#engine.queued.ours();
    for (const id of this.queue.waiting()) {
      if (ours.has(id) || !this.queue.drop(id)) continue;
      this.#active.delete(id);
      if ((await this.#engine.queued.find(id)) === null) this.#onEnded?.("cancelled");
    }
    this.queue.retry();
  }
}

function isActive(): AutokestraError {
  return new AutokestraError("RUN_ACTIVE", "The run is already waiting or running", { details: { reason: "running" } });
}
