import type { DurableRun, LeftLease, LogEvent, LogLevel, RunFinished, TaskResult } from "@autokestra/runs";
import type { LeaseEvent, MaskCount, ResolvedSecret, SecretBinding, SourceFallback } from "@autokestra/secrets-core";
import type { RedactingSink } from "./redacting-sink.ts";
import type { SecretPaths } from "./secret-uses.ts";
import { formatSeconds } from "./task-attempt.ts";

type Masked = Readonly<Record<string, MaskCount>>;

type LogData = Readonly<Record<string, unknown>> | undefined;

/** A failed attempt that is followed by another one. */
interface FailedAttempt {
  /** From 1. */
  readonly number: number;
  /** The maximum number of attempts. */
  readonly max: number;
  readonly message: string;
  /** The time until the next attempt. */
  readonly seconds: number;
}

/** Why a task did not start: its `if`, a task that it needs, a failure elsewhere, the end of the run. */
export type LeftOut = "condition" | "need" | "failure" | "cancelled";

const LEFT_OUT: Readonly<Record<LeftOut, { readonly level: LogLevel; readonly message: string }>> = {
  condition: { level: "info", message: "skipped: its `if` is not true" },
  need: { level: "error", message: "skipped: a task that it needs did not succeed" },
  failure: { level: "error", message: "skipped: another task has failed" },
  cancelled: { level: "error", message: "cancelled before it started" },
};

/** How a run ended. */
type RunEnd = Pick<RunFinished, "status" | "cancelledBy" | "tasks" | "outputs">;

/** Writes the events of a run. */
export class RunLog {
  readonly #runId: string;
  readonly #sink: RedactingSink;
  readonly #began = performance.now();

  constructor(runId: string, sink: RedactingSink) {
    this.#runId = runId;
    this.#sink = sink;
  }

  /**
   * @param secrets whose sources it tells, not their values
   * @param outputs where the outputs of the workflow use them
   * @param durable tells whether the run goes on from an earlier one
   */
  started(
    workflow: string,
    secrets: readonly ResolvedSecret[],
    outputs: SecretPaths,
    durable: Pick<DurableRun, "from" | "isResumed" | "attempt"> | null,
  ): void {
    this.#sink.start({
      time: new Date().toISOString(),
      level: "info",
      event: "run.started",
      execution: this.#runId,
      workflow,
      message: `workflow ${workflow}${describeOrigin(durable)}`,
      ...(secrets.length > 0 && { data: { secrets: sourcesOf(secrets, outputs) } }),
    });
  }

  /** A source was replaced by others. */
  fallback({ source, status, reason, names }: SourceFallback): void {
    const what = `another source was asked, because ${source} ${FALLBACKS[status]}: ${reason}`;
    this.#warn(names, what, { fallback: { source, status, names } });
  }

  /** An earlier value is used, because its source is not available. */
  stale({ name, source, staleSeconds }: Pick<ResolvedSecret, "name" | "source" | "staleSeconds">): void {
    const what = `${source} is not available, and its value of ${staleSeconds} s ago is used`;
    this.#warn([name], what, { stale: { source, names: [name], seconds: staleSeconds } });
  }

  /** Credentials of an earlier attempt of the run are still valid. */
  leftBehind({ names, source, path, expiresAt }: LeftLease): void {
    const what = `credentials ${path} of ${source} from an earlier attempt of this run were not revoked`;
    this.#warn(names, `${what}; valid until ${expiresAt}`, { left: { names, source, path, expiresAt } });
  }

  /** What has happened to credentials that were made for the run. */
  lease(event: LeaseEvent): void {
    this.#log("run.lease", LEASES[event.type].level, describeLease(event), { data: leaseData(event) });
  }

  /** @param task which one it is about, if any */
  warning(message: string, task?: string): void {
    this.#log("run.warning", "warn", message, { task });
  }

  /** @param secrets where it uses which secrets */
  taskStarted(task: string, type: string, secrets: SecretPaths): void {
    const data = secrets.size === 0 ? undefined : { secrets: Object.fromEntries(secrets) };
    this.#log("task.started", "info", `started ${type}`, { task, data });
  }

  taskLog(task: string, level: LogLevel, message: string, data?: LogData): void {
    this.#log("task.log", level, message, { task, data });
  }

  taskRetried(task: string, { number, max, message, seconds }: FailedAttempt): void {
    const text = `attempt ${number} of ${max} failed: ${message}; next in ${formatSeconds(seconds)}`;
    this.#log("task.retried", "warn", text, { task });
  }

  /** A task has ended that was started. */
  taskFinished(task: string, result: TaskResult, milliseconds: number, masked: Masked): void {
    const { status } = result;
    this.#log("task.finished", LEVELS[status], describe(result, milliseconds), { task, status, masked });
  }

  /** A task has ended before the run was resumed. */
  taskRestored(task: string, { status }: TaskResult, message: string): void {
    this.#log("task.finished", LEVELS[status], message, { task, status });
  }

  /** A task has ended without having been started. */
  taskLeftOut(task: string, { status, error }: TaskResult, why: LeftOut): void {
    const { level, message } =
      error === undefined ? LEFT_OUT[why] : ({ level: "error", message: `failed: ${error.message}` } as const);
    this.#log("task.finished", level, message, { task, status });
  }

  finished({ status, cancelledBy, tasks, outputs }: RunEnd): RunFinished {
    return this.#sink.finish({
      time: new Date().toISOString(),
      level: status === "success" ? "info" : "error",
      event: "run.finished",
      execution: this.#runId,
      status,
      ...(cancelledBy === undefined ? {} : { cancelledBy }),
      durationMs: Math.round(performance.now() - this.#began),
      tasks,
      ...(outputs === undefined ? {} : { outputs }),
    });
  }

  /** Warns about secrets. */
  #warn(names: readonly string[], what: string, data: LogData): void {
    this.#log("run.warning", "warn", `${names.join(", ")}: ${what}`, { data });
  }

  #log(
    event: LogEvent["event"],
    level: LogLevel,
    message: string,
    { task, data, status, masked = {} }: Pick<LogEvent, "task" | "data" | "status" | "masked">,
  ): void {
    this.#sink.log({
      time: new Date().toISOString(),
      level,
      event,
      execution: this.#runId,
      ...(task === undefined ? {} : { task }),
      message,
      ...(data === undefined ? {} : { data }),
      ...(status === undefined ? {} : { status }),
      ...(Object.keys(masked).length === 0 ? {} : { masked }),
    });
  }
}

