/**
 * Runs workflows with scoped, masked secrets: everything an application needs, composed.
 *
 * @module
 */
export { corePlugins } from "@autokestra/plugins-core";
export {
  createMasterKeyProvider,
  exportKey,
  type ImportedKey,
  importKey,
  KEY_VARIABLE,
  type KeyList,
  type ListedKey,
  listKeys,
  type MissingKey,
} from "@autokestra/secrets-crypto";
export { type MaskedPart, maskedParts } from "@autokestra/secrets-masker";
export { createEnvironmentSource, readText } from "@autokestra/secrets-resolver";
export { openRunHistory, type RunHistory, type RunHistoryOptions } from "./history/run-history.ts";
export type { RunFilter, RunStatus, RunSummary } from "./history/run-records.ts";
export * from "./import/index.ts";
export { nearestName } from "./nearest-name.ts";
export { type CheckOptions, checkWorkflow, type WorkflowReport } from "./run/check-workflow.ts";
export type {
  CancelledBy,
  LogEvent,
  LogLevel,
  RunEvent,
  RunFinished,
  RunSink,
  TaskErrorInfo,
  TaskResult,
} from "./run/run-event.ts";
export { collectInputs, type SecretInputSources } from "./run/run-inputs.ts";
export { type ProcessOutputOptions, type RunOptions, runWorkflow } from "./run/run-workflow.ts";
export { type BackupReport, backUpStore } from "./secrets/back-up-store.ts";
export { diagnose, type Finding } from "./secrets/diagnose.ts";
export { findUnmaskable } from "./secrets/find-unmaskable.ts";
export { type Installation, keyOptions, openInstallation, type SecretsOptions } from "./secrets/installation.ts";
export { type MigrationReport, migrateStore } from "./secrets/migrate-store.ts";
export { openSecrets } from "./secrets/open-secrets.ts";
export { type OpenedStore, openStore, type StoreOptions } from "./secrets/open-store.ts";
export { type RestoreReport, restoreBackup } from "./secrets/restore-backup.ts";
export { type RotateOptions, type RotateReport, rotateKeys } from "./secrets/rotate-keys.ts";
export type { Backend } from "./secrets/store-backend.ts";
export { createStoreSource } from "./secrets/store-source.ts";
export { type PlaceOptions, runsFile, storeFolder } from "./secrets/workflow-folder.ts";
export type { Position } from "./workflow/code-frame.ts";
export { exportWorkflow, type NeededSecret, type WorkflowExport } from "./workflow/export-workflow.ts";
export { loadWorkflow, type ParsedWorkflow, parseWorkflow } from "./workflow/parse-workflow.ts";
export { type FindingCode, type Problem, type Severity, WorkflowError } from "./workflow/problem.ts";
export type { InputDeclaration, InputType, Retry, RetryReason, Task, Trigger, Workflow } from "./workflow/workflow.ts";
