import {
  admitRun,
  type Engine,
  type EngineRunOptions,
  loadWorkflow,
  type ParsedWorkflow,
  parseWorkflow,
  RunCancellation,
  type RunInput,
  type WebhookAnswer,
  type WebhookRequest,
} from "@autokestra/engine";
import { workflowFile } from "@autokestra/engine/internal";
import type { RunFinished, RunGroup, RunStatus, RunSummary, Turn } from "@autokestra/runs";
import type { AuditActor, AuditOutcome } from "@autokestra/secrets";
import { recordWork } from "@autokestra/secrets/internal";
import { AutokestraError, hasCode } from "@autokestra/secrets-core";
import { z } from "zod/v4";
import { createRunQueue, MAX_WAITING, type RunQueueOptions } from "./run-queue.ts";
import { Schedule } from "./schedule.ts";
import { notSigned, webhookInputs } from "./webhook.ts";
import type { WorkflowFolder } from "./workflow-folder.ts";

export interface RunServiceOptions extends RunQueueOptions {
  readonly engine: Pick<
    Engine,
    "run" | "resume" | "rerun" | "toResume" | "toRerun" | "history" | "queued" | "verifyWebhook" | "audit"
  >;
  /** Told of what goes wrong where no client hears of it. Never a value. */
  readonly onNotice: (text: string) => void;
  /** Told how each run has ended, for counters. Default: nobody is. */
  readonly onEnded?: ((status: RunFinished["status"]) => void) | undefined;
}

/** Who starts a run, for the audit log. */
export interface StartedBy {
  readonly actor: AuditActor;
  readonly requestId?: string | undefined;
}

type RunBasics = Pick<EngineRunOptions, "signal" | "sink" | "onUnrecorded" | "fromQueue">;

/** What a client starts. */
export interface StartRequest extends StartedBy {
  readonly workflow: ParsedWorkflow;
  /** The texts of inputs, by name. */
  readonly inputs: Readonly<Record<string, string>>;
  /** A second request with the same key gets the run of the first one. Default: every request gets its own. */
  readonly key?: string | undefined;
}

/** A run, also one that waits: then it has not started, and its history does not know it. */
export interface ServedRun extends Omit<RunSummary, "status" | "startedAt"> {
  readonly status: RunStatus | "queued";
  readonly startedAt: string | null;
}

/** A run that is to go on, or to run again. */
export interface EarlierRun extends Pick<ServedRun, "execution" | "workflow"> {
  /** As of `fileOf`. */
  readonly file: string | null;
}

/** What a server with runs has. */
export interface ServedRuns {
  readonly engine: Pick<Engine, "check" | "checkText" | "history" | "queued">;
  readonly runs: RunService;
  /** The workflows that can be started by their ids. Null for none. */
  readonly workflows: WorkflowFolder | null;
}

