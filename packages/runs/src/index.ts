/**
 * The events of a run, and the history that records them.
 *
 * @module
 */
export {
  type CancelledBy,
  eventToJson,
  type LogEvent,
  type LogLevel,
  type RunEvent,
  type RunFinished,
  type RunSink,
  type TaskErrorInfo,
  type TaskResult,
} from "./events.ts";
export { openRunHistory, type RunHistory, type RunHistoryOptions } from "./history.ts";
export type { RunFilter, RunStatus, RunSummary } from "./records.ts";
