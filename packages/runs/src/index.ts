/**
 * The events of a run, and the history that records them.
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
} from "./events.ts";
export { openRunHistory, type RunHistory, type RunHistoryOptions } from "./history.ts";
export type { RunFilter, RunStatus, RunSummary } from "./records.ts";
