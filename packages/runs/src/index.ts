/**
 * What happens in a run, as events, and the history of runs.
 *
 * @module
 */
export type {
  CancelledBy,
  LogEvent,
  LogLevel,
  RunEvent,
  RunFinished,
  RunSink,
  TaskErrorInfo,
  TaskResult,
} from "./run-event.ts";
export { openRunHistory, type RunHistory, type RunHistoryOptions } from "./run-history.ts";
export type { RunFilter, RunStatus, RunSummary } from "./run-records.ts";
