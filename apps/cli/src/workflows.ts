/**
 * Reads, checks and runs workflows. Import it dynamically, when there is a workflow: it is larger than everything else,
 * and the help loads every command.
 *
 * @module
 */
export {
  adoptCredentials,
  checkProviders,
  corePlugins,
  describePlugins,
  drawWorkflow,
  exportWorkflow,
  loadWorkflow,
  openEngine,
  openProviderDiagnosis,
  workflowJsonSchema,
} from "@autokestra/engine";
export { collectInputs, findSecretUsage, listWorkflowFiles } from "@autokestra/engine/internal";