/** Starts runs, by clients, webhooks and schedules, and ends them. */
export interface RunService {
  /** @throws AutokestraError `WORKFLOW_DISABLED`, `INPUT_INVALID`, `QUEUE_FULL`, `RUN_LEFT_OUT`, `SHUTTING_DOWN` */
  start(request: StartRequest): Promise<{ readonly id: string }>;
  /** @throws AutokestraError as `start`, and `UNAUTHORIZED` where the request is not signed as it must be */
  receive(workflow: ParsedWorkflow, request: WebhookRequest, by: StartedBy): Promise<{ readonly id: string }>;
  /**
   * Goes on with a run that was lost, has failed or was cancelled.
   *
   * @throws AutokestraError as `start`, and `RUN_ACTIVE`, `RUN_NOT_RESUMABLE`
   */
  resume(run: EarlierRun, by: StartedBy): Promise<void>;
  /**
   * Runs the workflow of a run again, as a new one.
   *
   * @param from the first task to run. Default: all run
   * @throws AutokestraError as `start`, and `RUN_NOT_RESUMABLE`, `TASK_NOT_FOUND`
   */
  rerun(run: EarlierRun, from: string | undefined, by: StartedBy): Promise<{ readonly id: string }>;
  /** The run, if it waits or goes on here. It is `queued` until its first event is recorded. */
  active(id: string): ServedRun | null;
  /** The run, if it waits here or on another server. */
  queued(id: string): Promise<ServedRun | null>;
  /** Those that wait, here and on other servers, in their order. */
  allQueued(workflow?: string): Promise<readonly ServedRun[]>;
  /** Takes over, now and every few seconds, what other servers have taken and not begun before they were lost. */
  recover(): Promise<void>;
  /** The absolute path of the workflow of a run; null for one that came as text, and for one that is not known. */
  fileOf(id: string): Promise<string | null>;
  /** The names of the secrets that a run may use, or has used; none for one that waits. */
  secretsOf(id: string): Promise<readonly string[]>;
  /**
   * Cancels a run that waits or goes on, here or in another process.
   *
   * @param find finds it for whoever cancels it, or throws
   * @throws AutokestraError `RUN_ENDED`, `AUDIT_UNAVAILABLE`
   */
  cancel(id: string, by: StartedBy, find: () => Promise<ServedRun>): Promise<ServedRun>;
  /** How many runs go on at once from now on. Default: 10. */
  limit(maxRuns: number | undefined): void;
  counts(): { readonly running: number; readonly waiting: number };
  /** @throws AutokestraError `QUEUE_FULL`, `SHUTTING_DOWN` where no run would be taken */
  check(): void;
  /** The workflows of the folder have changed: their times count from now on. */
  schedule(folder: WorkflowFolder): Promise<void>;
  nextTime(workflow: string): Date | null;
  /** Aborted when the server shuts down: nobody should wait for what is to come. */
  readonly closing: AbortSignal;
  close(drainMs: number): Promise<void>;
}

/** A run that may begin, as {@link groupOf} says. */
interface AdmittedRun {
  readonly run: EarlierRun;
  readonly input: RunInput;
  readonly work: Work;
  readonly group: RunGroup | undefined;
  /** Undefined: whether there is room was decided elsewhere. */
  readonly bytes?: number;
}

/** How often to look for runs of servers that are lost. */
const RECOVER_MS = 10_000;

/** How often to look whether groups are free again, in milliseconds. */
const RETRY_MS = 2000;

const actorSchema = z.object({
  kind: z.enum(["user", "token", "jwt", "trigger", "anonymous", "system"]),
  id: z.string().nullable(),
  address: z.string().nullable(),
});
const startedBy = { actor: actorSchema, requestId: z.string().optional() };

/** What is to be done for a run in the queue. It is kept until the run begins, so that another process can do it. */
const workSchema = z.discriminatedUnion("kind", [
  z.object({
    ...startedBy,
    kind: z.literal("start"),
    /** The whole workflow, where it did not come from a file. */
    text: z.string().nullable(),
    inputs: z.record(z.string(), z.string()),
  }),
  z.object({ ...startedBy, kind: z.literal("resume") }),
  z.object({ ...startedBy, kind: z.literal("rerun"), of: z.string(), from: z.string().optional() }),
]);

type Work = z.output<typeof workSchema>;

