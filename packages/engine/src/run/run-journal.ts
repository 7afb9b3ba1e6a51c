import type { MaskedExit } from "./masked-exit.ts";
import type { CancelledBy, LogEvent, LogLevel, RunFinished, TaskResult } from "./run-event.ts";

type LogData = Readonly<Record<string, unknown>> | undefined;

/** Says what happens in a run, one event each. */
export interface RunJournal {
  started(workflow: string): void;
  warning(message: string): void;
  taskStarted(task: string, type: string): void;
  taskLog(task: string, level: LogLevel, message: string, data?: LogData): void;
  taskRetried(task: string, attempt: number, error: Error): void;
  /** @param milliseconds how long it took; null for a task that was skipped */
  taskFinished(task: string, result: TaskResult, milliseconds: number | null): void;
  /** @param cancelledBy null for a run that was not cancelled */
  finished(tasks: Readonly<Record<string, TaskResult>>, cancelledBy: CancelledBy | null): RunFinished;
}

/** @param execution the id of the run */
export function createRunJournal(execution: string, exit: MaskedExit): RunJournal {
  const began = performance.now();

  function log(
    event: LogEvent["event"],
    level: LogLevel,
    message: string,
    more: Pick<LogEvent, "task" | "data"> = {},
  ): void {
    const { task, data } = more;
    exit.log({
      time: new Date().toISOString(),
      level,
      event,
      execution,
      ...(task === undefined ? {} : { task }),
      message,
      ...(data === undefined ? {} : { data }),
    });
  }

  return {
    started: (workflow) => log("run.started", "info", `workflow ${workflow}`),
    warning: (message) => log("run.warning", "warn", message),
    taskStarted: (task, type) => log("task.started", "info", `started ${type}`, { task }),
    taskLog: (task, level, message, data) => log("task.log", level, message, { task, data }),
    taskRetried: (task, attempt, error) =>
      log("task.retried", "warn", `attempt ${attempt} failed: ${error.message}`, { task }),
    taskFinished: (task, result, milliseconds) =>
      log("task.finished", result.status === "success" ? "info" : "error", describe(result, milliseconds), { task }),
    finished(tasks, cancelledBy) {
      const failed = Object.values(tasks).some((task) => task.status !== "success");
      return exit.finish({
        time: new Date().toISOString(),
        level: failed ? "error" : "info",
        event: "run.finished",
        execution,
        ...outcomeOf(failed, cancelledBy),
        durationMs: Math.round(performance.now() - began),
        tasks,
      });
    },
  };
}

function outcomeOf(failed: boolean, cancelledBy: CancelledBy | null): Pick<RunFinished, "status" | "cancelledBy"> {
  if (!failed) return { status: "success" };
  return cancelledBy === null ? { status: "failed" } : { status: "cancelled", cancelledBy };
}

function describe({ status, error }: TaskResult, milliseconds: number | null): string {
  if (status === "skipped") return "skipped: a task that it needs did not succeed";
  if (error !== undefined) return `failed: ${error.message}`;
  return `succeeded in ${Math.round(milliseconds ?? 0)} ms`;
}