/** Where a run goes on from. */
function describeOrigin(durable: Pick<DurableRun, "from" | "isResumed" | "attempt"> | null): string {
  if (durable?.isResumed) return `, attempt ${durable.attempt}`;
  return durable?.from ? `, again after run ${durable.from.id}` : "";
}

const FALLBACKS: Readonly<Record<SourceFallback["status"], string>> = {
  unavailable: "is not available",
  denied: "refused",
  malformed: "gave no answer that can be read",
};

/** Where each secret comes from, for those who look back; never a value. */
function sourcesOf(secrets: readonly ResolvedSecret[], outputs: SecretPaths): Readonly<Record<string, object>> {
  return Object.fromEntries(
    secrets.map(({ name, source, version, staleSeconds, binding }) => [
      name,
      {
        source,
        ...(version !== undefined && { version }),
        ...(staleSeconds !== undefined && { staleSeconds }),
        ...(binding !== undefined && { binding: placeOf(binding) }),
        ...(outputs.has(name) && { outputs: outputs.get(name) }),
      },
    ]),
  );
}

/** What of a binding says where a value comes from. */
function placeOf({ path, field, lease }: SecretBinding): Readonly<Record<string, string>> {
  return { ...(path && { path }), ...(field && { field }), ...(lease && { lease }) };
}

const LEASES: Readonly<Record<LeaseEvent["type"], { readonly level: LogLevel; readonly says: string }>> = {
  created: { level: "info", says: "created for this run" },
  renewed: { level: "info", says: "renewed" },
  renewalFailed: { level: "warn", says: "could not be renewed" },
  ending: { level: "warn", says: "cannot be renewed any longer" },
  revoked: { level: "info", says: "revoked" },
  revocationFailed: { level: "warn", says: "could not be revoked" },
};

function describeLease({ type, source, path, expiresAt, reason }: LeaseEvent): string {
  const what = path === null ? `login to ${source}` : `credentials ${path} of ${source}`;
  const why = reason === undefined ? "" : `: ${reason}`;
  const end = type === "revoked" ? "" : `; valid until ${expiresAt}`;
  return `${what} ${LEASES[type].says}${why}${end}`;
}

function leaseData({ type, source, path, expiresAt }: LeaseEvent): Readonly<Record<string, unknown>> {
  return { lease: { type, source, path, expiresAt } };
}

const LEVELS: Readonly<Record<TaskResult["status"], LogLevel>> = {
  success: "info",
  failed: "error",
  skipped: "error",
  cancelled: "error",
};

function describe({ status, error }: TaskResult, milliseconds: number): string {
  if (error !== undefined) return `failed: ${error.message}`;
  return status === "cancelled" ? "cancelled" : `succeeded in ${Math.round(milliseconds)} ms`;
}