export function createRunService({ engine, onNotice, onEnded, ...limits }: RunServiceOptions): RunService {
  const queue = createRunQueue(limits);
  const closing = new AbortController();
  const active = new Map<string, { readonly run: ServedRun; readonly file: string | null }>();
  let recovering: NodeJS.Timeout | undefined;
  let retrying: NodeJS.Timeout | undefined;
  let unwatch: (() => void) | null = null;

  async function inputOf({ execution, file }: EarlierRun, work: Work): Promise<RunInput> {
    try {
      if (work.kind === "resume") return await engine.toResume(execution);
      if (work.kind === "rerun") return await engine.toRerun(work.of, work.from);
      const workflow = file === null ? parseWorkflow(work.text ?? "", "workflow") : await loadWorkflow(file);
      return { workflow, inputs: work.inputs };
    } catch (error) {
      // Both name paths and lines of the server.
      throw hasCode(error, "WORKFLOW_NOT_FOUND") || hasCode(error, "WORKFLOW_INVALID") ? workflowGone() : error;
    }
  }

  async function execute(
    id: string,
    { workflow, inputs }: RunInput,
    work: Work,
    basics: RunBasics,
  ): Promise<RunFinished["status"]> {
    const { actor, requestId } = work;
    const options = { ...basics, actor, requestId };
    const { status } =
      work.kind === "start"
        ? await engine.run(workflow, { ...options, inputs, runId: id })
        : work.kind === "resume"
          ? await engine.resume(id, options)
          : await engine.rerun(work.of, { ...options, from: work.from, runId: id });
    return status;
  }

  /**
   * Takes a run: from here on it is started, whatever becomes of this process.
   *
   * @param key the run is its run; null for none
   * @returns the id of the run that has the key
   */
  async function take(run: EarlierRun, input: RunInput, work: Work, key: string | null): Promise<string> {
    const id = run.execution;
    const group = await groupOf(input);
    // Of two requests to resume a run, the second one would take its place.
    if (active.has(id) || (await engine.queued.find(id)) !== null) throw isActive();
    const bytes = bytesOf(input, work);
    queue.check(bytes);
    active.set(id, { run: queuedRun(id, run.workflow), file: run.file });
    try {
      const queued = { id, workflow: run.workflow, file: run.file, start: JSON.stringify(work), group };
      const owner = await engine.queued.add(queued, key ?? undefined);
      if (owner === id) await enqueue({ run, input, work, group, bytes });
      else active.delete(id);
      return owner;
    } catch (error) {
      active.delete(id);
      await engine.queued.remove(id, key ?? undefined).catch(() => undefined);
      throw error;
    }
  }

  async function enqueue({ run, input, work, group, bytes }: AdmittedRun): Promise<void> {
    const { execution: id, workflow, file } = run;
    const onUnrecorded = (error: AutokestraError) => tellUnrecorded(id, error);
    const isRunning = { run: { ...queuedRun(id, workflow), status: "running" }, file } as const;
    const sink = (): void => void active.set(id, isRunning);
    active.set(id, { run: queuedRun(id, workflow), file });
    queue.add({
      id,
      workflow,
      bytes,
      group: group?.name,
      takeTurn: async () => await takeTurn(id, group),
      leave() {
        active.delete(id);
        watchWaiting();
      },
      async execute(signal) {
        watchWaiting();
        try {
          // It was cancelled, or another server has it, which took this one for lost.
          if (!(await engine.queued.isOurs(id))) return;
          const status = await execute(id, input, work, { signal, sink, onUnrecorded, fromQueue: true });
          onEnded?.(status);
        } catch (error) {
          await endUnstarted(run, signal, error);
        } finally {
          active.delete(id);
          if (group !== undefined) void engine.queued.leaveGroup(id).catch(() => undefined);
        }
      },
      async cancel(by) {
        watchWaiting();
        await recordCancelled(run, by);
        active.delete(id);
      },
    });
    watchWaiting();
  }

  async function takeTurn(id: string, group: RunGroup | undefined): Promise<Turn> {
    if (group === undefined) return "begin";
    // While the history cannot be written, nobody knows whether another one goes on.
    const turn = await engine.queued.takeTurn(id).catch((): Turn => "busy");
    if (turn === "busy") watchWaiting(true);
    return turn;
  }

  /** Other processes cancel runs that wait here, or take them over. */
  function watchWaiting(isAny = queue.waiting().length > 0): void {
    if (isAny) {
      unwatch ??= engine.history.watch(dropGone);
      retrying ??= setInterval(retryHeld, RETRY_MS).unref();
    } else {
      unwatch?.();
      unwatch = null;
      clearInterval(retrying);
      retrying = undefined;
    }
  }

  /** A process that is lost tells nobody that its runs have their groups no longer. */
  function retryHeld(): void {
    if (queue.isHeld()) queue.retry();
  }

  async function dropGone(): Promise<void> {
    const ours = await engine.queued.ours();
    for (const id of queue.waiting()) {
      if (ours.has(id) || !queue.drop(id)) continue;
      active.delete(id);
      if ((await engine.queued.find(id)) === null) onEnded?.("cancelled");
    }
    watchWaiting();
    queue.retry();
  }

  /** Why a run has not begun that was about to. */
  async function endUnstarted(run: EarlierRun, signal: AbortSignal, error: unknown): Promise<void> {
    const { reason } = signal;
    if (error instanceof AutokestraError && hasCode(error, "RUN_ENDED")) return onEnded?.("cancelled");
    if (reason instanceof RunCancellation) return await recordCancelled(run, reason.by);
    onEnded?.("failed");
    await refuse(run, error);
  }

  async function recordCancelled(run: EarlierRun, by: RunCancellation["by"]): Promise<void> {
    const end = { status: "cancelled", cancelledBy: by } as const;
    await recordUnstarted(run, "info", `cancelled before it began (${by})`, end);
    onEnded?.("cancelled");
  }

  async function refuse(run: EarlierRun, error: unknown): Promise<void> {
    onNotice(`run ${run.execution} of '${run.workflow}' was not started: ${messageOf(error)}`);
    await recordUnstarted(run, "error", messageOf(error), { status: "failed" });
  }

  async function recover(): Promise<void> {
    const taken = await engine.queued.takeLost((limits.maxWaiting ?? MAX_WAITING) - queue.waiting().length);
    for (const { id, workflow, file, start: text } of taken) {
      const run = { execution: id, workflow, file };
      try {
        if (text === null) throw nothingKept();
        const work = workSchema.parse(JSON.parse(text));
        const input = await inputOf(run, work);
        await enqueue({ run, input, work, group: await groupOf(input) });
        onNotice(`run ${id} of '${workflow}' now waits on this server: its own was lost`);
      } catch (error) {
        active.delete(id);
        await refuse(run, error);
      }
    }
    if (queue.waiting().length + queue.running().length > 0) await engine.queued.beat();
  }

  function tellUnrecorded(id: string, error: unknown): void {
    onNotice(`run ${id} is not recorded: ${messageOf(error)}`);
  }

  /** A run that has not started has no other record. It never throws: the history may be what has failed. */
  async function recordUnstarted(
    { execution, workflow, file }: EarlierRun,
    level: "info" | "error",
    message: string,
    end: Pick<RunFinished, "status" | "cancelledBy">,
  ): Promise<void> {
    const { history, queued } = engine;
    const owner = { token: crypto.randomUUID() };
    try {
      if ((await history.list({ id: execution })).length > 0) return await queued.remove(execution);
      await history.ledger.createRun({ id: execution, workflow, file, secrets: [], tasks: [], owner });
      // Not before it was started.
      const base = { time: new Date().toISOString(), execution } as const;
      await history.ledger.append(execution, [
        { ...base, level: "info", event: "run.started", workflow, message: `workflow ${workflow}` },
        { ...base, level, event: "run.warning", message },
        { ...base, level, event: "run.finished", ...end, durationMs: 0, tasks: {}, masked: {} },
      ]);
    } catch (error) {
      tellUnrecorded(execution, error);
    }
  }

  async function start({ workflow, inputs, key, actor, requestId }: StartRequest): Promise<{ readonly id: string }> {
    const run = { execution: crypto.randomUUID(), workflow: workflow.workflow.id, file: workflowFile(workflow) };
    const text = run.file === null ? workflow.source : null;
    const work = { kind: "start", text, inputs, actor, requestId } as const;
    // A text may have the id of a workflow that more people see.
    const ofRun = key === undefined ? null : JSON.stringify([text === null ? "file" : "text", run.workflow, key]);
    return { id: await take(run, { workflow, inputs }, work, ofRun) };
  }

  /** Whoever has signed nothing does not learn that there is a workflow whose secret is missing, or cannot be reached. */
  async function verify(workflow: ParsedWorkflow, request: WebhookRequest): Promise<WebhookAnswer> {
    try {
      return await engine.verifyWebhook(workflow, request);
    } catch (error) {
      onNotice(`a webhook for '${workflow.workflow.id}' cannot be verified: ${messageOf(error)}`);
      return { result: "refused" };
    }
  }

  let workflows: WorkflowFolder | null = null;
  const schedule = new Schedule({
    taken: engine.history.claims,
    isRunning: async (id) =>
      queue.isBusyWith(id) ||
      (await engine.queued.list(id)).length > 0 ||
      (await engine.history.list({ workflow: id, status: "running", limit: 1 })).length > 0,
    start(id, time) {
      const workflow = workflows?.get(id);
      if (workflow == null) return;
      const failed = (error: unknown) =>
        onNotice(`workflow '${id}' was not started at ${time.toISOString()}: ${messageOf(error)}`);
      start({ workflow, inputs: {}, actor: { kind: "trigger", id, address: null } }).catch(failed);
    },
    onFailure: (id, error) => onNotice(`workflow '${id}' was not started: ${messageOf(error)}`),
  });

  return {
    start,
    async resume(run, by) {
      const work = { kind: "resume", ...by } as const;
      await take(run, await inputOf(run, work), work, null);
    },
    async rerun(run, from, by) {
      const work = { kind: "rerun", of: run.execution, from, ...by } as const;
      const again = { ...run, execution: crypto.randomUUID() };
      return { id: await take(again, await inputOf(again, work), work, null) };
    },
    async receive(workflow, request, by) {
      const answer = await verify(workflow, request);
      if (answer.result !== "accepted") throw notSigned(answer.result);
      const inputs = webhookInputs(request);
      const key = answer.id === null ? undefined : `webhook ${answer.id}`;
      return await start({ workflow, inputs, key, ...by });
    },
    active: (id) => active.get(id)?.run ?? null,
    async queued(id) {
      const found = await engine.queued.find(id);
      return found === null ? null : queuedRun(id, found.workflow);
    },
    allQueued: async (workflow) => (await engine.queued.list(workflow)).map((run) => queuedRun(run.id, run.workflow)),
    async recover() {
      const again = async () =>
        await recover().catch((error: unknown) => onNotice(`waiting runs were not taken over: ${messageOf(error)}`));
      recovering ??= setInterval(() => void again(), RECOVER_MS).unref();
      await again();
    },
    fileOf: async (id) => {
      const known = active.get(id) ?? (await engine.queued.find(id));
      return known === null ? await engine.history.file(id) : known.file;
    },
    secretsOf: async (id) => await engine.history.secrets(id),
    async cancel(id, by, find) {
      const tell = async (outcome: AuditOutcome) =>
        await engine.audit?.record({ ...by, action: "run.cancel", outcome, execution: id });
      return await recordWork(tell, async () => {
        const run = await find();
        if (!queue.cancel(id)) await engine.history.ledger.cancel(id, "user");
        return run;
      });
    },
    limit: (maxRuns) => queue.limit(maxRuns),
    counts: () => ({ running: queue.running().length, waiting: queue.waiting().length }),
    check: () => queue.check(0),
    async schedule(folder) {
      workflows = folder;
      await schedule.set(
        folder.files().flatMap(({ parsed }) => {
          const { id, enabled, trigger } = parsed?.workflow ?? {};
          return id !== undefined && enabled === true && trigger?.type === "cron" ? [{ ...trigger, id }] : [];
        }),
      );
    },
    nextTime: (workflow) => schedule.next(workflow),
    closing: closing.signal,
    async close(drainMs) {
      schedule.stop();
      clearInterval(recovering);
      closing.abort();
      await queue.drain(drainMs);
      watchWaiting();
    },
  };
}

