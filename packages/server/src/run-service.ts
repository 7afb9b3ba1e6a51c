import { admitRun, type Engine, type ParsedWorkflow, parseWorkflow, type WebhookRequest } from "@autokestra/engine";
import type { RunStatus, RunSummary } from "@autokestra/runs";
import type { AuditActor } from "@autokestra/secrets";
import { AutokestraError } from "@autokestra/secrets-core";
import { createRunQueue, type RunQueueOptions } from "./run-queue.ts";
import { createSchedule, type TakenTimes } from "./schedule.ts";
import type { WorkflowFolder } from "./workflow-folder.ts";

/** Gives each key to one run, for all servers of an installation, and remembers the times of schedules. */
export interface RunClaims extends TakenTimes {
  /** The run that has the key: this one, unless another one had it before. */
  claim(key: string, runId: string): Promise<string>;
  /** The run was not started after all: its key is free again. */
  release(key: string, runId: string): Promise<void>;
}

export interface RunServiceOptions extends RunQueueOptions {
  readonly engine: Pick<Engine, "run" | "history" | "verifyWebhook">;
  readonly claims: RunClaims;
  /** Told of what goes wrong where no client hears of it. Never a value. */
  readonly onNotice: (text: string) => void;
}

/** What a client starts. */
export interface StartRequest {
  readonly workflow: ParsedWorkflow;
  /** The texts of inputs, by name. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Who starts it. */
  readonly actor: AuditActor;
  readonly requestId?: string | undefined;
  /** A second request with the same key gets the run of the first one. Default: every request gets its own. */
  readonly key?: string | undefined;
}

/** A run, also one that waits: then it has not started, and its history does not know it. */
export interface ServedRun extends Omit<RunSummary, "status" | "startedAt"> {
  readonly status: RunStatus | "queued";
  readonly startedAt: string | null;
}

/** Starts runs, by clients, webhooks and schedules, and ends them. */
export interface RunService {
  /** @throws AutokestraError `WORKFLOW_DISABLED`, `INPUT_INVALID`, `QUEUE_FULL`, `RUN_LEFT_OUT`, `SHUTTING_DOWN` */
  start(request: StartRequest): Promise<{ readonly id: string }>;
  /** @throws AutokestraError as `start`, and `UNAUTHORIZED` where the request is not signed as it must be */
  receive(
    workflow: ParsedWorkflow,
    request: WebhookRequest,
    about: Pick<StartRequest, "actor" | "requestId">,
  ): Promise<{ readonly id: string }>;
  /** The run, if it waits. */
  queued(id: string): ServedRun | null;
  /** False: it neither waits nor goes on here. */
  cancel(id: string): boolean;
  counts(): { readonly running: number; readonly waiting: number };
  /** The workflows of the folder have changed: their times count from now on. */
  schedule(folder: WorkflowFolder): Promise<void>;
  nextTime(workflow: string): Date | null;
  close(drainMs: number): Promise<void>;
}

export function createRunService({ engine, claims, onNotice, ...limits }: RunServiceOptions): RunService {
  const queue = createRunQueue(limits);
  const waiting = new Map<string, ServedRun>();

  async function start({ workflow, inputs, actor, requestId, key }: StartRequest): Promise<{ readonly id: string }> {
    const { group } = await admitRun(workflow, inputs);
    const id = crypto.randomUUID();
    const name = workflow.workflow.id;
    const claimed = key === undefined ? null : `${name} ${key}`;
    const first = claimed === null ? id : await claims.claim(claimed, id);
    if (first !== id) return { id: first };
    waiting.set(id, queuedRun(id, name));
    try {
      queue.add({
        id,
        workflow: name,
        group: group === null ? undefined : { name: group.group, busy: group.busy },
        async execute(signal) {
          waiting.delete(id);
          await execute({ workflow, inputs, actor, requestId }, id, signal);
        },
      });
    } catch (error) {
      waiting.delete(id);
      if (claimed !== null) await claims.release(claimed, id);
      throw error;
    }
    return { id };
  }

  async function execute({ workflow, ...request }: StartRequest, runId: string, signal: AbortSignal): Promise<void> {
    const onUnrecorded = (error: AutokestraError) => onNotice(`run ${runId} is not recorded: ${error.message}`);
    try {
      await engine.run(workflow, { ...request, runId, signal, onUnrecorded });
    } catch (error) {
      // It has not started: there is no other record of it.
      const message = error instanceof AutokestraError ? error.message : "The run could not be started";
      onNotice(`run ${runId} of '${workflow.workflow.id}' was not started: ${message}`);
      const record = engine.history.recorder(onUnrecorded);
      const base = { time: new Date().toISOString(), execution: runId } as const;
      record({
        ...base,
        level: "info",
        event: "run.started",
        workflow: workflow.workflow.id,
        message: `workflow ${workflow.workflow.id}`,
      });
      record({ ...base, level: "error", event: "run.warning", message });
      record({
        ...base,
        level: "error",
        event: "run.finished",
        status: "failed",
        durationMs: 0,
        tasks: {},
        masked: {},
      });
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
    async receive(workflow, request, about) {
      const answer = await engine.verifyWebhook(workflow, request);
      if (answer.result !== "accepted") throw notSigned(answer.result);
      const inputs = { body: bodyOf(request), headers: JSON.stringify(shownHeaders(request)) };
      const key = answer.id === null ? undefined : `webhook ${answer.id}`;
      return await start({ workflow, inputs, key, ...about });
    },
    queued: (id) => waiting.get(id) ?? null,
    cancel: (id) => queue.cancel(id),
    counts: () => ({ running: queue.running().length, waiting: queue.waiting().length }),
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
    async close(drainMs) {
      schedule.stop();
      await queue.drain(drainMs);
    },
  };
}

/**
 * A workflow that comes as text.
 *
 * @throws WorkflowError with all problems found
 */
export function parseText(source: string): ParsedWorkflow {
  return parseWorkflow(source, "workflow");
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

function messageOf(error: unknown): string {
  return error instanceof AutokestraError ? error.message : "an unexpected error";
}
