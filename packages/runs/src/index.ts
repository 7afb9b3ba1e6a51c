/**
 * The events of a run, and the history that records them.
 *
 * @module
 */

export type { ClaimedRequest, RunClaims } from "./claims.ts";
export { DurableRun, type KeptResult, type KeptRun, type KeptStart, type RunBeginning } from "./durable-run.ts";
export {
  type CancelledBy,
  type CancelReason,
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
export { type DurableRunOptions, openRunHistory, type RunHistory, type RunHistoryOptions } from "./history.ts";
export type { KeptCipher, KeptKeys, KeptPlace } from "./kept.ts";
export {
  createDoorbell,
  type Doorbell,
  type KeptValue,
  type Lease,
  type MaskedError,
  type MaskedResult,
  type NewRun,
  type NewTask,
  OUTCOME_UNKNOWN,
  type Ownership,
  type ResumedRun,
  type RunId,
  type RunLedger,
  type RunOwner,
  type Seq,
  type TaskRun,
  type TaskRunId,
  type WorkerId,
} from "./ledger.ts";
export type { RunStatus } from "./process.ts";
export {
  type BoundPlace,
  type LeaseRecord,
  type LeftLease,
  type SecretProvenance,
  type SecretUse,
  secretsOfRun,
} from "./provenance.ts";
export {
  type ListedRun,
  listedAsQueued,
  type QueuedRun,
  type QueuedRuns,
  type QueuedStart,
  type RunGroup,
  type Turn,
} from "./queued-runs.ts";
export type { KeptRuns, RunFilter, RunSummary } from "./records.ts";
export { type StateChange, type Stop, type TaskEnd, type TaskNode, type TaskState, TaskStates } from "./task-states.ts";
