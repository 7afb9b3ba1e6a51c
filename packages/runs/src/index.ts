/**
 * The events of a run, and the history that records them.
 *
 * @module
 */
export {
  type CancelledBy,
  type LogEvent,
  type LogLevel,
  type RecordedEvent,
  type RunEvent,
  type RunFinished,
  type RunSink,
  type RunStarted,
  type TaskErrorInfo,
  type TaskResult,
  toJson,
} from "./events.ts";
export { openRunHistory, type RunHistory, type RunHistoryOptions } from "./history.ts";
export {
  type BoundPlace,
  type LeaseRecord,
  type SecretProvenance,
  type SecretUse,
  secretsOfRun,
} from "./provenance.ts";
export type { RunFilter, RunStatus, RunSummary } from "./records.ts";
