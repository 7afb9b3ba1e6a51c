/**
 * What happens in a run, as events, and the history of runs.
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
