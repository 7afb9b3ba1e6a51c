/**
 * Checks and runs workflows. A run can read only the secrets that its workflow declares, and everything it shows is
 * masked.
 *
 * @module
 */

export { nearestName, type Position, type Severity } from "@autokestra/config/yaml";
export { corePlugins } from "@autokestra/plugins-core";
export type { WebhookAnswer, WebhookRequest } from "@autokestra/secrets/internal";
export { createEnvironmentSource } from "@autokestra/secrets-resolver";
export type { PreparedConfig } from "./current-config.ts";
export { drawWorkflow, type GraphFormat } from "./graph/draw-workflow.ts";
export {
  type DiagnosedProvider,
  type Engine,
  type EngineOptions,
  openEngine,
  openProviderDiagnosis,
} from "./open-engine.ts";
export { checkProviders } from "./open-providers.ts";
export { describePlugins } from "./plugin-host/configured-plugins.ts";
export type { EngineRunOptions, RerunOptions, ResumeOptions, RunInput } from "./recorded-runs.ts";
export { type AdmittedRun, admitRun } from "./run/admit-run.ts";
export { type AdoptedCredential, type Adoption, type AdoptOptions, adoptCredentials } from "./run/adopt-credentials.ts";
export { RunCancellation, type RunCancellationOptions } from "./run/cancellation.ts";
export { type CheckOptions, checkWorkflow, type WorkflowReport } from "./run/check-workflow.ts";
export { type ProcessOutputOptions, type RunOptions, runWorkflow } from "./run/run-workflow.ts";
export { createStoreSource } from "./run/sources.ts";
export { workflowJsonSchema } from "./run/workflow-json-schema.ts";
export { exportWorkflow, type NeededSecret, type WorkflowExport } from "./workflow/export-workflow.ts";
export { loadWorkflow, type ParsedWorkflow, parseWorkflow } from "./workflow/parse-workflow.ts";
export { type FindingCode, type Problem, WorkflowError } from "./workflow/problem.ts";
export type {
  ConcurrencyGroup,
  CronTrigger,
  InputDeclaration,
  InputType,
  Retry,
  RetryReason,
  Task,
  Trigger,
  WebhookTrigger,
  Workflow,
} from "./workflow/workflow.ts";
