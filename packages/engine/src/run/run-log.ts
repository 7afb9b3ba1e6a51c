import type { CancelledBy, LogEvent, LogLevel, RunFinished, TaskResult } from "@autokestra/runs";
import type { LeaseEvent, ResolvedSecret, SourceFallback } from "@autokestra/secrets-core";
import type { RedactingSink } from "./redacting-sink.ts";
import { formatSeconds } from "./task-attempt.ts";

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

/** Writes the events of a run. */
export interface RunLog {
  /** @param secrets whose sources it tells, not their values */
  started(workflow: string, secrets: readonly ResolvedSecret[]): void;
  /** A source was replaced by others. */
  fallback(fallback: SourceFallback): void;
  /** What has happened to credentials that were made for the run. */
  lease(event: LeaseEvent): void;
  /** @param task which one it is about, if any */
  warning(message: string, task?: string): void;
  taskStarted(task: string, type: string): void;
  taskLog(task: string, level: LogLevel, message: string, data?: LogData): void;
  taskRetried(task: string, attempts: FailedAttempt): void;
  /** @param milliseconds the duration; null for a task that did not start */
  taskFinished(task: string, result: TaskResult, milliseconds: number | null): void;
  /** @param cancelledBy what cancelled the run; null if nothing did */
  finished(tasks: Readonly<Record<string, TaskResult>>, cancelledBy: CancelledBy | null): RunFinished;
}

/** @param runId the id of the run */
export function createRunLog(runId: string, sink: RedactingSink): RunLog {
  const began = performance.now();

  function log(
    event: LogEvent["event"],
    level: LogLevel,
    message: string,
    more: Pick<LogEvent, "task" | "data"> = {},
  ): void {
    const { task, data } = more;
    sink.log({
      time: new Date().toISOString(),
      level,
      event,
      execution: runId,
      ...(task === undefined ? {} : { task }),
      message,
      ...(data === undefined ? {} : { data }),
    });
  }

  return {
    started(workflow, secrets) {
      sink.start({
        time: new Date().toISOString(),
        level: "info",
        event: "run.started",
        execution: runId,
        workflow,
        message: `workflow ${workflow}`,
        ...(secrets.length > 0 && { data: { secrets: sourcesOf(secrets) } }),
      });
    },
    fallback: ({ source, status, reason, names }) =>
      log(
        "run.warning",
        "warn",
        `${names.join(", ")}: another source was asked, because ${source} ${FALLBACKS[status]}: ${reason}`,
        {
          data: { fallback: { source, status, names } },
        },
      ),
    lease: (event) => log("run.lease", LEASES[event.type].level, describeLease(event), { data: leaseData(event) }),
    warning: (message, task) => log("run.warning", "warn", message, { task }),
    taskStarted: (task, type) => log("task.started", "info", `started ${type}`, { task }),
    taskLog: (task, level, message, data) => log("task.log", level, message, { task, data }),
    taskRetried: (task, { number, max, message, seconds }) =>
      log("task.retried", "warn", `attempt ${number} of ${max} failed: ${message}; next in ${formatSeconds(seconds)}`, {
        task,
      }),
    taskFinished: (task, result, milliseconds) =>
      log("task.finished", LEVELS[result.status], describe(result, milliseconds), { task }),
    finished(tasks, cancelledBy) {
      const outcome = outcomeOf(Object.values(tasks), cancelledBy);
      return sink.finish({
        time: new Date().toISOString(),
        level: outcome.status === "success" ? "info" : "error",
        event: "run.finished",
        execution: runId,
        ...outcome,
        durationMs: Math.round(performance.now() - began),
        tasks,
      });
    },
  };
}

const FALLBACKS: Readonly<Record<SourceFallback["status"], string>> = {
  unavailable: "is not available",
  denied: "refused",
  malformed: "gave no answer that can be read",
};

/** Where each secret comes from, for those who look back; never a value. */
function sourcesOf(secrets: readonly ResolvedSecret[]): Readonly<Record<string, object>> {
  return Object.fromEntries(
    secrets.map(({ name, source, version, staleSeconds }) => [
      name,
      { source, ...(version !== undefined && { version }), ...(staleSeconds !== undefined && { staleSeconds }) },
    ]),
  );
}

const LEASES: Readonly<Record<LeaseEvent["type"], { readonly level: LogLevel; readonly says: string }>> = {
  created: { level: "info", says: "made for this run" },
  renewed: { level: "info", says: "renewed" },
  renewalFailed: { level: "warn", says: "could not be renewed" },
  ending: { level: "warn", says: "cannot be renewed any longer" },
  revoked: { level: "info", says: "given back" },
  revocationFailed: { level: "warn", says: "could not be given back" },
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

function outcomeOf(
  tasks: readonly TaskResult[],
  cancelledBy: CancelledBy | null,
): Pick<RunFinished, "status" | "cancelledBy"> {
  if (cancelledBy !== null && tasks.some((task) => task.status === "cancelled"))
    return { status: "cancelled", cancelledBy };
  return { status: tasks.every((task) => task.status === "success") ? "success" : "failed" };
}

function describe({ status, error }: TaskResult, milliseconds: number | null): string {
  if (error !== undefined) return `failed: ${error.message}`;
  if (status === "skipped") return "skipped: a task that it needs did not succeed";
  if (status === "cancelled") return milliseconds === null ? "cancelled before it started" : "cancelled";
  return `succeeded in ${Math.round(milliseconds ?? 0)} ms`;
}