/** @throws AutokestraError what a run cannot begin with: `WORKFLOW_DISABLED`, `INPUT_INVALID` */
async function groupOf({ workflow, inputs }: RunInput): Promise<RunGroup | undefined> {
  const { group } = await admitRun(workflow, inputs);
  return group === null ? undefined : { name: group.group, busy: group.busy };
}

/** What a run keeps in memory while it waits. A workflow of the folder is there anyway. */
function bytesOf({ workflow, inputs }: RunInput, work: Work): number {
  const isOfFolder = work.kind === "start" && work.text === null;
  return JSON.stringify(inputs).length + (isOfFolder ? 0 : workflow.source.length);
}

function queuedRun(execution: string, workflow: string): ServedRun {
  const unknown = { cancelledBy: null, startedAt: null, finishedAt: null, durationMs: null, masked: {} };
  return { execution, workflow, status: "queued", ...unknown };
}

function isActive(): AutokestraError {
  return new AutokestraError("RUN_ACTIVE", "The run is already waiting or running", { details: { reason: "running" } });
}

function workflowGone(): AutokestraError {
  return new AutokestraError("RUN_NOT_RESUMABLE", "The workflow of the run can no longer be read", { details: {} });
}

function nothingKept(): AutokestraError {
  const why = "its server was lost while it waited, and nothing was kept of it";
  return new AutokestraError("RUN_NOT_RESUMABLE", `The run cannot start: ${why}`, { details: { reason: "not kept" } });
}

function messageOf(error: unknown): string {
  return error instanceof AutokestraError ? error.message : "an unexpected error";
}
