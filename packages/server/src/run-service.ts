import {
  admitRun,
  type Engine,
  type EngineRunOptions,
  type ParsedWorkflow,
  type WebhookAnswer,
  type WebhookRequest,
} from "@autokestra/engine";
import { workflowFile } from "@autokestra/engine/internal";
import type { RunFinished, RunStatus, RunSummary } from "@autokestra/runs";
import type { AuditActor } from "@autokestra/secrets";
import { AutokestraError } from "@autokestra/secrets-core";
import { createRunQueue, type QueuedRun, type RunQueueOptions } from "./run-queue.ts";
import { createSchedule } from "./schedule.ts";
import type { WorkflowFolder } from "./workflow-folder.ts";

export interface RunServiceOptions extends RunQueueOptions {
  readonly engine: Pick<Engine, "run" | "resume" | "rerun" | "history" | "verifyWebhook">;
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

type RunBasics = Pick<EngineRunOptions, "signal" | "sink" | "onUnrecorded">;

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
  readonly engine: Pick<Engine, "checkText" | "history">;
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
  /** Goes on with a run that was lost, has failed or was cancelled. @throws AutokestraError as `start`, and `RUN_ACTIVE` */
  resume(run: EarlierRun, by: StartedBy): void;
  /** Runs the workflow of a run again, as a new one. @param from the first task to run. Default: all run */
  rerun(run: EarlierRun, from: string | undefined, by: StartedBy): { readonly id: string };
  /** The run, if it waits or goes on here. It is `queued` until its first event is recorded. */
  active(id: string): ServedRun | null;
  /** The absolute path of the workflow of a run; null for one that came as text, and for one that is not known. */
  fileOf(id: string): Promise<string | null>;
  /** False: it neither waits nor goes on here. */
  cancel(id: string): boolean;
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

export function createRunService({ engine, onNotice, onEnded, ...limits }: RunServiceOptions): RunService {
  const { claims } = engine.history;
  const queue = createRunQueue(limits);
  const closing = new AbortController();
  const active = new Map<string, { readonly run: ServedRun; readonly file: string | null }>();

  /** @param work runs it to its end */
  function enqueue(
    { file, ...run }: Pick<QueuedRun, "id" | "workflow" | "group"> & Pick<EarlierRun, "file">,
    work: (options: RunBasics) => Promise<RunFinished>,
  ): void {
    const { id, workflow } = run;
    // Of two requests to resume a run, the second one would take its place.
    if (active.has(id)) throw isActive();
    const onUnrecorded = (error: AutokestraError) => onNotice(`run ${id} is not recorded: ${error.message}`);
    active.set(id, { run: queuedRun(id, workflow), file });
    try {
      queue.add({
        ...run,
        async execute(signal) {
          const isRunning = { run: { ...queuedRun(id, workflow), status: "running" }, file } as const;
          const sink = (): void => void active.set(id, isRunning);
          try {
            const { status } = await work({ signal, sink, onUnrecorded });
            onEnded?.(status);
          } catch (error) {
            onNotice(`run ${id} of '${workflow}' was not started: ${messageOf(error)}`);
            onEnded?.("failed");
            // The history may be what has failed.
            await recordRefused({ execution: id, workflow, file }, error).catch((failure: unknown) =>
              onNotice(`run ${id} is not recorded: ${messageOf(failure)}`),
            );
          } finally {
            active.delete(id);
          }
        },
      });
    } catch (error) {
      active.delete(id);
      throw error;
    }
  }

  /** A run that could not start has no other record. */
  async function recordRefused({ execution, workflow, file }: EarlierRun, error: unknown): Promise<void> {
    if ((await engine.history.list({ id: execution })).length > 0) return;
    const { ledger } = engine.history;
    const owner = { token: crypto.randomUUID() };
    const base = { time: new Date().toISOString(), execution } as const;
    await ledger.createRun({ id: execution, workflow, file, secrets: [], tasks: [], owner });
    await ledger.append(execution, [
      { ...base, level: "info", event: "run.started", workflow, message: `workflow ${workflow}` },
      { ...base, level: "error", event: "run.warning", message: messageOf(error) },
      { ...base, level: "error", event: "run.finished", status: "failed", durationMs: 0, tasks: {}, masked: {} },
    ]);
  }

  async function start({ workflow, inputs, key, ...by }: StartRequest): Promise<{ readonly id: string }> {
    const { group } = await admitRun(workflow, inputs);
    const id = crypto.randomUUID();
    const name = workflow.workflow.id;
    const file = workflowFile(workflow);
    const claimed = key === undefined ? null : `${name} ${key}`;
    const first = claimed === null ? id : await claims.claim(claimed, id);
    if (first !== id) return { id: first };
    try {
      const busy = group === null ? undefined : { name: group.group, busy: group.busy };
      enqueue(
        { id, workflow: name, group: busy, file },
        async (basics) => await engine.run(workflow, { ...basics, ...by, inputs, runId: id }),
      );
    } catch (error) {
      if (claimed !== null) await claims.release(claimed, id);
      throw error;
    }
    return { id };
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
  const schedule = createSchedule({
    taken: claims,
    isRunning: async (id) =>
      queue.isBusyWith(id) || (await engine.history.list({ workflow: id, status: "running", limit: 1 })).length > 0,
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
    resume(run, by) {
      enqueue(
        { id: run.execution, workflow: run.workflow, file: run.file },
        async (basics) => await engine.resume(run.execution, { ...basics, ...by }),
      );
    },
    rerun(run, from, by) {
      const id = crypto.randomUUID();
      const options = { ...by, from, runId: id };
      enqueue(
        { id, workflow: run.workflow, file: run.file },
        async (basics) => await engine.rerun(run.execution, { ...basics, ...options }),
      );
      return { id };
    },
    async receive(workflow, request, by) {
      const answer = await verify(workflow, request);
      if (answer.result !== "accepted") throw notSigned(answer.result);
      const inputs = { body: bodyOf(request), headers: JSON.stringify(shownHeaders(request)) };
      const key = answer.id === null ? undefined : `webhook ${answer.id}`;
      return await start({ workflow, inputs, key, ...by });
    },
    active: (id) => active.get(id)?.run ?? null,
    fileOf: async (id) => {
      const known = active.get(id);
      return known === undefined ? await engine.history.file(id) : known.file;
    },
    cancel: (id) => queue.cancel(id),
    counts: () => ({ running: queue.running().length, waiting: queue.waiting().length }),
    check: () => queue.check(),
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
      closing.abort();
      await queue.drain(drainMs);
    },
  };
}

function queuedRun(execution: string, workflow: string): ServedRun {
  const unknown = { cancelledBy: null, startedAt: null, finishedAt: null, durationMs: null, masked: {} };
  return { execution, workflow, status: "queued", ...unknown };
}

/** The body of a webhook as JSON: what is not JSON is a text. */
function bodyOf({ body }: WebhookRequest): string {
  const text = new TextDecoder().decode(body);
  try {
    JSON.parse(text);
    return text;
  } catch {
    return JSON.stringify(text);
  }
}

/** What a workflow gets of the headers: not the secret. */
function shownHeaders({ headers }: WebhookRequest): WebhookRequest["headers"] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !SECRET_HEADERS.has(name)));
}

const SECRET_HEADERS: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "proxy-authorization",
  "webhook-signature",
]);

export function notSigned(result: "late" | "refused"): AutokestraError {
  const late = "The webhook is older than 5 minutes, or from the future: send it again";
  return new AutokestraError(
    "UNAUTHORIZED",
    result === "late" ? late : "The webhook is not signed as its workflow says",
  );
}

function isActive(): AutokestraError {
  return new AutokestraError("RUN_ACTIVE", "The run waits or goes on already", { details: { reason: "running" } });
}

function messageOf(error: unknown): string {
  return error instanceof AutokestraError ? error.message : "an unexpected error";
}
