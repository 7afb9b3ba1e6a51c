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
} from "./events.ts";
export { openRunHistory, type RunHistory, type RunHistoryOptions } from "./history.ts";
export type { RunFilter, RunStatus, RunSummary } from "./records.ts";
